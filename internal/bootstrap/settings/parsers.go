package settings

import (
	"errors"
	"fmt"
	"math"
	"net"
	"net/netip"
	"net/url"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/aproorg/sluice/internal/bootstrap/sse"
	"github.com/aproorg/sluice/internal/dotenv"
	"github.com/aproorg/sluice/internal/hint"
)

// A parser takes the text of a variable to the field that it was made for.
type parser func(text string) error

// by stores what parse makes of the text.
func by[T any](to *T, parse func(string) (T, error)) parser {
	return func(text string) (err error) {
		*to, err = parse(text)
		return err
	}
}

// optional leaves the field as it is where there is no text.
func optional(parse parser) parser {
	return func(text string) error {
		if text == "" {
			return nil
		}
		return parse(text)
	}
}

// readByExtend is the parser of the variable that Extend has read before all others.
func readByExtend(string) error { return nil }

func text(to *string) parser {
	return func(text string) error { *to = text; return nil }
}

func secret(to *Secret) parser {
	return func(text string) error { *to = Secret{text}; return nil }
}

func address(to *string) parser {
	return func(text string) error {
		if text == "" {
			return hint.With(errors.New("missing; set it to the host:port of a Runtime API"), "outside Lambda, `sluice up` gives one")
		}
		if _, _, err := net.SplitHostPort(text); err != nil {
			return fmt.Errorf("want host:port: %w", err)
		}
		*to = text
		return nil
	}
}

func number(to *int, low, high int) parser {
	return func(text string) error {
		n, err := strconv.Atoi(text)
		if err != nil || n < low || n > high {
			return fmt.Errorf("want a whole number from %d to %d", low, high)
		}
		*to = n
		return nil
	}
}

func duration(to *time.Duration, low time.Duration) parser {
	return func(text string) error {
		d, err := time.ParseDuration(text)
		if err != nil || d < low {
			return fmt.Errorf("want a duration such as 500ms or 15s, at least %v", low)
		}
		*to = d
		return nil
	}
}

func boolean(to *bool) parser {
	return func(text string) error {
		b, err := strconv.ParseBool(text)
		if err != nil {
			return errors.New("want true or false")
		}
		*to = b
		return nil
	}
}

// oneOf is true for yes.
func oneOf(to *bool, no, yes string) parser {
	return func(text string) error {
		if text != no && text != yes {
			return fmt.Errorf("want %s or %s", no, yes)
		}
		*to = text == yes
		return nil
	}
}

// initialization reads how Lambda has made the environment.
func initialization(to *Settings) parser {
	return func(text string) error {
		to.LongInit, to.SnapStart = text != "on-demand", text == "snap-start"
		return nil
	}
}

// hostName takes a name in DNS, as far as one can be in a header: letters, digits, hyphens and underscores between dots.
var hostName = regexp.MustCompile(`^[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?(\.[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?)*\.?$`)

// maxHostName is the length of a name in DNS.
const maxHostName = 253

func isHost(text string) bool {
	if ip, err := netip.ParseAddr(text); err == nil {
		return ip.Zone() == ""
	}
	return len(text) <= maxHostName && hostName.MatchString(text)
}

// host takes a name or address without a port.
func host(text string) (string, error) {
	if !isHost(text) {
		return "", errors.New("want a host name or an IP address, without a port")
	}
	return text, nil
}

// hostPort takes what a browser shows of a site's address: a name or an address, an IPv6 one in brackets, and a port where it is not the scheme's.
// endpoint takes the URL of a service: a scheme and a host, with nothing behind them.
func endpoint(text string) (string, error) {
	u, err := url.Parse(text)
	switch {
	case !strings.Contains(text, "://"):
		return "", hint.With(errors.New("want a URL that begins with https:// or http://"), "perhaps https://%s", text)
	case err != nil:
		return "", errors.New("want a URL such as https://host:port")
	case u.Scheme != "http" && u.Scheme != "https":
		return "", fmt.Errorf("scheme %q: want https or http", u.Scheme)
	case u.User != nil || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "":
		return "", errors.New("want scheme, host and port alone, without a user, a path or a query")
	}
	if _, err := hostPort(u.Host); err != nil {
		return "", err
	}
	return u.Scheme + "://" + u.Host, nil
}

