// Package spelling knows what a head held before net/http read it. net/http gives
// every field its canonical name, which the functions behind CloudFront and API Gateway
// do not see, and adds Cache-Control: no-cache to what has Pragma: no-cache alone.
//
// It reads along on connections of HTTP/1.1 and leaves the reading to net/http. Where
// the two disagree about where a message ends, it says nothing more of that connection.
package spelling

import (
	"context"
	"net"
	"net/http"
	"net/http/httptrace"
	"slices"
	"strings"
)

// Names are the fields of a head: canonical names to the first spelling of each. Nil is
// a head of which nothing is known.
type Names map[string]string

// Spell gives the fields of h the names that they came with. Those in keep, which the
// service writes itself, stay as they are.
func (n Names) Spell(h map[string][]string, keep ...string) {
	for canonical, spelled := range n {
		values, ok := h[canonical]
		if !ok || spelled == canonical || slices.ContainsFunc(keep, func(name string) bool { return strings.EqualFold(name, canonical) }) {
			continue
		}
		delete(h, canonical)
		h[spelled] = values
	}
}

// clean takes out of h what net/http put there.
func (n Names) clean(h http.Header) {
	if n == nil || len(h["Pragma"]) == 0 || len(h["Cache-Control"]) == 0 {
		return
	}
	if _, came := n["Cache-Control"]; !came {
		delete(h, "Cache-Control")
	}
}

type (
	namesKey struct{}
	connKey  struct{}
)

// Of returns the names of a request's fields, from the context of one that a server of
// Listen has received.
func Of(ctx context.Context) Names {
	names, _ := ctx.Value(namesKey{}).(Names)
	return names
}

// Listen makes a server that has not started keep the names of its requests' fields: it
// wraps the server's handler, and returns the listener to serve.
func Listen(server *http.Server, listener net.Listener) net.Listener {
	next, connContext := server.Handler, server.ConnContext
	server.ConnContext = func(ctx context.Context, conn net.Conn) context.Context {
		if connContext != nil {
			ctx = connContext(ctx, conn)
		}
		return context.WithValue(ctx, connKey{}, conn)
	}
	server.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if conn, ok := r.Context().Value(connKey{}).(*requestConn); ok {
			names := conn.take(r.Method + " " + r.RequestURI)
			names.clean(r.Header)
			r = r.WithContext(context.WithValue(r.Context(), namesKey{}, names))
		}
		next.ServeHTTP(w, r)
	})
	return requestListener{listener}
}

type requestListener struct{ net.Listener }

func (l requestListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &requestConn{Conn: conn}, nil
}

// Transport makes a transport leave its responses' fields as they came.
func Transport(t *http.Transport) http.RoundTripper {
	dial := t.DialContext
	if dial == nil {
		dial = new(net.Dialer).DialContext
	}
	t.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := dial(ctx, network, address)
		if err != nil {
			return nil, err
		}
		return &responseConn{Conn: conn}, nil
	}
	return cleaning{t}
}

// cleaning is a transport whose responses are cleaned.
type cleaning struct{ *http.Transport }

func (c cleaning) RoundTrip(r *http.Request) (*http.Response, error) {
	var last *responseConn
	trace := &httptrace.ClientTrace{GotConn: func(got httptrace.GotConnInfo) {
		if last, _ = got.Conn.(*responseConn); last != nil {
			last.begin()
		}
	}}
	res, err := c.Transport.RoundTrip(r.WithContext(httptrace.WithClientTrace(r.Context(), trace)))
	if err == nil && last != nil {
		last.names().clean(res.Header)
	}
	return res, err
}
