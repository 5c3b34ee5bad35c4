package cloudfront

import (
	"bytes"
	"net/http"
	"strconv"
	"time"
)

// serveCached answers from the cache where it can, and fills it where it may.
func (d *Distribution) serveCached(x *exchange) error {
	key := d.cacheKey(x)
	stored := d.cache.get(key)
	if stored != nil && stored.fresh(time.Now()) {
		return d.deliver(x, d.fromCache(x, stored, "Hit from cloudfront"))
	}
	var condition http.Header
	if stored != nil {
		condition = stored.validators()
	}
	a, err := d.fetch(x, condition)
	if stored != nil && stored.status < 400 && (err != nil || a.status >= 500) && x.r.Context().Err() == nil {
		if a != nil {
			a.source.close()
		}
		return d.respond(x, d.serveStale(x, stored))
	}
	if err == nil && condition != nil && a.status == http.StatusNotModified {
		a.source.close()
		return d.respond(x, d.fromCache(x, d.refresh(stored, a), "RefreshHit from cloudfront"))
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
func (d *Distribution) serveStale(x *exchange, e *entry) *answer {
	renewed := *e
	renewed.age += time.Since(e.stored)
	renewed.stored, renewed.ttl = time.Now(), d.errorTTL(http.StatusBadGateway)
	d.cache.put(&renewed)
	return d.fromCache(x, &renewed, "Hit from cloudfront")
}

// refresh makes a stored response fresh again after a 304 (RFC 9111, section
// 4.3.4).
func (d *Distribution) refresh(e *entry, a *answer) *entry {
	renewed := *e
	renewed.header = e.header.Clone()
	for name, values := range a.header {
		if name != "Content-Length" && name != "Content-Encoding" && name != "Etag" {
			renewed.header[name] = values
		}
	}
	renewed.stored, renewed.age = time.Now(), 0
	return d.restore(&renewed)
}

// restore sets how long e stays fresh by its own headers, under the policy that it
// was stored with.
func (d *Distribution) restore(e *entry) *entry {
	ttl, store := freshFor(e.policy, d.errorTTL(e.status), e.status, e.header, e.stored)
	if e.ttl = ttl; store {
		d.cache.put(e)
	} else {
		d.cache.drop(e)
	}
	return e
}

// keep arranges that an origin's answer is stored once its body has passed whole.
// Parts of objects and answers to HEAD are not.
func (d *Distribution) keep(x *exchange, key string, a *answer) {
	now := time.Now()
	ttl, ok := freshFor(x.b.CachePolicy, d.errorTTL(a.status), a.status, a.header, now)
	if !ok || x.r.Method == http.MethodHead {
		return
	}
	e := &entry{key: key, path: x.request.path, policy: x.b.CachePolicy, own: a.own, status: a.status, header: a.header.Clone(), stored: now, ttl: ttl}
	if q := selectQuery(x.request.query, x.b.CachePolicy.Queries); q != "" {
		e.path += "?" + q
	}
	if age, err := strconv.Atoi(a.header.Get("Age")); err == nil && age > 0 {
		e.age = time.Duration(age) * time.Second
	}
	store := func(body []byte) {
		e.body = body
		d.cache.put(e)
	}
	switch s := a.source.(type) {
	case memorySource:
		store(s)
	case *streamSource:
		s.kept = &keeper{length: contentLength(a.header), limit: maxStored, store: store}
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

// fromCache is the answer that a stored response gives to this request: whole, a
// range of it, or 304.
func (d *Distribution) fromCache(x *exchange, e *entry, xCache string) *answer {
	a := &answer{status: e.status, header: e.header.Clone(), own: e.own, xCache: xCache, age: e.age + time.Since(e.stored), source: memorySource(e.body)}
	if e.status >= 400 {
		a.xCache = "Error from cloudfront"
	}
	if e.status != http.StatusOK {
		return a
	}
	r := &http.Request{Method: x.r.Method, Header: x.request.headers, URL: x.r.URL}
	modified, _ := http.ParseTime(e.header.Get("Last-Modified"))
	out := &capture{header: a.header}
	out.header.Del("Content-Length")
	http.ServeContent(out, r, "", modified, bytes.NewReader(e.body))
	if out.status == http.StatusOK {
		out.header.Set("Content-Length", strconv.Itoa(len(e.body)))
	}
	a.status, a.source = out.status, memorySource(out.body.Bytes())
	return a
}

// capture is a response writer in memory.
type capture struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (c *capture) Header() http.Header         { return c.header }
func (c *capture) WriteHeader(status int)      { c.status = status }
func (c *capture) Write(p []byte) (int, error) { return c.body.Write(p) }
