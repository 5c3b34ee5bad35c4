package cloudfront

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/aproorg/sluice/internal/emulate/spelling"
)

func TestOriginGetsTheViewersSpelling(t *testing.T) {
	var names spelling.Names
	edge, _ := newDistribution(t, nil, func(w http.ResponseWriter, r *http.Request) {
		names = spelling.Of(r.Context())
		w.Header()["Pragma"] = []string{"no-cache"}
		if len(r.Header["Cache-Control"]) > 0 {
			t.Errorf("Cache-Control %q, which the viewer did not send", r.Header["Cache-Control"])
		}
	})
	conn, err := net.Dial("tcp", strings.TrimPrefix(edge.URL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_, _ = io.WriteString(conn, "GET /api/x HTTP/1.1\r\nhost: a\r\nX-UPPER: 1\r\nx-lower: 1\r\nuser-agent: me\r\npragma: no-cache\r\n"+
		"x-origin-verify: mine\r\nx-forwarded-for: 192.0.2.1\r\nvia: 1.1 me\r\n\r\n")
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	for canonical, want := range map[string]string{"X-Upper": "X-UPPER", "X-Lower": "x-lower", "Pragma": "pragma",
		"User-Agent": "User-Agent", "X-Origin-Verify": "X-Origin-Verify", "X-Forwarded-For": "X-Forwarded-For", "Via": "Via"} {
		if names[canonical] != want {
			t.Errorf("%s came as %q, want %q", canonical, names[canonical], want)
		}
	}
	// http.ReadResponse adds the field itself, so the head must be looked at.
	raw, err := net.Dial("tcp", strings.TrimPrefix(edge.URL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer raw.Close()
	_, _ = io.WriteString(raw, "GET /api/x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
	if head, err := io.ReadAll(raw); err != nil || strings.Contains(strings.ToLower(string(head)), "cache-control") {
		t.Errorf("%v in %s (%s)", err, head, res.Status)
	}
}

func TestVaryByAllIsNotCached(t *testing.T) {
	for _, vary := range []string{"*", "Accept, *"} {
		asked := 0
		edge, _ := newDistribution(t, func(w http.ResponseWriter, _ *http.Request) {
			asked++
			w.Header().Set("Vary", vary)
			w.Header().Set("Cache-Control", "max-age=60")
		}, nil, func(c *Config) { c.Distribution.DefaultCacheBehavior.CachePolicy.MinTTL = 0 })
		do(t, "GET", edge.URL+"/a.js", nil)
		do(t, "GET", edge.URL+"/a.js", nil)
		if asked != 2 {
			t.Errorf("Vary: %s: the origin was asked %d times", vary, asked)
		}
	}
}

func TestUnsatisfiableRangeInTheCache(t *testing.T) {
	edge, _ := newDistribution(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "short") }, nil)
	do(t, "GET", edge.URL+"/a.txt", nil)
	res, body := do(t, "GET", edge.URL+"/a.txt", nil, "Range", "bytes=100-")
	if res.StatusCode != 416 || res.Header.Get("Content-Range") != "bytes */5" || !strings.Contains(body, "<center>CloudFront</center>") ||
		res.Header.Get("Content-Type") != "text/html" || res.Header.Get("X-Content-Type-Options") != "" {
		t.Errorf("%d %v %s", res.StatusCode, res.Header, body)
	}
}
