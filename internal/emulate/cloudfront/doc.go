// Package cloudfront emulates one distribution at one edge location: the way of a
// request from the viewer to an origin and back. Which part of a request counts is
// in package policy, how long a response is fresh in package cache, attempts and
// timeouts in package origin, and CloudFront Functions run in package function;
// each lists what it models, too.
//
// It models: cache behaviors in order of precedence; viewer protocol policy and
// allowed methods; cache and origin request policies and what they make of cache
// key and origin request; header handling towards origin and viewer; CloudFront
// Functions at viewer-request and viewer-response, executed; caching with
// minimum, default and maximum TTL, revalidation, ranges out of the cache, stale
// objects while the origin fails, the caching of errors; compression; custom
// headers to origins; origin access control as far as that bucket requests are
// signed; connection attempts, the origin response timeout between packets, no
// repetition of requests other than GET and HEAD; custom error responses;
// response headers policies; invalidation. Every read from an origin is written
// to the viewer and flushed at once. A failure after the response has begun cuts
// the connection.
//
// It refuses at New: behaviors whose origin is not there, functions over 10 KB or
// outside of the language subset, unknown policies' choices, timeouts out of
// range. At run time: requests over 20,480 bytes or URLs over 8,192 (413), GET
// with a body (403), WebSockets (the Upgrade header is removed).
//
// It leaves out: TLS, HTTP/2 and HTTP/3 towards viewers (the caller's listener),
// signed URLs, geo restriction, WAF, Lambda@Edge, origin groups, Origin Shield,
// field-level encryption, logs, request collapsing, key value stores, objects of
// more than 8 MiB in the cache (they pass uncached).
//
// It cannot know: where a viewer is (no CloudFront-Viewer-Country and the like),
// TLS fingerprints, a function's compute utilization and its 2 MB of memory, when
// an edge evicts, and whether errors are cached for their 10 seconds under
// CachingDisabled too. Here they are: the guide makes no exception, and a live
// site saw a GET take three timeouts of 30 s and its 504 served from the cache
// afterwards (github.com/aprin-labs/archimedes/pull/1610). A custom error response
// without a page and with ErrorCachingMinTTL 0 turns that off.
//
// Sources: CloudFront developer guide, "Request and response behavior for custom
// origins", "Manage how long content stays in the cache", "How CloudFront
// processes HTTP 4xx and 5xx status codes", "Serve compressed files", "CloudFront
// Functions event structure", "Restrictions on edge functions", "Quotas".
package cloudfront
