package cloudfront

import (
	"net/http"
	"strconv"
	"time"

	"github.com/aproorg/sluice/internal/emulate/cloudfront/cache"
	"github.com/aproorg/sluice/internal/emulate/cloudfront/policy"
)

// throughCache answers from the cache where it can, and fills it where it may.
func (d *Distribution) throughCache(x *exchange) error {
	key := x.key()
	stored := d.cache.Get(key)
	if stored != nil && stored.Fresh(time.Now()) {
		return d.deliver(x, d.fromCache(x, stored, "Hit from cloudfront"))
	}
	var condition http.Header
	if stored != nil {
		condition = stored.Validators()
	}
	a, err := d.fetch(x, condition)
	if stored != nil && stored.Status < 400 && (err != nil || a.status >= 500) && x.r.Context().Err() == nil {
		if a != nil {
			a.source.close()
		}
		return d.respond(x, d.serveStale(x, stored))
	}
	if err == nil && condition != nil && a.status == http.StatusNotModified {
		a.source.close()
		return d.respond(x, d.fromCache(x, d.cache.Refresh(stored, a.header, d.errorTTL(stored.Status)), "RefreshHit from cloudfront"))
	}
	if err != nil {
		if a = x.originFailed(err); a == nil {
			return err
		}
	}
	d.compress(x, a)
	d.keep(x, key, a)
	return joinNonNil(err, d.deliver(x, a))
}

// serveStale uses an expired object while its origin fails, and lets the origin
// alone for the error caching minimum TTL.
func (d *Distribution) serveStale(x *exchange, e *cache.Entry) *answer {
	return d.fromCache(x, d.cache.Extend(e, d.errorTTL(http.StatusBadGateway)), "Hit from cloudfront")
}

// keep arranges that an origin's answer is stored once its body has passed whole.
// Parts of objects and answers to HEAD are not.
func (d *Distribution) keep(x *exchange, key string, a *answer) {
	now := time.Now()
	ttl, ok := cache.FreshFor(x.b.CachePolicy, d.errorTTL(a.status), a.status, a.header, now)
	if !ok || x.r.Method == http.MethodHead {
		return
	}
	e := &cache.Entry{Key: key, Path: x.request.Path, Policy: x.b.CachePolicy, Own: a.own, Status: a.status, Header: a.header.Clone(), Stored: now, TTL: ttl}
	if q := policy.Query(x.request.Query, x.b.CachePolicy.Queries); q != "" {
		e.Path += "?" + q
	}
	if age, err := strconv.Atoi(a.header.Get("Age")); err == nil && age > 0 {
		e.Age = time.Duration(age) * time.Second
	}
	store := func(body []byte) {
		e.Body = body
		d.cache.Put(e)
	}
	switch s := a.source.(type) {
	case memorySource:
		store(s)
	case *streamSource:
		s.kept = &keeper{length: contentLength(a.header), limit: cache.MaxBody, store: store}
	}
}

// contentLength is -1 where the header does not say.
func contentLength(h http.Header) int {
	n, err := strconv.Atoi(h.Get("Content-Length"))
	if err != nil || n < 0 {
		return -1
	}
	return n
}

// fromCache is the answer that a stored response gives to this request.
func (d *Distribution) fromCache(x *exchange, e *cache.Entry, xCache string) *answer {
	status, header, body := e.Answer(&http.Request{Method: x.r.Method, Header: x.request.Header, URL: x.r.URL})
	a := &answer{status: status, header: header, own: e.Own, xCache: xCache, age: e.Age + time.Since(e.Stored), source: memorySource(body)}
	if e.Status >= 400 {
		a.xCache = "Error from cloudfront"
	}
	return a
}
