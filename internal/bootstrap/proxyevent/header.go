package proxyevent

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/aproorg/sluice/internal/bootstrap/settings"
)

// header gives the event's fields under their canonical names. What is spelled in several ways ("X-A", "x-a") is one field, with
// the values of all spellings in the order of the spellings. A field with several values takes the place of its single one.
//
// Of X-Forwarded- fields in several spellings one may be the client's and one the gateway's, and nothing says which: none is passed on.
func (e *event) header() http.Header {
	h := make(http.Header, max(len(e.Headers), len(e.MultiValueHeaders))+8)
	multi := make(http.Header, len(e.MultiValueHeaders))
	merge(multi, e.MultiValueHeaders, func(values []string) []string { return values })
	merge(h, e.Headers, func(value string) []string { return []string{value} })
	for name, values := range multi {
		h[name] = values
	}
	return h
}

func merge[V any](into http.Header, from map[string]V, values func(V) []string) {
	spellings := make(map[string]int, len(from))
	for _, name := range slices.Sorted(maps.Keys(from)) {
		list := values(from[name])
		if len(list) == 0 {
			continue
		}
		key := http.CanonicalHeaderKey(name)
		into[key] = append(into[key], list...)
		spellings[key]++
	}
	for key, n := range spellings {
		if n > 1 && strings.HasPrefix(key, "X-Forwarded-") {
			delete(into, key)
		}
	}
}

// verifications are all values that the event has for the origin's secret, in whatever spelling and place.
func (e *event) verifications() []string {
	var out []string
	for name, value := range e.Headers {
		if strings.EqualFold(name, settings.OriginVerifyHeader) {
			out = append(out, value)
		}
	}
	for name, values := range e.MultiValueHeaders {
		if strings.EqualFold(name, settings.OriginVerifyHeader) {
			out = append(out, values...)
		}
	}
	return out
}

// setHeader fills r.Header, Host and OriginVerify from the event.
func (r *Request) setHeader(e *event) error {
	r.Header = e.header()
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
	hosts := slices.Compact(r.Header["Host"])
	if len(hosts) > 1 {
		return fmt.Errorf("%w: several hosts", ErrBadRequest)
	}
	r.Host = r.Header.Get("Host")
	for _, name := range []string{"Host", settings.OriginVerifyHeader, "Content-Length", "Expect", "Forwarded"} {
		delete(r.Header, name)
	}
	if e.Context.Identity.APIKey != "" {
		delete(r.Header, "X-Api-Key") // the gateway's, which the distribution sent: no client's, and not the app's to know
	}
	removeHopByHop(r.Header)
	if len(r.Header["User-Agent"]) == 0 {
		r.Header["User-Agent"] = nil // else net/http would send its own
	}
	return nil
}

// forward replaces what a client could have written about itself by what the gateway knows.
func (rd Reader) forward(r *Request, source, domain string) error {
	if r.Host == "" {
		r.Host = domain
	}
	switch {
	case r.Host != "" && !isHost(r.Host):
		return fmt.Errorf("%w: host %q", ErrBadRequest, r.Host)
	case source != "" && !isAddress(source):
		return fmt.Errorf("%w: source address %q", ErrBadRequest, source)
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
	return nil
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

// isHost takes names and addresses with or without a port. Go's client would send an empty Host for what it cannot send, and
// a comma would make two values of X-Forwarded-Host.
func isHost(s string) bool {
	for i := range len(s) {
		if c := s[i]; !isAlphanumeric(c) && strings.IndexByte("-._~:[]!$&'*+;=", c) < 0 {
			return false
		}
	}
	return s != ""
}

// isAddress is loose: the value must only be one item of X-Forwarded-For.
func isAddress(s string) bool { return isFieldValue(s) && !strings.ContainsAny(s, ", \t") }

func isToken(s string) bool {
	for i := range len(s) {
		c := s[i]
		if !isAlphanumeric(c) && strings.IndexByte("!#$%&'*+-.^_`|~", c) < 0 {
			return false
		}
	}
	return s != ""
}

func isAlphanumeric(c byte) bool { return 'a' <= c|0x20 && c|0x20 <= 'z' || '0' <= c && c <= '9' }

func isFieldValue(s string) bool {
	for i := range len(s) {
		if c := s[i]; c < ' ' && c != '\t' || c == 0x7f {
			return false
		}
	}
	return true
}
