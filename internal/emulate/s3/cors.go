package s3

import (
	"encoding/xml"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// CORSRule is one rule of a bucket's CORS configuration, by which pages of other
// origins use it.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/ManageCorsUsing.html
type CORSRule struct {
	ID             string   `xml:",omitempty"`
	AllowedHeaders []string `xml:"AllowedHeader,omitempty"`
	AllowedMethods []string `xml:"AllowedMethod"`
	AllowedOrigins []string `xml:"AllowedOrigin"`
	ExposeHeaders  []string `xml:"ExposeHeader,omitempty"`
	MaxAgeSeconds  *int     `xml:",omitempty"`
}

// corsMethods are those that a rule may name.
var corsMethods = []string{"GET", "PUT", "POST", "DELETE", "HEAD"}

// check says what S3 refuses of a rule.
func (c CORSRule) check() error {
	if len(c.AllowedOrigins) == 0 || len(c.AllowedMethods) == 0 {
		return malformed
	}
	for _, method := range c.AllowedMethods {
		if !slices.Contains(corsMethods, method) {
			return invalidRequest("Found unsupported HTTP method in CORS config. Unsupported method is " + method)
		}
	}
	for element, values := range map[string][]string{"AllowedOrigin": c.AllowedOrigins, "AllowedHeader": c.AllowedHeaders} {
		for _, value := range values {
			if strings.Count(value, "*") > 1 {
				return invalidRequest(element + ` "` + value + `" can not have more than one wildcard.`)
			}
		}
	}
	for _, value := range c.ExposeHeaders {
		if strings.Contains(value, "*") {
			return invalidRequest(`ExposeHeader "` + value + `" contains wildcard. We currently do not support wildcard for ExposeHeader.`)
		}
	}
	return nil
}

// allows reports whether a rule is for a request of an origin, by its method and the
// headers that a preflight asks for.
func (c CORSRule) allows(origin, method string, headers []string) bool {
	matches := func(patterns []string, value string) bool {
		return slices.ContainsFunc(patterns, func(pattern string) bool { return wildcard(pattern, value) })
	}
	if !slices.Contains(c.AllowedMethods, method) || !matches(c.AllowedOrigins, origin) {
		return false
	}
	allowed := make([]string, len(c.AllowedHeaders))
	for i, name := range c.AllowedHeaders {
		allowed[i] = strings.ToLower(name)
	}
	return !slices.ContainsFunc(headers, func(name string) bool { return !matches(allowed, name) })
}

// wildcard reports whether a value is what a pattern with at most one * says.
func wildcard(pattern, value string) bool {
	before, after, wild := strings.Cut(pattern, "*")
	if !wild {
		return pattern == value
	}
	return len(value) >= len(before)+len(after) && strings.HasPrefix(value, before) && strings.HasSuffix(value, after)
}

// requestedHeaders are those that a preflight asks for, in lower case.
func requestedHeaders(r *http.Request) []string {
	var names []string
	for name := range strings.SplitSeq(r.Header.Get("Access-Control-Request-Headers"), ",") {
		if name = strings.ToLower(strings.TrimSpace(name)); name != "" {
			names = append(names, name)
		}
	}
	return names
}

// rule finds the first rule for a request.
func (s *Store) rule(bucket string, r *http.Request) *CORSRule {
	s.mu.RLock()
	defer s.mu.RUnlock()
	b := s.buckets[bucket]
	if b == nil {
		return nil
	}
	method := r.Header.Get("Access-Control-Request-Method")
	if method == "" {
		method = r.Method
	}
	i := slices.IndexFunc(b.cors, func(c CORSRule) bool { return c.allows(r.Header.Get("Origin"), method, requestedHeaders(r)) })
	if i < 0 {
		return nil
	}
	return &b.cors[i]
}

// allow puts into the head of an answer what lets a page of the origin read it. An
// error has it, too: pages show S3's.
func (c CORSRule) allow(h http.Header, r *http.Request) {
	if slices.Contains(c.AllowedOrigins, "*") {
		h.Set("Access-Control-Allow-Origin", "*")
	} else {
		h.Set("Access-Control-Allow-Origin", r.Header.Get("Origin"))
		h.Set("Access-Control-Allow-Credentials", "true")
	}
	h.Set("Access-Control-Allow-Methods", strings.Join(c.AllowedMethods, ", "))
	if names := requestedHeaders(r); len(names) > 0 {
		h.Set("Access-Control-Allow-Headers", strings.Join(names, ", "))
	}
	if len(c.ExposeHeaders) > 0 {
		h.Set("Access-Control-Expose-Headers", strings.Join(c.ExposeHeaders, ", "))
	}
	if c.MaxAgeSeconds != nil {
		h.Set("Access-Control-Max-Age", strconv.Itoa(*c.MaxAgeSeconds))
	}
	h.Set("Vary", "Origin, Access-Control-Request-Headers, Access-Control-Request-Method")
}

// preflight answers a browser that asks, unsigned, before a request of another origin.
// https://docs.aws.amazon.com/AmazonS3/latest/API/RESTOPTIONSobject.html
func (c *call) preflight() error {
	method := c.r.Header.Get("Access-Control-Request-Method")
	named := method
	if named == "" {
		named = http.MethodOptions
	}
	if c.r.Header.Get("Origin") == "" {
		return newFailure(http.StatusBadRequest, "BadRequest", "Insufficient information. Origin request header needed.")
	}
	c.mu.RLock()
	b := c.buckets[c.bucket]
	enabled := b != nil && len(b.cors) > 0
	c.mu.RUnlock()
	switch {
	case b == nil:
		return newFailure(http.StatusForbidden, "AccessForbidden", "CORSResponse: Bucket not found").with("Method", named, "ResourceType", "BUCKET")
	case !enabled:
		return corsNotEnabled.with("Method", named, "ResourceType", "BUCKET")
	case method == "":
		return newFailure(http.StatusBadRequest, "BadRequest", "Invalid Access-Control-Request-Method: null")
	}
	rule := c.rule(c.bucket, c.r)
	if rule == nil {
		kind := "OBJECT"
		if c.key == "" {
			kind = "BUCKET"
		}
		return corsRefused.with("Method", named, "ResourceType", kind)
	}
	rule.allow(c.w.Header(), c.r)
	return c.status(http.StatusOK)
}

type corsDocument struct {
	XMLName xml.Name   `xml:"CORSConfiguration"`
	Rules   []CORSRule `xml:"CORSRule"`
}

// SetCORS replaces a bucket's CORS configuration; no rules take it away. It refuses what
// S3 refuses.
func (s *Store) SetCORS(bucketName string, rules []CORSRule) error {
	if len(rules) > 100 {
		return malformed
	}
	for _, rule := range rules {
		if err := rule.check(); err != nil {
			return err
		}
	}
	return s.configure(bucketName, func(b *bucket) { b.cors = rules })
}

// corsConfiguration is PutBucketCors, GetBucketCors or DeleteBucketCors.
func (c *call) corsConfiguration() error {
	switch c.r.Method {
	case http.MethodPut:
		var in corsDocument
		if err := c.read(&in); err != nil {
			return err
		}
		if len(in.Rules) == 0 {
			return malformed
		}
		if err := c.SetCORS(c.bucket, in.Rules); err != nil {
			return err
		}
		return c.status(http.StatusOK)
	case http.MethodDelete:
		if err := c.SetCORS(c.bucket, nil); err != nil {
			return err
		}
		return c.status(http.StatusNoContent)
	case http.MethodGet:
		out := corsDocument{}
		if err := c.configure(c.bucket, func(b *bucket) { out.Rules = b.cors }); err != nil {
			return err
		}
		if len(out.Rules) == 0 {
			return noCORS.with("BucketName", c.bucket)
		}
		return c.document(out)
	}
	return notAllowed
}
