package relay

import (
	"encoding/hex"
	"net/http"
	"slices"
	"strings"

	"github.com/aproorg/sluice/internal/bootstrap/proxyevent"
)

// forEvents reports whether the app would take a request from the web for an event that the bootstrap posts: it has the path
// of events, in a spelling that some web server takes for it, and could carry an event. An app may have a page or a stream of
// the same path, so that GET, HEAD and OPTIONS without a body pass.
func (inv *invocation) forEvents() bool {
	return inv.closed != "" && carries(inv.req) && plain(inv.req.Path) == inv.closed
}

// forBootstrap reports whether a request from the web has a path that only the bootstrap asks, in a spelling that some web server takes for it.
func (inv *invocation) forBootstrap() bool {
	return len(inv.own) > 0 && slices.Contains(inv.own, plain(inv.req.Path))
}

// overrides are headers by which web servers take a request for one of another method.
var overrides = []string{"X-Http-Method-Override", "X-Http-Method", "X-Method-Override"}

// carries reports whether a request may bring an event.
func carries(r *proxyevent.Request) bool {
	for _, name := range overrides {
		if len(r.Header[name]) > 0 {
			return true
		}
	}
	switch r.Method {
	case http.MethodGet, http.MethodHead, http.MethodOptions:
		return len(r.Body) > 0
	}
	return true
}

// plain is the one spelling of a path whose other spellings lead to the same handler in some web server: percent-encoded any
// number of times, with dot segments, repeated, final or backward slashes, parameters behind a semicolon, an end that a C
// string would have, or letters of another case.
func plain(path string) string {
	path, _, _ = strings.Cut(unescaped(path), "\x00")
	path, _, _ = strings.Cut(path, "?")
	path, _, _ = strings.Cut(path, "#")
	var out []string
	for segment := range strings.SplitSeq(strings.ReplaceAll(path, `\`, "/"), "/") {
		segment, _, _ = strings.Cut(segment, ";")
		switch segment = strings.TrimSpace(segment); segment {
		case "", ".":
		case "..":
			out = out[:max(0, len(out)-1)]
		default:
			out = append(out, strings.ToLower(strings.ToUpper(segment))) // ſ and K are upper s and k first
		}
	}
	return "/" + strings.Join(out, "/")
}

// unescaped decodes each escape that is one, those that come of others too, and leaves other percent signs. It goes over the path once:
// its length is the sender's to choose.
func unescaped(s string) string {
	out := make([]byte, 0, len(s))
	for i := range len(s) {
		out = append(out, s[i])
		for n := len(out); n >= 3 && out[n-3] == '%'; n = len(out) {
			b, err := hex.DecodeString(string(out[n-2:]))
			if err != nil {
				break
			}
			out = append(out[:n-3], b...)
		}
	}
	return string(out)
}
