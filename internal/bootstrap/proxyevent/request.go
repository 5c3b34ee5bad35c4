package proxyevent

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
)

// ErrBadRequest marks an event that holds no request for an HTTP/1.1 server.
var ErrBadRequest = errors.New("bad request")

// Reader turns events into requests. The zero value is useful.
type Reader struct {
	// BasePath, such as /prod, is taken off the path once, at a segment boundary.
	BasePath string
	// PublicHost replaces the request's Host in X-Forwarded-Host.
	PublicHost string
	// ForwardedHops counts the proxies before the gateway that added their peer to X-Forwarded-For (CloudFront is one).
	ForwardedHops int
}

// Request is what the app is to be asked. Its header map is its own.
type Request struct {
	Kind   Kind
	Method string
	// Path is percent-encoded and begins with a slash.
	Path     string
	RawQuery string
	Host     string
	Header   http.Header
	Body     []byte
	// Stream, if set, is the body in Body's place, and Length its bytes. It is read once.
	Stream io.Reader
	Length int64
	// OriginVerify are the values of X-Origin-Verify, which Header does not hold, in no order. There is one, from a distribution.
	OriginVerify []string
	// GatewayID is the gateway's own request id.
	GatewayID string
}

// Read decodes an event. A payload that is no HTTP event gives a Request of kind Other with nothing else set. An error that is
// ErrBadRequest comes with the Request's Kind, so that it can be answered.
func (rd Reader) Read(payload []byte) (*Request, error) {
	e, body, err := decode(payload)
	if err != nil {
		return nil, err
	}
	r := &Request{Kind: e.kind(), Method: e.HTTPMethod, Path: e.Path, GatewayID: e.Context.RequestID, Body: body}
	if r.Kind == Other {
		return &Request{}, nil
	}
	source := e.Context.Identity.SourceIP
	if r.Kind == HTTPv2 || r.Kind == FunctionURL {
		r.Method, r.Path, source = e.Context.HTTP.Method, e.RawPath, e.Context.HTTP.SourceIP
	}
	r.Path = sendable(StripBase(legalPath(r.Path), rd.BasePath))
	r.RawQuery = legalQuery(e.query(r.Kind))
	if err := r.setHeader(e); err != nil {
		return r, err
	}
	r.OriginVerify = e.verifications()
	if err := rd.forward(r, source, e.Context.DomainName); err != nil {
		return r, err
	}
	if !isFieldValue(r.GatewayID) {
		return r, fmt.Errorf("%w: id %q", ErrBadRequest, r.GatewayID)
	}
	if e.IsBase64Encoded {
		if r.Body, err = decodeBase64(body); err != nil {
			return r, fmt.Errorf("%w: body: %w", ErrBadRequest, err)
		}
	}
	if !isToken(r.Method) {
		return r, fmt.Errorf("%w: method %q", ErrBadRequest, r.Method)
	}
	return r, nil
}

func decodeBase64(body []byte) ([]byte, error) {
	out := make([]byte, base64.StdEncoding.DecodedLen(len(body)))
	n, err := base64.StdEncoding.Decode(out, body)
	return out[:n], err
}

// HTTP makes the request to the app at address (host:port). The body cannot be sent a second time.
func (r *Request) HTTP(ctx context.Context, address string) *http.Request {
	u := &url.URL{Scheme: "http", Host: address, Opaque: r.Path, RawQuery: r.RawQuery}
	if strings.HasPrefix(r.Path, "//") { // as Opaque it would read as a host
		u.Opaque, u.RawPath = "", r.Path
		u.Path, _ = url.PathUnescape(r.Path)
	}
	req := (&http.Request{Method: r.Method, URL: u, Host: r.Host, Header: r.Header, Body: http.NoBody,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1}).WithContext(ctx)
	if len(r.Body) > 0 {
		req.Body = readCloser{bytes.NewReader(r.Body)}
		req.ContentLength = int64(len(r.Body))
	}
	if r.Stream != nil {
		req.Body, req.ContentLength = io.NopCloser(r.Stream), r.Length
	}
	return req
}

type readCloser struct{ *bytes.Reader }

func (readCloser) Close() error { return nil }

func (e *event) query(k Kind) string {
	switch k {
	case HTTPv2, FunctionURL:
		return e.RawQuery
	case ALB, ALBMulti:
		return firstOf(e.MultiQuery, e.Query).join(func(s string) string { return s }) // load balancers do not decode
	}
	return firstOf(e.MultiQuery, e.Query).join(queryEscape)
}

func firstOf(a, b pairs) pairs {
	if len(a) > 0 {
		return a
	}
	return b
}

func (p pairs) join(escape func(string) string) string {
	var b strings.Builder
	for i, kv := range p {
		if i > 0 {
			b.WriteByte('&')
		}
		b.WriteString(escape(kv.name))
		b.WriteByte('=')
		b.WriteString(escape(kv.value))
	}
	return b.String()
}
