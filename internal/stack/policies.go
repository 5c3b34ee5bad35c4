package stack

import (
	"slices"
	"strings"
	"time"

	"github.com/aproorg/sluice/internal/stack/tfplan"
)

const day = 24 * time.Hour

// managedCachePolicies are AWS's own, by id.
// https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/using-managed-cache-policies.html
var managedCachePolicies = []CachePolicy{
	{ID: "4135ea2d-6df8-44a3-9df3-4b5a84be39ad", Name: "Managed-CachingDisabled", Headers: none, Cookies: none, Queries: none},
	{ID: "658327ea-f89d-4fab-a63d-7e88639e58f6", Name: "Managed-CachingOptimized", MinTTL: time.Second, DefaultTTL: day, MaxTTL: 365 * day,
		Headers: none, Cookies: none, Queries: none, Gzip: true, Brotli: true},
	{ID: "b2884449-e4de-46a7-ac36-70bc7f1ddd6d", Name: "Managed-CachingOptimizedForUncompressedObjects", MinTTL: time.Second, DefaultTTL: day, MaxTTL: 365 * day,
		Headers: none, Cookies: none, Queries: none},
}

// managedOriginRequestPolicies are AWS's own, by id.
// https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/using-managed-origin-request-policies.html
var managedOriginRequestPolicies = []OriginRequestPolicy{
	{ID: "b689b0a8-53d0-40ab-baf2-68738e2966ac", Name: "Managed-AllViewerExceptHostHeader",
		Headers: Selection{"allExcept", []string{"host"}}, Cookies: everything, Queries: everything},
	{ID: "216adef6-5c7f-47e4-b989-5492eafa07d3", Name: "Managed-AllViewer",
		Headers: Selection{Behavior: "allViewer"}, Cookies: everything, Queries: everything},
	{ID: "88a5eaf4-2fd4-4709-b370-b4c650ea3fcf", Name: "Managed-CORS-S3Origin",
		Headers: Selection{"whitelist", []string{"origin", "access-control-request-headers", "access-control-request-method"}}, Cookies: none, Queries: none},
}

var none, everything = Selection{Behavior: "none"}, Selection{Behavior: "all"}

func (r *reader) cachePolicy(res *tfplan.Resource, b tfplan.Attributes, path string) CachePolicy {
	id := b.Str("cache_policy_id")
	if i := slices.IndexFunc(managedCachePolicies, func(p CachePolicy) bool { return p.ID == id }); i >= 0 {
		return managedCachePolicies[i]
	}
	found := r.Find(res, id, path+".cache_policy_id", "aws_cloudfront_cache_policy")
	if found == nil {
		b.Fail("cache_policy_id %q is no managed policy that the rehearsal knows and no aws_cloudfront_cache_policy of the plan", id)
		return CachePolicy{}
	}
	a := r.Attributes(found)
	key := a.Block("parameters_in_cache_key_and_forwarded_to_origin")
	return CachePolicy{
		ID: id, Name: a.Str("name"),
		MinTTL:     a.Duration("min_ttl", time.Second, 0),
		DefaultTTL: a.Duration("default_ttl", time.Second, day),
		MaxTTL:     a.Duration("max_ttl", time.Second, 365*day),
		Headers:    selection(key, "header"), Cookies: selection(key, "cookie"), Queries: selection(key, "query_string"),
		Gzip: key.Flag("enable_accept_encoding_gzip"), Brotli: key.Flag("enable_accept_encoding_brotli"),
	}
}

func (r *reader) originRequestPolicy(res *tfplan.Resource, b tfplan.Attributes, path string) OriginRequestPolicy {
	id := b.Str("origin_request_policy_id")
	if i := slices.IndexFunc(managedOriginRequestPolicies, func(p OriginRequestPolicy) bool { return p.ID == id }); i >= 0 {
		return managedOriginRequestPolicies[i]
	}
	found := r.Find(res, id, path+".origin_request_policy_id", "aws_cloudfront_origin_request_policy")
	if found == nil {
		if id != "" {
			b.Fail("origin_request_policy_id %q is no managed policy that the rehearsal knows and no aws_cloudfront_origin_request_policy of the plan", id)
		}
		return OriginRequestPolicy{Headers: none, Cookies: none, Queries: none}
	}
	a := r.Attributes(found)
	return OriginRequestPolicy{
		ID: id, Name: a.Str("name"),
		Headers: selection(a, "header"), Cookies: selection(a, "cookie"), Queries: selection(a, "query_string"),
	}
}

// selection reads headers_config, cookies_config or query_strings_config.
func selection(a tfplan.Attributes, kind string) Selection {
	config := a.Block(kind + "s_config")
	s := Selection{Behavior: config.Str(kind + "_behavior"), Items: config.Block(kind + "s").Strings("items")}
	if s.Behavior == "" {
		s.Behavior = "none"
	}
	for i, item := range s.Items {
		if kind == "header" {
			s.Items[i] = strings.ToLower(item)
		}
	}
	return s
}

func (r *reader) responseHeadersPolicy(res *tfplan.Resource, b tfplan.Attributes, path string) *ResponseHeadersPolicy {
	id := b.Str("response_headers_policy_id")
	if id == "" && b.Has("response_headers_policy_id") { // unknown until apply is absent, none is null
		return nil
	}
	found := r.Find(res, id, path+".response_headers_policy_id", "aws_cloudfront_response_headers_policy")
	if found == nil {
		return nil
	}
	a := r.Attributes(found)
	policy := &ResponseHeadersPolicy{Name: a.Str("name")}
	policy.Headers = append(securityHeaders(a.Block("security_headers_config")), customHeaders(a.Block("custom_headers_config"))...)
	return policy
}

func customHeaders(a tfplan.Attributes) []ResponseHeader {
	var all []ResponseHeader
	for _, h := range a.Blocks("items") {
		all = append(all, ResponseHeader{Header{h.Str("header"), h.Str("value")}, h.Flag("override")})
	}
	return all
}
