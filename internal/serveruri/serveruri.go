// Package serveruri reads the URIs by which apps name their servers: redis://HOST:PORT,
// mongodb://USER:PASSWORD@HOST:PORT,HOST:PORT/DATABASE?tls=true. Unlike net/url it takes
// several hosts, and no error shows any part of a URI, because it can hold a password.
//
// It leaves out connecting to them, and hosts that stand in DNS records (mongodb+srv://).
package serveruri

import (
	"errors"
	"net"
	"net/url"
	"regexp"
	"strconv"
	"strings"
)

// URI is what a URI says of its servers.
type URI struct {
	Scheme string
	User   *url.Userinfo // nil where there is none
	Hosts  []string      // HOST:PORT, with the scheme's default port; at least one
	Path   string        // without the first slash
	Query  url.Values    // as far as it can be read
}

// Errors of Parse.
var (
	ErrNoURI  = errors.New("it is not a URI of the form SCHEME://HOST:PORT")
	ErrNoHost = errors.New("it names no host and port")
	errUser   = errors.New("its user name or password is not percent-encoded")
)

var schemePattern = regexp.MustCompile(`^[a-z][a-z0-9+.-]*$`)

var defaultPorts = map[string]string{
	"mongodb": "27017", "redis": "6379", "rediss": "6379", "http": "80", "https": "443", "postgres": "5432", "postgresql": "5432", "mysql": "3306",
}

// Parse reads a URI.
func Parse(text string) (URI, error) {
	scheme, rest, ok := strings.Cut(text, "://")
	if !ok || !schemePattern.MatchString(scheme) {
		return URI{}, ErrNoURI
	}
	u := URI{Scheme: scheme}
	rest, _, _ = strings.Cut(rest, "#")
	rest, query, _ := strings.Cut(rest, "?")
	u.Query, _ = url.ParseQuery(query)
	authority, path, _ := strings.Cut(rest, "/")
	at := strings.LastIndex(authority, "@")
	if at < 0 && strings.Contains(path, "@") && scheme != "http" && scheme != "https" {
		return URI{}, errUser // a slash in a password: what stands before it is no host
	}
	var err error
	if u.User, err = userinfo(authority[:max(at, 0)]); err != nil {
		return URI{}, err
	}
	if u.Path, err = url.PathUnescape(path); err != nil {
		u.Path = path
	}
	for host := range strings.SplitSeq(authority[at+1:], ",") {
		if host, ok = withPort(host, defaultPorts[scheme]); !ok {
			return URI{}, ErrNoHost
		}
		u.Hosts = append(u.Hosts, host)
	}
	return u, nil
}

// TLS reports whether the servers expect it.
func (u URI) TLS() bool {
	return u.Scheme == "rediss" || u.Scheme == "https" || u.Query.Get("tls") == "true" || u.Query.Get("ssl") == "true"
}

func userinfo(text string) (*url.Userinfo, error) {
	if text == "" {
		return nil, nil
	}
	name, password, hasPassword := strings.Cut(text, ":")
	name, nameErr := url.PathUnescape(name)
	password, passwordErr := url.PathUnescape(password)
	switch {
	case nameErr != nil || passwordErr != nil:
		return nil, errUser
	case hasPassword:
		return url.UserPassword(name, password), nil
	}
	return url.User(name), nil
}

// withPort adds the default port to a host that has none.
func withPort(host, port string) (string, bool) {
	if name, given, err := net.SplitHostPort(host); err == nil {
		_, err := strconv.ParseUint(given, 10, 16)
		return host, err == nil && isHost(name)
	}
	host = strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
	return net.JoinHostPort(host, port), port != "" && isHost(host)
}

func isHost(name string) bool { return name != "" && !strings.ContainsAny(name, "[]%@ \t\r\n\x00\"\\") }
