package cloudfront

import (
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/aproorg/sluice/internal/emulate/cloudfront/policy"
	"github.com/aproorg/sluice/internal/emulate/spelling"
)

// The table "HTTP request headers and CloudFront behavior" in "Request and
// response behavior for custom origins".
var (
	// alwaysForwarded go to the origin without a policy that names them.
	alwaysForwarded = headerSet("Content-Type", "Content-Encoding", "Content-MD5", "Cache-Control", "Date", "From", "If-Match",
		"If-Modified-Since", "If-None-Match", "If-Range", "If-Unmodified-Since", "Max-Forwards", "Origin", "Pragma",
		"Range", "Request-Range", "Warning")
	// neverForwarded do not, whatever a policy says, or are CloudFront's to set.
	neverForwarded = headerSet("Connection", "Keep-Alive", "Proxy-Authenticate", "Proxy-Authorization", "Proxy-Connection",
		"TE", "Trailer", "Transfer-Encoding", "Upgrade", "Expect", "X-Forwarded-Proto", "X-Real-IP", "X-Amz-Cf-Id",
		"Cookie", "Content-Length", "Host", "Via", "X-Forwarded-For")
)

func headerSet(names ...string) map[string]bool {
	set := map[string]bool{}
	for _, n := range names {
		set[http.CanonicalHeaderKey(n)] = true
	}
	return set
}

// originHeaders are the headers of an origin request: those that the policies
// take of the viewer's, as the viewer spelled them, those that CloudFront adds, and the
// origin's custom ones, which overwrite.
func (d *Distribution) originHeaders(x *exchange, condition http.Header) http.Header {
	h := x.selectedHeaders()
	own := []string{"User-Agent", "Accept-Encoding", "Cookie", "Via", "X-Forwarded-For"}
	if h.Get("User-Agent") == "" {
		h.Set("User-Agent", "Amazon CloudFront")
	}
	via := fmt.Sprintf("%d.%d%s", x.r.ProtoMajor, x.r.ProtoMinor, d.via[3:])
	h.Set("X-Amz-Cf-Id", x.id)
	h.Set("X-Forwarded-For", strings.Join(append(slices.Clone(x.request.Header.Values("X-Forwarded-For")), clientIP(x.r)), ", "))
	h.Set("Via", strings.Join(append(slices.Clone(x.request.Header.Values("Via")), via), ", "))
	for name, values := range condition {
		h[name] = values
		own = append(own, name)
	}
	if condition != nil {
		h.Del("Range")
	}
	if x.b.origin.Bucket {
		h.Set("Authorization", "AWS4-HMAC-SHA256 Credential=origin-access-control/s3/aws4_request")
	}
	for _, c := range x.b.origin.CustomHeaders {
		h.Set(c.Name, c.Value)
		own = append(own, c.Name)
	}
	spelling.Of(x.r.Context()).Spell(h, own...)
	return h
}

// selectedHeaders are the viewer's headers that the origin gets to see, and those
// that the policies ask CloudFront for.
func (x *exchange) selectedHeaders() http.Header {
	b := x.b
	key, forward := b.CachePolicy.Headers, b.OriginRequestPolicy.Headers
	h := http.Header{}
	for name, values := range x.request.Header {
		if neverForwarded[name] || strings.HasPrefix(name, "X-Edge-") {
			continue
		}
		if alwaysForwarded[name] || policy.Header(key, name) || policy.Header(forward, name) || name == "Authorization" && writes(x.r.Method) {
			h[name] = values
		}
	}
	for _, name := range slices.Concat(key.Items, forward.Items) {
		if !strings.HasPrefix(strings.ToLower(name), "cloudfront-") || forward.Behavior == "allExcept" {
			continue
		}
		if values := x.viewerHeader(name); len(values) > 0 {
			h[http.CanonicalHeaderKey(name)] = values
		}
	}
	if cookies := policy.Cookies(x.request.Header.Values("Cookie"), b.CachePolicy.Cookies, b.OriginRequestPolicy.Cookies); cookies != "" {
		h.Set("Cookie", cookies)
	}
	if b.CachePolicy.Gzip || b.CachePolicy.Brotli {
		h.Del("Accept-Encoding")
		if x.accept != "" {
			h.Set("Accept-Encoding", x.accept)
		}
	}
	return h
}

func writes(method string) bool {
	return slices.Contains([]string{"DELETE", "PATCH", "POST", "PUT"}, method)
}

// viewerHeader is a header as policies see it: the viewer's, or one that CloudFront
// makes of what it knows about the viewer. Where the viewer is it does not know.
func (x *exchange) viewerHeader(name string) []string {
	agent := strings.ToLower(x.request.Header.Get("User-Agent"))
	mobile, tablet := strings.Contains(agent, "mobi"), strings.Contains(agent, "ipad") || strings.Contains(agent, "tablet")
	truth := func(b bool) []string { return []string{fmt.Sprint(b)} }
	switch strings.ToLower(name) {
	case "host":
		return []string{x.request.Host}
	case "cloudfront-forwarded-proto":
		if x.https {
			return []string{"https"}
		}
		return []string{"http"}
	case "cloudfront-viewer-http-version":
		return []string{fmt.Sprintf("%d.%d", x.r.ProtoMajor, x.r.ProtoMinor)}
	case "cloudfront-viewer-address":
		return []string{x.r.RemoteAddr}
	case "cloudfront-is-mobile-viewer":
		return truth(mobile && !tablet)
	case "cloudfront-is-tablet-viewer":
		return truth(tablet)
	case "cloudfront-is-smarttv-viewer":
		return truth(strings.Contains(agent, "smart-tv") || strings.Contains(agent, "smarttv"))
	case "cloudfront-is-desktop-viewer":
		return truth(!mobile && !tablet)
	case "cloudfront-is-android-viewer":
		return truth(strings.Contains(agent, "android"))
	case "cloudfront-is-ios-viewer":
		return truth(strings.Contains(agent, "iphone") || strings.Contains(agent, "ipad"))
	}
	return x.request.Header.Values(name)
}

// cleanResponse removes what CloudFront removes from an origin's response.
func (b *behavior) cleanResponse(h http.Header) {
	for _, name := range []string{"Connection", "Keep-Alive", "Proxy-Authenticate", "Proxy-Connection", "Trailer",
		"Transfer-Encoding", "Upgrade", "Via", "X-Cache", "X-Amz-Cf-Id", "X-Amz-Cf-Pop"} {
		h.Del(name)
	}
	if b.origin.Bucket { // the guide does not say so, but no distribution lets them through
		h.Del("X-Amz-Id-2")
		h.Del("X-Amz-Request-Id")
	}
	if !policy.ForwardsCookies(b.CacheBehavior) {
		h.Del("Set-Cookie")
	}
	if vary := h.Values("Vary"); len(vary) > 0 {
		h.Del("Vary")
		if kept := b.vary(vary); len(kept) > 0 {
			h.Set("Vary", strings.Join(kept, ", "))
		}
	}
}

// vary keeps the names that the origin gets to see, and three that always stay.
func (b *behavior) vary(values []string) []string {
	var kept []string
	for name := range strings.SplitSeq(strings.Join(values, ","), ",") {
		name = strings.TrimSpace(name)
		always := name == "*" || strings.EqualFold(name, "Accept-Encoding") || strings.EqualFold(name, "Cookie")
		if name != "" && (always || policy.Header(b.CachePolicy.Headers, name) || policy.Header(b.OriginRequestPolicy.Headers, name)) {
			kept = append(kept, name)
		}
	}
	return kept
}