func hostPort(text string) (string, error) {
	if scheme, rest, ok := strings.Cut(text, "://"); ok {
		rest, _, _ = strings.Cut(rest, "/")
		return "", hint.With(errors.New("want host or host:port, without a scheme"), "without %s:// it is %s", scheme, rest)
	}
	name, port := text, ""
	if h, p, err := net.SplitHostPort(text); err == nil {
		if n, err := strconv.Atoi(p); err != nil || n < 1 || n > 65535 || strconv.Itoa(n) != p {
			return "", errors.New("want host or host:port, with a port from 1 to 65535")
		}
		name, port = h, p
	} else if inner, ok := strings.CutPrefix(text, "["); ok {
		if name, ok = strings.CutSuffix(inner, "]"); !ok {
			name = ""
		}
	}
	whole := name
	if strings.Contains(name, ":") {
		whole = "[" + name + "]"
	}
	if port != "" {
		whole += ":" + port
	}
	if !isHost(name) || whole != text { // it is not an IPv6 address without brackets, nor a name in them
		return "", errors.New("want host or host:port, such as chat.example.com or 127.0.0.1:8080")
	}
	return text, nil
}

// isPath takes what can be sent as the target of a request.
func isPath(text string) bool {
	return strings.HasPrefix(text, "/") && !strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r == 0x7f })
}

func path(to *string) parser {
	return func(text string) error {
		if !isPath(text) {
			return errors.New("want a path that begins with / and has no spaces")
		}
		*to = text
		return nil
	}
}

// paths takes several, divided by commas or white space.
func paths(text string) ([]string, error) {
	all := fields(text)
	for _, p := range all {
		if !isPath(p) {
			return nil, fmt.Errorf("%q is no path that begins with /", p)
		}
	}
	return all, nil
}

// ReadyTCP as the path of readiness waits for the port alone.
const ReadyTCP = "tcp"

func readyPath(to *string) parser {
	return func(text string) error {
		switch {
		case text == ReadyTCP:
			*to = ""
		case isPath(text):
			*to = text
		default:
			return errors.New("want a path that begins with / and has no spaces, or tcp for the port alone")
		}
		return nil
	}
}

func prefix(to *string) parser {
	return func(text string) error {
		text = strings.TrimRight(text, "/")
		if text != "" && !strings.HasPrefix(text, "/") {
			text = "/" + text
		}
		*to = text
		return nil
	}
}

func pattern(to **regexp.Regexp) parser {
	return func(text string) error {
		re, err := regexp.Compile(text)
		if err != nil {
			return fmt.Errorf("want a regular expression: %w", err)
		}
		*to = re
		return nil
	}
}

func heartbeatForm(text string) (sse.Form, error) {
	switch text {
	case "auto":
		return sse.Auto, nil
	case "event":
		return sse.AsEvent, nil
	case "comment":
		return sse.AsComment, nil
	}
	return 0, errors.New("want auto, event or comment")
}

func eventData(to *string) parser {
	return func(text string) error {
		if strings.ContainsAny(text, "\r\n") {
			return errors.New("want one line")
		}
		if text != "break" {
			*to = text
		}
		return nil
	}
}

func absolute(text string) (string, error) {
	if !filepath.IsAbs(text) {
		return "", fmt.Errorf("%q is not an absolute path", text)
	}
	return filepath.Clean(text), nil
}

func absolutes(text string) ([]string, error) {
	var all []string
	for _, f := range fields(text) {
		p, err := absolute(f)
		if err != nil {
			return nil, err
		}
		all = append(all, p)
	}
	return all, nil
}

func variableName(text string) (string, error) {
	if !dotenv.IsName(text) {
		return "", noName(text)
	}
	return text, nil
}

func variableNames(text string) ([]string, error) {
	names := fields(text)
	for _, name := range names {
		if !dotenv.IsName(name) {
			return nil, noName(name)
		}
	}
	return names, nil
}

func jsonPointer(text string) (string, error) {
	if !strings.HasPrefix(text, "/") {
		return "", errors.New("want a JSON pointer, which begins with /, such as /id or /user/id")
	}
	return text, nil
}

var units = map[string]int64{"": 1, "B": 1, "KB": 1e3, "MB": 1e6, "GB": 1e9, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}

// byteSize reads a number of bytes with an optional unit.
func byteSize(text string) (int64, error) {
	digits := strings.TrimRight(text, "BKMGi")
	unit, ok := units[text[len(digits):]]
	n, err := strconv.ParseInt(digits, 10, 64)
	if !ok || err != nil || n < 0 || n > math.MaxInt64/unit {
		return 0, errors.New("want a number of bytes, such as 200MB or 1GiB")
	}
	return n * unit, nil
}
