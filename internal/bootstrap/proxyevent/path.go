package proxyevent

import "strings"

// StripBase takes base off path where path is base or continues it with a slash, once. The result begins with a slash.
func StripBase(path, base string) string {
	if base == "" || !strings.HasPrefix(path, base) {
		return path
	}
	switch rest := path[len(base):]; {
	case rest == "":
		return "/"
	case rest[0] == '/':
		return rest
	}
	return path
}

// legalPath makes path one that may stand in a request line, and leaves one that may as it is.
func legalPath(path string) string {
	if path == "" || path[0] != '/' {
		path = "/" + path
	}
	return legal(path, "?#")
}

// sendable encodes in a path that begins with two slashes what net/url would not send as it stands: it would decode and encode the
// whole path instead, and a %2F in it would become a slash.
func sendable(path string) string {
	if !strings.HasPrefix(path, "//") {
		return path
	}
	return legal(path, "\"<>\\^`{|}")
}

func legalQuery(query string) string { return legal(query, "#") }

// queryEscape encodes what cannot stand in a name or value of a query (RFC 3986, section 3.4) or divides them: &, =, ; and +, which forms
// read as a space. A space is %20, which all parsers read alike.
func queryEscape(s string) string {
	out := make([]byte, 0, len(s))
	for i := range len(s) {
		if c := s[i]; isAlphanumeric(c) || strings.IndexByte("-._~!$'()*,:@/?", c) >= 0 {
			out = append(out, c)
		} else {
			out = append(out, '%', upperHex[c>>4], upperHex[c&15])
		}
	}
	return string(out)
}

const upperHex = "0123456789ABCDEF"

// legal encodes controls, spaces, bytes above ASCII, the bytes in also, and percent signs that encode nothing.
func legal(s, also string) string {
	illegal := func(i int) bool {
		c := s[i]
		return c <= ' ' || c >= 0x7f || strings.IndexByte(also, c) >= 0 || c == '%' && !encodes(s[i+1:])
	}
	i := 0
	for i < len(s) && !illegal(i) {
		i++
	}
	if i == len(s) {
		return s
	}
	out := []byte(s[:i])
	for ; i < len(s); i++ {
		if illegal(i) {
			out = append(out, '%', upperHex[s[i]>>4], upperHex[s[i]&15])
		} else {
			out = append(out, s[i])
		}
	}
	return string(out)
}

func encodes(s string) bool { return len(s) >= 2 && isHex(s[0]) && isHex(s[1]) }

func isHex(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F'
}
