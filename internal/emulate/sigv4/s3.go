package sigv4

import (
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Refusals of S3, by their names there.
// https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html
var (
	denied       = fault{403, "AccessDenied"}
	badQuery     = fault{400, "AuthorizationQueryParametersError"}
	badHeader    = fault{400, "AuthorizationHeaderMalformed"}
	badArgument  = fault{400, "InvalidArgument"}
	badRequest   = fault{400, "InvalidRequest"}
	invalidKeyID = fault{403, "InvalidAccessKeyId"}
	invalidToken = fault{400, "InvalidToken"}
	mismatched   = fault{403, "SignatureDoesNotMatch"}
	skewed       = fault{403, "RequestTimeTooSkewed"}
)

// maxExpires is the longest life of a presigned URL, in seconds.
const maxExpires = 7 * 24 * 3600

// S3 checks requests to Amazon S3. Its messages are those that S3 gives, as far as
// they are published; which of several faults S3 names first is not.
type S3 struct {
	Keys   []Key
	Region string // of the buckets: a signature for another one is refused
}

// Signed is a request whose signature holds.
type Signed struct {
	// Payload is the digest of the body in hex, UNSIGNED-PAYLOAD, or one of the values
	// that begin with STREAMING-, for a body in aws-chunked encoding.
	Payload string

	signature
	key []byte // the signing key
}

// Verify checks the signature of a request at a time; the body is the caller's to
// check against Payload. Parameters of a presigned URL that stand for headers, such as
// X-Amz-Meta-*, become headers of r.
func (s S3) Verify(r *http.Request, now time.Time) (*Signed, *Refusal) {
	q := r.URL.Query()
	sig, refused := s.read(r, q)
	if refused != nil {
		return nil, refused
	}
	i := slices.IndexFunc(s.Keys, func(k Key) bool { return k.ID == sig.id })
	if i < 0 || s.Keys[i].Token != "" && sig.token == "" {
		return nil, refusal(invalidKeyID, "The AWS Access Key Id you provided does not exist in our records.").with("AWSAccessKeyId", sig.id)
	}
	if !equal(s.Keys[i].Token, sig.token) {
		return nil, refusal(invalidToken, "The provided token is malformed or otherwise invalid.").with("Token-0", sig.token)
	}
	if refused := sig.alive(now); refused != nil {
		return nil, refused
	}
	if names := sig.notSigned(r); len(names) > 0 {
		return nil, refusal(denied, "There were headers present in the request which were not signed").with("HeadersNotSigned", strings.Join(names, ", "))
	}
	if sig.presigned {
		hoist(r, q, sig.headers)
	}
	payload, refused := sig.body(r, q)
	if refused != nil {
		return nil, refused
	}
	canonical := sig.canonical(r, r.Host, payload)
	key, text := sig.signingKey(s.Keys[i].Secret), sig.toSign(canonical)
	if !equal(signText(key, text), sig.value) {
		return nil, refusal(mismatched, "The request signature we calculated does not match the signature you provided. Check your key and signing method.").with(
			"AWSAccessKeyId", sig.id, "StringToSign", text, "SignatureProvided", sig.value, "StringToSignBytes", fmt.Sprintf("% x", text),
			"CanonicalRequest", canonical, "CanonicalRequestBytes", fmt.Sprintf("% x", canonical))
	}
	return &Signed{Payload: payload, signature: sig, key: key}, nil
}

// parameters of a presigned URL that make its signature.
var parameters = []string{"X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Signature", "X-Amz-Date", "X-Amz-SignedHeaders", "X-Amz-Expires"}

// read finds the one signature of a request.
func (s S3) read(r *http.Request, q url.Values) (signature, *Refusal) {
	authorization := r.Header.Get("Authorization")
	query := slices.ContainsFunc(parameters, q.Has)
	switch {
	case query && authorization != "":
		return signature{}, refusal(badArgument, "Only one auth mechanism allowed; only the X-Amz-Algorithm query parameter, Signature query string parameter or the Authorization header should be specified").
			with("ArgumentName", "Authorization", "ArgumentValue", authorization)
	case query:
		return s.fromQuery(q)
	case strings.HasPrefix(authorization, "AWS "), q.Has("AWSAccessKeyId") && q.Has("Signature"):
		return signature{}, refusal(badRequest, "The authorization mechanism you have provided is not supported. Please use AWS4-HMAC-SHA256.")
	case authorization == "":
		return signature{}, refusal(denied, "Access Denied")
	case !strings.HasPrefix(authorization, algorithm):
		return signature{}, refusal(badArgument, "Unsupported Authorization Type").with("ArgumentName", "Authorization", "ArgumentValue", authorization)
	}
	sig, credential, components := fromHeaders(r, strings.TrimPrefix(authorization, algorithm))
	if components != 3 {
		return sig, refusal(badHeader, "The authorization header is malformed; the authorization header requires three components: Credential, SignedHeaders, and Signature.")
	}
	if _, err := time.Parse(dateForm, sig.date); err != nil {
		return sig, refusal(denied, "AWS authentication requires a valid Date or x-amz-date header")
	}
	return sig, s.scope(&sig, credential, badHeader, "The authorization header is malformed; ")
}

// fromQuery reads a presigned URL.
// https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html
func (s S3) fromQuery(q url.Values) (signature, *Refusal) {
	sig := signature{date: q.Get("X-Amz-Date"), headers: strings.Split(q.Get("X-Amz-SignedHeaders"), ";"), value: q.Get("X-Amz-Signature"),
		presigned: true, token: q.Get("X-Amz-Security-Token")}
	seconds, notNumber := strconv.ParseInt(q.Get("X-Amz-Expires"), 10, 64)
	_, notDate := time.Parse(dateForm, sig.date)
	if slices.ContainsFunc(parameters, func(name string) bool { return !q.Has(name) }) {
		return sig, refusal(badQuery, "Query-string authentication version 4 requires the X-Amz-Algorithm, X-Amz-Credential, X-Amz-Signature, X-Amz-Date, X-Amz-SignedHeaders, and X-Amz-Expires parameters.")
	}
	switch {
	case q.Get("X-Amz-Algorithm") != algorithm:
		return sig, refusal(badQuery, `X-Amz-Algorithm only supports "AWS4-HMAC-SHA256 and AWS4-ECDSA-P256-SHA256"`)
	case notDate != nil:
		return sig, refusal(badQuery, `X-Amz-Date must be in the ISO8601 Long Format "yyyyMMdd'T'HHmmss'Z'"`)
	case notNumber != nil:
		return sig, refusal(badQuery, "X-Amz-Expires should be a number")
	case seconds < 0:
		return sig, refusal(badQuery, "X-Amz-Expires must be non-negative")
	case seconds > maxExpires:
		return sig, refusal(badQuery, "X-Amz-Expires must be less than a week (in seconds); that is, the given X-Amz-Expires must be less than 604800 seconds")
	}
	sig.expires = time.Duration(seconds) * time.Second
	return sig, s.scope(&sig, q.Get("X-Amz-Credential"), badQuery, "Error parsing the X-Amz-Credential parameter; ")
}

var day = regexp.MustCompile(`^\d{8}$`)

// scope reads the credential into a signature. Its refusals begin with about.
func (s S3) scope(sig *signature, credential string, f fault, about string) *Refusal {
	parts := strings.Split(credential, "/")
	if len(parts) != 5 {
		return refusal(f, about+`the Credential is mal-formed; expecting "<YOUR-AKID>/YYYYMMDD/REGION/SERVICE/aws4_request".`)
	}
	sig.id, sig.day, sig.region, sig.service = parts[0], parts[1], parts[2], parts[3]
	switch {
	case !day.MatchString(sig.day):
		return refusal(f, about+`incorrect date format "`+sig.day+`". This date in the credential must be in the format "yyyyMMdd".`)
	case parts[4] != "aws4_request":
		return refusal(f, about+`incorrect terminal "`+parts[4]+`". This endpoint uses "aws4_request".`)
	case sig.service != "s3":
		return refusal(f, about+`incorrect service "`+sig.service+`". This endpoint belongs to "s3".`)
	case !strings.HasPrefix(sig.date, sig.day):
		return refusal(f, about+`Invalid credential date "`+sig.day+`". This date is not the same as X-Amz-Date: "`+sig.date[:8]+`".`)
	case sig.region != s.Region:
		return refusal(f, about+"the region '"+sig.region+"' is wrong; expecting '"+s.Region+"'").with("Region", s.Region)
	}
	return nil
}

// alive refuses a signature whose time is over, or has not come.
func (s *signature) alive(now time.Time) *Refusal {
	const form = "2006-01-02T15:04:05Z"
	at, _ := time.Parse(dateForm, s.date) // read before
	server := now.UTC().Format(form)
	switch {
	case s.presigned && now.After(at.Add(s.expires)):
		return refusal(denied, "Request has expired").with("X-Amz-Expires", strconv.Itoa(int(s.expires/time.Second)), "Expires", at.Add(s.expires).Format(form), "ServerTime", server)
	case s.presigned && at.After(now.Add(skew)):
		return refusal(denied, "Request is not valid yet").with("ServerTime", server)
	case !s.presigned && (at.After(now.Add(skew)) || now.After(at.Add(skew))):
		return refusal(skewed, "The difference between the request time and the current time is too large.").with(
			"RequestTime", s.date, "ServerTime", server, "MaxAllowedSkewMilliseconds", strconv.Itoa(int(skew.Milliseconds())))
	}
	return nil
}

// notSigned are the headers that the signature has to cover and does not: the host, and
// each x-amz-* but two, the body's digest and CloudFront's own ID of the request.
func (s *signature) notSigned(r *http.Request) []string {
	var names []string
	if !slices.Contains(s.headers, "host") {
		names = append(names, "host")
	}
	for name := range r.Header {
		name = strings.ToLower(name)
		if strings.HasPrefix(name, "x-amz-") && name != "x-amz-content-sha256" && name != "x-amz-cf-id" && !slices.Contains(s.headers, name) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// hoist makes headers of the parameters that stand for them, as SDKs that presign move
// them there. S3 takes no checksum of a body from there, unless it is among the signed
// headers: SDKs put that of an empty body into the URLs of uploads
// (aws/aws-sdk-js-v3#4448, aws/aws-sdk-go-v2#2610).
func hoist(r *http.Request, q url.Values, signed []string) {
	for name := range q {
		lower := strings.ToLower(name)
		signature := slices.Contains(parameters, name) || lower == "x-amz-security-token" || lower == "x-amz-content-sha256"
		checksum := strings.HasPrefix(lower, "x-amz-checksum-") || lower == "x-amz-sdk-checksum-algorithm"
		if !strings.HasPrefix(lower, "x-amz-") || signature || len(r.Header.Values(name)) > 0 || checksum && !slices.Contains(signed, lower) {
			continue
		}
		r.Header.Set(name, q.Get(name))
	}
}

var hexDigest = regexp.MustCompile(`^[0-9a-f]{64}$`)

// body is what the signature says of the body.
// https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html
func (s *signature) body(r *http.Request, q url.Values) (string, *Refusal) {
	said := r.Header.Get("X-Amz-Content-Sha256")
	if s.presigned && !slices.Contains(s.headers, "x-amz-content-sha256") {
		if said = q.Get("X-Amz-Content-Sha256"); said == "" {
			said = unsigned
		}
	}
	switch {
	case said == "":
		return "", refusal(badRequest, "Missing required header for this request: x-amz-content-sha256")
	case said == unsigned, hexDigest.MatchString(said), said == StreamingSigned, said == StreamingSignedTrailer, said == StreamingUnsignedTrailer:
		return said, nil
	case strings.HasPrefix(said, "STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD"):
		return "", refusal(fault{501, "NotImplemented"}, "The emulated S3 has no Signature Version 4A")
	}
	return "", refusal(badArgument, "x-amz-content-sha256 must be UNSIGNED-PAYLOAD, STREAMING-UNSIGNED-PAYLOAD-TRAILER, STREAMING-AWS4-HMAC-SHA256-PAYLOAD, STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER, STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD, STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD-TRAILER or a valid sha256 value.").
		with("ArgumentName", "x-amz-content-sha256", "ArgumentValue", said)
}

// Values of X-Amz-Content-Sha256 for bodies in aws-chunked encoding.
const (
	StreamingSigned          = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
	StreamingSignedTrailer   = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"
	StreamingUnsignedTrailer = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
)

// Chain checks the signatures in an aws-chunked body, each of which covers the one
// before.
// https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming.html
type Chain struct {
	key      []byte
	about    string // time and scope
	previous string
}

// Chain begins with the signature of the request.
func (s *Signed) Chain() *Chain {
	return &Chain{key: s.key, about: s.date + "\n" + s.signature.scope(), previous: s.value}
}

// Chunk reports whether a chunk, the next one, has the signature that it ought to have.
// digestOfChunk is its SHA-256 in hex.
func (c *Chain) Chunk(digestOfChunk, signature string) bool {
	return c.next("AWS4-HMAC-SHA256-PAYLOAD\n"+c.about+"\n"+c.previous+"\n"+digest(nil)+"\n"+digestOfChunk, signature)
}

// Trailer is Chunk for the trailers after the last chunk: lines of name:value.
func (c *Chain) Trailer(lines, signature string) bool {
	return c.next("AWS4-HMAC-SHA256-TRAILER\n"+c.about+"\n"+c.previous+"\n"+digest([]byte(lines)), signature)
}

func (c *Chain) next(text, signature string) bool {
	c.previous = signText(c.key, text)
	return equal(c.previous, signature)
}
