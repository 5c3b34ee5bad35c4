package cloudfront

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/aproorg/sluice/internal/stack"
	"github.com/aproorg/sluice/internal/timeline"
)

// origin is a server or bucket behind the distribution.
type origin struct {
	stack.Origin
	base      *url.URL
	transport http.RoundTripper
	owned     *http.Transport
}

// Defaults and bounds of an origin's settings (developer guide, "Distribution
// settings reference").
const (
	defaultReadTimeout       = 30 * time.Second
	defaultKeepalive         = 5 * time.Second
	defaultConnectionTimeout = 10 * time.Second
	defaultAttempts          = 3
)

func newOrigin(o stack.Origin, cfg Config) (*origin, error) {
	base, ok := cfg.Origins[o.OriginID]
	if !ok {
		return nil, errors.New("no base URL was given for it")
	}
	u, err := url.Parse(base)
	if err != nil || u.Host == "" {
		return nil, fmt.Errorf("base URL %q: want http://HOST[/PATH]", base)
	}
	u.Path = strings.TrimSuffix(u.Path, "/")
	out := &origin{Origin: o, base: u, transport: cfg.Transport}
	if err := out.defaults(); err != nil {
		return nil, err
	}
	if out.transport == nil {
		out.owned = &http.Transport{
			DialContext:         out.dial,
			IdleConnTimeout:     out.KeepaliveTimeout,
			MaxIdleConnsPerHost: 256,
			DisableCompression:  true,
		}
		out.transport = out.owned
	}
	return out, nil
}

func (o *origin) defaults() error {
	for _, v := range []struct {
		name             string
		value            *time.Duration
		fallback, lo, hi time.Duration
	}{
		{"origin_read_timeout", &o.ReadTimeout, defaultReadTimeout, time.Second, 120 * time.Second},
		{"origin_keepalive_timeout", &o.KeepaliveTimeout, defaultKeepalive, time.Second, 120 * time.Second},
		{"connection_timeout", &o.ConnectionTimeout, defaultConnectionTimeout, time.Second, 10 * time.Second},
	} {
		if *v.value == 0 {
			*v.value = v.fallback
		}
		if *v.value < v.lo || *v.value > v.hi {
			return fmt.Errorf("%s %s: want %s to %s", v.name, *v.value, v.lo, v.hi)
		}
	}
	if o.ConnectionAttempts == 0 {
		o.ConnectionAttempts = defaultAttempts
	}
	if o.ConnectionAttempts < 1 || o.ConnectionAttempts > 3 {
		return fmt.Errorf("connection_attempts %d: want 1 to 3", o.ConnectionAttempts)
	}
	return nil
}

func (o *origin) close() {
	if o.owned != nil {
		o.owned.CloseIdleConnections()
	}
}

// connectError is a connection that was never made: nothing has been sent.
type connectError struct{ error }

func (e connectError) Unwrap() error { return e.error }

func (o *origin) dial(ctx context.Context, network, address string) (net.Conn, error) {
	c, err := (&net.Dialer{Timeout: o.ConnectionTimeout}).DialContext(ctx, network, address)
	if err != nil {
		return nil, connectError{err}
	}
	return c, nil
}

var (
	errOriginTimeout = errors.New("origin response timeout")
	errOriginHeaders = errors.New("headers of the response are too large")
)

// fetch asks the origin. condition, for a revalidation, replaces the viewer's own
// conditions. A connection that fails is tried again, up to the origin's number of
// attempts; a request that may have been received only if it is GET or HEAD.
func (d *Distribution) fetch(x *exchange, condition http.Header) (*answer, error) {
	for attempt := 1; ; attempt++ {
		a, err := d.attempt(x, condition)
		if err == nil {
			return a, nil
		}
		var unconnected connectError
		again := errors.As(err, &unconnected) || !writes(x.r.Method) && x.r.Method != http.MethodOptions && !errors.Is(err, errOriginHeaders)
		if !again || attempt >= x.b.origin.ConnectionAttempts || x.r.Context().Err() != nil {
			return nil, fmt.Errorf("origin %s: %w", x.b.origin.OriginID, err)
		}
		d.log.Info("cloudfront tries its origin again", "request", x.id, "attempt", attempt+1, "error", err)
	}
}

