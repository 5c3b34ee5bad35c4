package cloudfront

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/aproorg/sluice/internal/emulate/cloudfront/origin"
	"github.com/aproorg/sluice/internal/emulate/cloudfront/policy"
	"github.com/aproorg/sluice/internal/timeline"
)

var errOriginHeaders = errors.New("headers of the response are too large")

// fetch asks the origin. condition, for a revalidation, replaces the viewer's own
// conditions.
func (d *Distribution) fetch(x *exchange, condition http.Header) (*answer, error) {
	o := x.b.origin
	r := d.originRequest(x.r.Context(), x, condition)
	res, err := o.Fetch(r, origin.Watch{
		Limit: func(note string) { x.record(timeline.Event{Kind: timeline.Limit, Note: note}) },
		Retry: func(attempt int, err error) {
			d.log.Info("cloudfront tries its origin again", "request", x.id, "attempt", attempt, "error", err)
		},
	})
	if err == nil && headerSize(res.Header) > maxRequest {
		res.Body.Close()
		x.record(timeline.Event{Kind: timeline.Limit, Note: "headers of the origin's response over 20,480 bytes"})
		err = errOriginHeaders
	}
	if err != nil {
		return nil, fmt.Errorf("origin %s: %w", o.OriginID, err)
	}
	a := &answer{status: res.StatusCode, header: res.Header, age: -1, xCache: "Miss from cloudfront", source: &streamSource{body: res.Body}}
	if res.ContentLength >= 0 && a.header.Get("Content-Length") == "" && !bodyless(r.Method, res.StatusCode) {
		a.header.Set("Content-Length", fmt.Sprint(res.ContentLength))
	}
	x.b.cleanResponse(a.header)
	if a.status >= 400 {
		a.xCache = "Error from cloudfront"
	}
	return a, nil
}

// originRequest is what the origin gets to see.
func (d *Distribution) originRequest(ctx context.Context, x *exchange, condition http.Header) *http.Request {
	b := x.b
	u := b.origin.URL(x.request.Path)
	u.RawQuery = policy.Query(x.request.Query, b.CachePolicy.Queries, b.OriginRequestPolicy.Queries)
	r := (&http.Request{Method: x.r.Method, URL: u, Host: d.originHost(x), Header: d.originHeaders(x, condition),
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1}).WithContext(ctx)
	if x.r.ContentLength != 0 {
		r.ContentLength, r.Body = x.r.ContentLength, x.r.Body
	}
	if b.origin.Bucket && d.cfg.SignBucket != nil {
		d.cfg.SignBucket(r)
	}
	return r
}

func (d *Distribution) originHost(x *exchange) string {
	key, forward := x.b.CachePolicy.Headers, x.b.OriginRequestPolicy.Headers
	switch o := x.b.origin; {
	case !o.Bucket && (policy.Header(key, "host") || policy.Header(forward, "host")):
		return x.request.Host
	case o.DomainName != "":
		return o.DomainName
	default:
		return o.Host()
	}
}
