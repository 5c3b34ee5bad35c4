package cloudfront

import (
	"errors"
	"net/http"
	"time"

	"github.com/aproorg/sluice/internal/emulate/cloudfront/cache"
	"github.com/aproorg/sluice/internal/emulate/cloudfront/function"
	"github.com/aproorg/sluice/internal/emulate/cloudfront/origin"
	"github.com/aproorg/sluice/internal/emulate/cloudfront/policy"
	"github.com/aproorg/sluice/internal/stack"
)

// deliver sends an answer with the distribution's custom error responses applied.
func (d *Distribution) deliver(x *exchange, a *answer) error {
	if custom, ok := d.errors[a.status]; ok && custom.ResponsePagePath != "" {
		a = d.customError(x, a, custom)
	}
	return d.respond(x, a)
}

// originFailed stands for the answer that an origin did not give: 504 where it was
// too slow, 502 where it could not be reached or broke the connection ("HTTP 502
// status code", "HTTP 504 status code"). It is nil where the viewer went away.
func (x *exchange) originFailed(err error) *answer {
	if x.r.Context().Err() != nil {
		x.cut = true
		return nil
	}
	if errors.Is(err, origin.ErrTimeout) {
		return x.errorPage(http.StatusGatewayTimeout, "CloudFront attempted to establish a connection with the origin, "+
			"but either the attempt failed or the origin closed the connection.\nWe can't connect to the server for this app or website at this time. "+
			"There might be too much traffic or a configuration error.")
	}
	return x.errorPage(http.StatusBadGateway, "CloudFront wasn't able to connect to the origin.")
}

// customError fetches the page of a custom error response through the behavior
// that its path matches. A page that cannot be had leaves the error as it was.
func (d *Distribution) customError(x *exchange, a *answer, custom stack.CustomErrorResponse) *answer {
	page := *x
	page.r = x.r.Clone(x.r.Context())
	page.r.Method, page.r.Body, page.r.ContentLength = http.MethodGet, http.NoBody, 0
	page.request = function.Request{Method: http.MethodGet, Path: custom.ResponsePagePath, Header: x.request.Header.Clone(), Host: x.request.Host}
	for _, name := range []string{"Range", "If-None-Match", "If-Modified-Since", "If-Match", "If-Unmodified-Since", "If-Range"} {
		page.request.Header.Del(name)
	}
	page.b = d.match(custom.ResponsePagePath)
	page.accept = policy.Encoding(page.b.CachePolicy, page.r)
	got, err := d.errorPageObject(&page)
	if err != nil || got.status != http.StatusOK {
		d.log.Warn("cloudfront cannot get a custom error page", "request", x.id, "path", custom.ResponsePagePath, "error", err)
		if got != nil {
			got.source.close()
		}
		return a
	}
	a.source.close()
	got.age, got.xCache, got.own = -1, "Error from cloudfront", a.own
	if got.status = a.status; custom.ResponseCode != 0 {
		got.status = custom.ResponseCode
	}
	return got
}

// errorPageObject is the page from the cache or its origin.
func (d *Distribution) errorPageObject(x *exchange) (*answer, error) {
	key := x.key()
	if e := d.cache.Get(key); e != nil && e.Fresh(time.Now()) {
		return d.fromCache(x, e, ""), nil
	}
	a, err := d.fetch(x, nil)
	if err == nil {
		d.compress(x, a)
		d.keep(x, key, a)
	}
	return a, err
}

// errorTTL is the error caching minimum TTL of a status, 10 s where the
// distribution says nothing.
func (d *Distribution) errorTTL(status int) time.Duration {
	if e, ok := d.errors[status]; ok {
		return e.ErrorCachingMinTTL
	}
	return cache.DefaultErrorTTL
}

func joinNonNil(first, second error) error {
	if first == nil {
		return second
	}
	return joinErrors(first, second)
}
