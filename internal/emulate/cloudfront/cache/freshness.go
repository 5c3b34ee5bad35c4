package cache

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aproorg/sluice/internal/stack"
)

// Statuses of errors that CloudFront caches whatever the origin says, and of those
// that it caches if there is an age ("How CloudFront processes HTTP 4xx and 5xx status
// codes").
var (
	keptErrors   = []int{404, 414, 500, 501, 502, 503, 504}
	agedErrors   = []int{400, 403, 405, 412, 415}
	keptStatuses = []int{200, 203, 204, 300, 301, 302, 303, 307, 308}
)

// DefaultErrorTTL is the error caching minimum TTL where a distribution says nothing.
const DefaultErrorTTL = 10 * time.Second

// FreshFor is how long a response may be used without asking again. store is false
// where it must not be kept at all.
//
// The rules are those of the table in "Manage how long content stays in the cache
// (expiration)": s-maxage before max-age before Expires, held between minimum and
// maximum TTL; the default TTL without any; no-cache, no-store and private count
// only where the minimum TTL is 0.
func FreshFor(p stack.CachePolicy, errorTTL time.Duration, status int, h http.Header, now time.Time) (ttl time.Duration, store bool) {
	if status >= 400 {
		return errorFreshFor(errorTTL, status, h)
	}
	if p.MaxTTL == 0 || !slices.Contains(keptStatuses, status) {
		return 0, false
	}
	c := parseCacheControl(h)
	if c.noCache || c.noStore || c.private {
		if p.MinTTL > 0 {
			return p.MinTTL, true
		}
		return 0, c.noCache && !c.noStore && !c.private
	}
	if p.MinTTL == 0 && variesByAll(h) {
		return 0, false
	}
	age, ok := c.age(h, now)
	if !ok {
		return max(p.MinTTL, p.DefaultTTL), true
	}
	return min(max(age, p.MinTTL), p.MaxTTL), true
}

// variesByAll looks for the member * that no request matches (RFC 9111, section 4.1).
func variesByAll(h http.Header) bool {
	for member := range strings.SplitSeq(strings.Join(h.Values("Vary"), ","), ",") {
		if strings.TrimSpace(member) == "*" {
			return true
		}
	}
	return false
}

func errorFreshFor(errorTTL time.Duration, status int, h http.Header) (time.Duration, bool) {
	c := parseCacheControl(h)
	aged := c.sMaxAge >= 0 || c.maxAge >= 0
	if !slices.Contains(keptErrors, status) && !(aged && slices.Contains(agedErrors, status)) {
		return 0, false
	}
	ttl := max(errorTTL, c.sMaxAge)
	if c.sMaxAge < 0 {
		ttl = max(errorTTL, c.maxAge)
	}
	return ttl, ttl > 0
}

// cacheControl is what CloudFront reads of Cache-Control. Ages are negative where
// they are not there.
type cacheControl struct {
	noCache, noStore, private bool
	maxAge, sMaxAge           time.Duration
}

func parseCacheControl(h http.Header) cacheControl {
	c := cacheControl{maxAge: -1, sMaxAge: -1}
	for directive := range strings.SplitSeq(strings.Join(h.Values("Cache-Control"), ","), ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(directive), "=")
		switch strings.ToLower(name) {
		case "no-cache":
			c.noCache = true
		case "no-store":
			c.noStore = true
		case "private":
			c.private = true
		case "max-age":
			c.maxAge = seconds(value)
		case "s-maxage":
			c.sMaxAge = seconds(value)
		}
	}
	return c
}

// seconds reads a delta-seconds; what is none counts as missing, and what is
// over a hundred years as a hundred years.
func seconds(s string) time.Duration {
	n, err := strconv.ParseUint(strings.Trim(s, `" `), 10, 63)
	if err != nil {
		return -1
	}
	const century = 100 * 365 * 24 * 60 * 60
	return time.Duration(min(n, century)) * time.Second
}

func (c cacheControl) age(h http.Header, now time.Time) (time.Duration, bool) {
	switch {
	case c.sMaxAge >= 0:
		return c.sMaxAge, true
	case c.maxAge >= 0:
		return c.maxAge, true
	}
	if v := h.Get("Expires"); v != "" {
		at, err := http.ParseTime(v)
		if err != nil {
			return 0, true // RFC 9111, section 5.3: an invalid date is in the past
		}
		return max(0, at.Sub(now)), true
	}
	return 0, false
}
