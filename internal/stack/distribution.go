package stack

import "time"

// Distribution is an aws_cloudfront_distribution.
type Distribution struct {
	Address               string
	Aliases               []string
	HTTPVersion           string // http1.1, http2, http2and3, http3
	DefaultRootObject     string // without a leading slash
	WebACLID              string // ARN of a web ACL of AWS WAF; empty is none
	Origins               []Origin
	DefaultCacheBehavior  CacheBehavior
	OrderedCacheBehaviors []CacheBehavior // highest precedence first
	CustomErrorResponses  []CustomErrorResponse
}

// Origin is one origin of a distribution: a bucket behind origin access control,
// or a server (the REST API's stage).
type Origin struct {
	OriginID      string
	OriginPath    string // e.g. /live, put before the viewer's path
	DomainName    string // empty while unknown
	CustomHeaders []Header

	// Target is the Terraform address of the bucket or REST API behind it.
	Target string
	// Bucket is true for an S3 origin with origin access control.
	Bucket bool

	ReadTimeout        time.Duration // between packets; CloudFront: 1 to 120 s, default 30 s
	KeepaliveTimeout   time.Duration // default 5 s
	ConnectionAttempts int           // 1 to 3, default 3
	ConnectionTimeout  time.Duration // 1 to 10 s, default 10 s
}

// Header is a name and its value.
type Header struct{ Name, Value string }

// CacheBehavior says what CloudFront does with the paths that match.
type CacheBehavior struct {
	PathPattern          string // * and ?; empty in the default behavior
	TargetOriginID       string
	ViewerProtocolPolicy string // allow-all, https-only, redirect-to-https
	AllowedMethods       []string
	CachedMethods        []string
	Compress             bool
	CachePolicy          CachePolicy
	OriginRequestPolicy  OriginRequestPolicy
	ResponseHeaders      *ResponseHeadersPolicy
	Functions            []FunctionAssociation
}

// FunctionAssociation runs a CloudFront Function at an event of the behavior.
type FunctionAssociation struct {
	EventType string // viewer-request or viewer-response
	Name      string
	Runtime   string // cloudfront-js-1.0 or cloudfront-js-2.0
	Code      string // at most 10 KB
}

// CachePolicy is a managed policy, or an aws_cloudfront_cache_policy.
type CachePolicy struct {
	ID                         string
	Name                       string // e.g. Managed-CachingDisabled
	MinTTL, DefaultTTL, MaxTTL time.Duration
	Headers, Cookies, Queries  Selection // what is part of the cache key
	Gzip, Brotli               bool      // enable_accept_encoding_*
}

// OriginRequestPolicy says what is sent to the origin beyond the cache key.
type OriginRequestPolicy struct {
	ID                        string
	Name                      string // e.g. Managed-AllViewerExceptHostHeader
	Headers, Cookies, Queries Selection
}

// Selection is a policy's choice among the names of a request. Behavior is one
// of none, whitelist, allExcept, all (for headers also allViewer and
// allViewerAndWhitelistCloudFront).
type Selection struct {
	Behavior string
	Items    []string
}

// ResponseHeadersPolicy adds headers to what the viewer gets.
type ResponseHeadersPolicy struct {
	Name    string
	Headers []ResponseHeader
}

// ResponseHeader is one header of a response headers policy. Without Override
// the origin's own header stays.
type ResponseHeader struct {
	Header
	Override bool
}

// CustomErrorResponse replaces an error of any origin, for every path.
type CustomErrorResponse struct {
	ErrorCode          int
	ResponseCode       int
	ResponsePagePath   string
	ErrorCachingMinTTL time.Duration
}
