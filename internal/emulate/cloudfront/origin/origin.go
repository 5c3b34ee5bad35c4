// Package origin asks a server or bucket behind a distribution.
//
// It models: connection attempts; the origin response timeout, which runs from the
// moment the request is out, and again from each packet; no repetition of requests
// that may have been received, other than GET and HEAD; idle connections.
//
// It refuses timeouts and attempts out of CloudFront's range.
//
// It leaves out origin groups, Origin Shield and TLS towards origins, and cannot
// know a real origin's distance. What a request to an origin carries is its
// caller's to say.
//
// Source: CloudFront developer guide, "Distribution settings reference" (origin
// settings), "Request and response behavior for custom origins".
package origin

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/aproorg/sluice/internal/emulate/spelling"
	"github.com/aproorg/sluice/internal/stack"
)

// Origin is a server or bucket behind the distribution. It is safe for concurrent
// use.
type Origin struct {
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

// New makes an origin whose domain the base URL stands for. A path in it is put
// before everything, OriginPath included. transport may be nil: then the origin has
// its own.
func New(o stack.Origin, base string, transport http.RoundTripper) (*Origin, error) {
	u, err := url.Parse(base)
	if err != nil || u.Host == "" {
		return nil, fmt.Errorf("base URL %q: want http://HOST[/PATH]", base)
	}
	u.Path = strings.TrimSuffix(u.Path, "/")
	out := &Origin{Origin: o, base: u, transport: transport}
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
		out.transport = spelling.Transport(out.owned)
	}
	return out, nil
}

func (o *Origin) defaults() error {
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

// Close closes idle connections.
func (o *Origin) Close() {
	if o.owned != nil {
		o.owned.CloseIdleConnections()
	}
}

// ConnectError is a connection that was never made: nothing has been sent.
type ConnectError struct{ Err error }

func (e ConnectError) Error() string { return e.Err.Error() }
func (e ConnectError) Unwrap() error { return e.Err }

func (o *Origin) dial(ctx context.Context, network, address string) (net.Conn, error) {
	c, err := (&net.Dialer{Timeout: o.ConnectionTimeout}).DialContext(ctx, network, address)
	if err != nil {
		return nil, ConnectError{err}
	}
	return c, nil
}

// Host is the host of the base URL.
func (o *Origin) Host() string { return o.base.Host }

// URL is where a path of the distribution is at the origin. It stays escaped as the
// viewer escaped it.
func (o *Origin) URL(path string) *url.URL {
	escaped := o.base.EscapedPath() + o.OriginPath + path
	u := &url.URL{Scheme: o.base.Scheme, Host: o.base.Host, Path: escaped, RawPath: escaped}
	if p, err := url.PathUnescape(escaped); err == nil {
		u.Path = p
	}
	return u
}