// attempt sends the request once. The origin response timeout runs from the moment
// the request is out, and again from each packet.
func (d *Distribution) attempt(x *exchange, condition http.Header) (*answer, error) {
	o := x.b.origin
	ctx, cancel := context.WithCancelCause(x.r.Context())
	watch := time.AfterFunc(o.ReadTimeout, func() { cancel(errOriginTimeout) })
	alive := func() { watch.Reset(o.ReadTimeout) }
	end := func() {
		watch.Stop()
		cancel(nil)
	}
	r := d.originRequest(ctx, x, condition, alive)
	res, err := o.transport.RoundTrip(r)
	if err != nil {
		err = d.causeOf(ctx, x, err)
		end()
		return nil, err
	}
	if headerSize(res.Header) > maxRequest {
		res.Body.Close()
		end()
		x.record(timeline.Event{Kind: timeline.Limit, Note: "headers of the origin's response over 20,480 bytes"})
		return nil, errOriginHeaders
	}
	alive()
	a := &answer{status: res.StatusCode, header: res.Header, age: -1, xCache: "Miss from cloudfront"}
	if res.ContentLength >= 0 && a.header.Get("Content-Length") == "" && !bodyless(r.Method, res.StatusCode) {
		a.header.Set("Content-Length", fmt.Sprint(res.ContentLength))
	}
	x.b.cleanResponse(a.header)
	a.source = &streamSource{alive: alive, body: &watchedBody{ReadCloser: res.Body, end: end,
		explain: func(err error) error { return d.causeOf(ctx, x, err) }}}
	if a.status >= 400 {
		a.xCache = "Error from cloudfront"
	}
	return a, nil
}

// causeOf says why an exchange with an origin broke.
func (d *Distribution) causeOf(ctx context.Context, x *exchange, err error) error {
	if errors.Is(context.Cause(ctx), errOriginTimeout) {
		x.record(timeline.Event{Kind: timeline.Limit, Note: fmt.Sprintf("no packet from the origin for %s", x.b.origin.ReadTimeout)})
		return errOriginTimeout
	}
	if x.r.Context().Err() != nil {
		return fmt.Errorf("viewer went away: %w", err)
	}
	return err
}

// watchedBody ends the watch over an origin's response with its body.
type watchedBody struct {
	io.ReadCloser
	end     func()
	explain func(error) error
	once    sync.Once
}

func (b *watchedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err != nil && err != io.EOF {
		err = b.explain(err)
	}
	return n, err
}

func (b *watchedBody) Close() error {
	b.once.Do(b.end)
	return b.ReadCloser.Close()
}

// originRequest is what the origin gets to see.
func (d *Distribution) originRequest(ctx context.Context, x *exchange, condition http.Header, alive func()) *http.Request {
	b, o := x.b, x.b.origin
	escaped := o.base.EscapedPath() + o.OriginPath + x.request.path
	u := url.URL{Scheme: o.base.Scheme, Host: o.base.Host, Path: unescaped(escaped), RawPath: escaped, // as the viewer escaped it
		RawQuery: selectQuery(x.request.query, b.CachePolicy.Queries, b.OriginRequestPolicy.Queries)}
	r := (&http.Request{Method: x.r.Method, URL: &u, Host: d.originHost(x), Header: d.originHeaders(x, condition),
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1}).WithContext(ctx)
	if x.r.ContentLength != 0 {
		r.ContentLength = x.r.ContentLength
		r.Body = uploadBody{x.r.Body, alive}
	}
	return r
}

func (d *Distribution) originHost(x *exchange) string {
	key, forward := x.b.CachePolicy.Headers, x.b.OriginRequestPolicy.Headers
	switch o := x.b.origin; {
	case !o.Bucket && (selects(key, "host", true) || selects(forward, "host", true)):
		return x.request.host
	case o.DomainName != "":
		return o.DomainName
	default:
		return o.base.Host
	}
}

// uploadBody passes a viewer's body on. The origin owes no answer while it still
// receives, and a failed attempt does not close what the next one may need.
type uploadBody struct {
	io.Reader
	alive func()
}

func (b uploadBody) Read(p []byte) (int, error) {
	n, err := b.Reader.Read(p)
	b.alive()
	return n, err
}

func (uploadBody) Close() error { return nil }
