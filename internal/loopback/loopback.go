// Package loopback decides who may talk to a server that a rehearsal opens on this
// machine. A page of another site must not: not across origins, and not under a
// name of its own that resolves to this machine (DNS rebinding). Nor must a page at
// all where only programs are clients.
//
// It leaves out who a client is. Servers that stand for AWS ask for signatures
// (package emulate/sigv4), and databases for passwords.
package loopback

import (
	"net"
	"net/http"
	"net/netip"
	"strings"
)

// Page guards a server that a person opens in a browser: it is reached by an IP
// address or as localhost, and what changes something comes from its own pages.
func Page(next http.Handler) http.Handler {
	return Named(http.NewCrossOriginProtection().Handler(next), nil)
}

// Program guards a server whose clients are programs: besides what Page asks, no
// browser is answered. Every browser sends Sec-Fetch-Site to loopback addresses; old
// ones send Origin with all that can do harm.
func Program(next http.Handler) http.Handler {
	return Named(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if FromBrowser(r) {
			http.Error(w, "this server answers programs, and no pages in a browser", http.StatusForbidden)
			return
		}
		next.ServeHTTP(w, r)
	}), nil)
}

// FromBrowser reports whether a page, or a person at a browser's address bar, has
// made the request. Sec-Fetch-Mode says nothing: Node's fetch sends it.
func FromBrowser(r *http.Request) bool {
	return r.Header["Origin"] != nil || r.Header["Sec-Fetch-Site"] != nil
}

// Named guards a server that may have names besides those of this machine. Of a name
// that begins with "*." all that ends with the rest is one.
func Named(next http.Handler, names []string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !Local(r.Host) && !listed(r.Host, names) {
			w.Header().Set("Cache-Control", "no-store")
			http.Error(w, "this server is reached by an IP address or as localhost, not as "+quoted(r.Host), http.StatusForbidden)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// quoted keeps a Host of any length from filling an answer.
func quoted(host string) string {
	if host == "" {
		return "a host without a name"
	}
	return host[:min(len(host), 100)]
}

// Local reports whether a Host header holds an IP address or localhost, to which no
// owner of a domain can make a browser send it.
func Local(host string) bool {
	name := bare(host)
	if name == "localhost" || strings.HasSuffix(name, ".localhost") { // RFC 6761, 6.3: always this machine
		return true
	}
	address, err := netip.ParseAddr(strings.TrimSuffix(strings.TrimPrefix(name, "["), "]"))
	return err == nil && address.Zone() == ""
}

func listed(host string, names []string) bool {
	host = bare(host)
	for _, name := range names {
		name = bare(name)
		if rest, wild := strings.CutPrefix(name, "*."); wild && strings.HasSuffix(host, "."+rest) || host == name && host != "" {
			return true
		}
	}
	return false
}

// bare is a Host header's name without port and final dot, in small letters.
func bare(host string) string {
	if name, port, err := net.SplitHostPort(host); err == nil && number(port) {
		host = name
	}
	return strings.ToLower(strings.TrimSuffix(host, "."))
}

func number(port string) bool {
	return strings.Trim(port, "0123456789") == ""
}
