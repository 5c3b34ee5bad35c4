package proxyevent

import (
	"fmt"
	"net/http"
	"strings"

	"github.com/aproorg/sluice/internal/bootstrap/settings"
)

// setHeader fills r.Header, Host and OriginVerify from the event.
func (r *Request) setHeader(e *event) error {
	r.Header = make(http.Header, len(e.Headers)+8)
	for name, value := range e.Headers {
		r.Header[http.CanonicalHeaderKey(name)] = []string{value}
	}
	for name, values := range e.MultiValueHeaders {
		if len(values) > 0 {
			r.Header[http.CanonicalHeaderKey(name)] = values
		}
	}
	if len(e.Cookies) > 0 {
		r.Header["Cookie"] = []string{strings.Join(e.Cookies, "; ")}
	}
	for name, values := range r.Header {
		if !isToken(name) {
			return fmt.Errorf("%w: header name %q", ErrBadRequest, name)
		}
		for _, value := range values {
			if !isFieldValue(value) {
				return fmt.Errorf("%w: value of header %s", ErrBadRequest, name)
			}
		}
	}
	r.Host = r.Header.Get("Host")
	r.OriginVerify = r.Header.Get(settings.OriginVerifyHeader)
	for _, name := range []string{"Host", settings.OriginVerifyHeader, "Content-Length", "Expect", "Forwarded"} {
		delete(r.Header, name)
	}
	removeHopByHop(r.Header)
	if len(r.Header["User-Agent"]) == 0 {
		r.Header["User-Agent"] = nil // else net/http would send its own
	}
	return nil
}

// forward replaces what a client could have written about itself by what the gateway knows.
func (rd Reader) forward(r *Request, source, domain string) {
	if r.Host == "" {
		r.Host = domain
	}
	host := rd.PublicHost
	if host == "" {
		host = r.Host
	}
	set(r.Header, "X-Forwarded-Host", host)
	set(r.Header, "X-Forwarded-For", clientAddress(r.Header["X-Forwarded-For"], rd.ForwardedHops, source))
	if proto := lastItem(r.Header["X-Forwarded-Proto"]); proto == "http" || proto == "https" {
		set(r.Header, "X-Forwarded-Proto", proto)
	} else {
		set(r.Header, "X-Forwarded-Proto", "https")
	}
}

func set(h http.Header, name, value string) {
	if value == "" {
		delete(h, name)
		return
	}
	h[name] = []string{value}
}

// clientAddress is the address that the outermost trusted proxy saw: each proxy adds its peer at the right.
func clientAddress(values []string, hops int, source string) string {
	list := items(values)
	if len(list) == 0 {
		return source
	}
	return list[max(0, len(list)-1-hops)]
}

func lastItem(values []string) string {
	list := items(values)
	if len(list) == 0 {
		return ""
	}
	return list[len(list)-1]
}

func items(values []string) []string {
	var out []string
	for _, value := range values {
		for item := range strings.SplitSeq(value, ",") {
			if item = strings.TrimSpace(item); item != "" {
				out = append(out, item)
			}
		}
	}
	return out
}

var hopByHop = []string{"Connection", "Proxy-Connection", "Keep-Alive", "Proxy-Authenticate", "Proxy-Authorization",
	"Te", "Trailer", "Transfer-Encoding", "Upgrade"}

// removeHopByHop deletes the fields that are for one connection only (RFC 9110, section 7.6.1).
func removeHopByHop(h http.Header) {
	for _, name := range items(h["Connection"]) {
		delete(h, http.CanonicalHeaderKey(name))
	}
	for _, name := range hopByHop {
		delete(h, name)
	}
}

func isToken(s string) bool {
	for i := range len(s) {
		c := s[i]
		letter := 'a' <= c|0x20 && c|0x20 <= 'z' || '0' <= c && c <= '9'
		if !letter && strings.IndexByte("!#$%&'*+-.^_`|~", c) < 0 {
			return false
		}
	}
	return s != ""
}

func isFieldValue(s string) bool {
	for i := range len(s) {
		if c := s[i]; c < ' ' && c != '\t' || c == 0x7f {
			return false
		}
	}
	return true
}
