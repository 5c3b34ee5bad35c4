package cloudfront

import (
	"compress/gzip"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/andybalholm/brotli"

	"github.com/aproorg/sluice/internal/stack"
)

func TestAdmission(t *testing.T) {
	site := func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "site") }
	plain := func(c *Config) { c.AssumeHTTPS = false }
	tests := []struct {
		name, method, path string
		headers            []string
		body               io.Reader
		change             []func(*Config)
		status             int
		xCache             string
	}{
		{"method that the behavior does not allow", "POST", "/x", nil, strings.NewReader("x"), nil, 403, "Error"},
		{"method that nobody knows", "PURGE", "/x", nil, nil, nil, 405, "Error"},
		{"GET with a body", "GET", "/x", nil, strings.NewReader("x"), nil, 403, "Error"},
		{"long URL", "GET", "/" + strings.Repeat("x", 8192), nil, nil, nil, 413, "Error"},
		{"large headers", "GET", "/x", []string{"A", strings.Repeat("x", 20480)}, nil, nil, 413, "Error"},
		{"http where https is wanted", "GET", "/api/x", nil, nil, []func(*Config){plain}, 403, "Error"},
		{"redirect to https", "GET", "/x?y=1", []string{"Host", "chat.example.com"}, nil, []func(*Config){plain}, 301, "Redirect"},
		{"redirect of a POST", "POST", "/x", nil, strings.NewReader("x"), []func(*Config){plain}, 307, "Redirect"},
		{"allowed", "GET", "/x", nil, nil, nil, 200, "Miss"},
		{"HEAD", "HEAD", "/x", nil, nil, nil, 200, "Miss"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			edge, _ := newDistribution(t, site, nil, tt.change...)
			res, _ := do(t, tt.method, edge.URL+tt.path, tt.body, tt.headers...)
			if res.StatusCode != tt.status || !strings.HasPrefix(res.Header.Get("X-Cache"), tt.xCache) {
				t.Errorf("%d %q, want %d %q", res.StatusCode, res.Header.Get("X-Cache"), tt.status, tt.xCache)
			}
			if tt.status == 301 && res.Header.Get("Location") != "https://chat.example.com/x?y=1" {
				t.Errorf("location %q", res.Header.Get("Location"))
			}
		})
	}
}

func TestCompression(t *testing.T) {
	text := strings.Repeat("compress me ", 100)
	edge, _ := newDistribution(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", r.URL.Query().Get("type"))
		w.Header().Set("Etag", `"1"`)
		switch r.URL.Path {
		case "/bucket/short":
			io.WriteString(w, "short")
		case "/bucket/stream":
			w.WriteHeader(200)
			http.NewResponseController(w).Flush() // no Content-Length
			io.WriteString(w, text)
		case "/bucket/packed":
			w.Header().Set("Content-Encoding", "zstd")
			io.WriteString(w, text)
		default:
			w.Header().Set("Content-Length", strconv.Itoa(len(text)))
			io.WriteString(w, text)
		}
	}, nil, func(c *Config) { c.Distribution.DefaultCacheBehavior.CachePolicy.Queries = everything })
	tests := []struct{ path, accept, coding, etag string }{
		{"/a.js?type=text/javascript", "gzip, br", "br", `W/"1"`},
		{"/b.js?type=text/javascript%3Bcharset=utf-8", "gzip", "gzip", `W/"1"`},
		{"/c.js?type=text/javascript", "", "", `"1"`},
		{"/d.png?type=image/png", "gzip, br", "", `"1"`},
		{"/e?type=text/event-stream", "gzip, br", "", `"1"`},
		{"/short?type=text/plain", "gzip, br", "", `"1"`},
		{"/stream?type=text/plain", "gzip, br", "", `"1"`},
		{"/packed?type=text/plain", "gzip, br", "zstd", `"1"`},
	}
	for _, tt := range tests {
		for _, from := range []string{"Miss", "Hit"} {
			res, body := do(t, "GET", edge.URL+tt.path, nil, "Accept-Encoding", tt.accept)
			if res.Header.Get("Content-Encoding") != tt.coding || res.Header.Get("Etag") != tt.etag || !strings.HasPrefix(res.Header.Get("X-Cache"), from) {
				t.Errorf("%s %s: %v", from, tt.path, res.Header)
			}
			var r io.Reader = strings.NewReader(body)
			switch tt.coding {
			case "br":
				r = brotli.NewReader(r)
			case "gzip":
				z, err := gzip.NewReader(r)
				if err != nil {
					t.Fatal(err)
				}
				r = z
			}
			if plain, err := io.ReadAll(r); err != nil || string(plain) != text && string(plain) != "short" {
				t.Errorf("%s %s: %d bytes, %v", from, tt.path, len(plain), err)
			}
		}
	}
}

func TestCustomErrorResponses(t *testing.T) {
	edge, _ := newDistribution(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/bucket/sorry.html" {
			io.WriteString(w, "sorry")
			return
		}
		w.WriteHeader(403)
	}, func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(404) }, func(c *Config) {
		c.Distribution.CustomErrorResponses = []stack.CustomErrorResponse{
			{ErrorCode: 403, ResponseCode: 200, ResponsePagePath: "/sorry.html"},
			{ErrorCode: 404, ResponseCode: 404, ResponsePagePath: "/sorry.html"},
		}
	})
	for range 2 { // asked for, and out of the cache
		if res, body := do(t, "GET", edge.URL+"/x", nil); res.StatusCode != 200 || body != "sorry" {
			t.Errorf("%d %q", res.StatusCode, body)
		}
		if res, body := do(t, "GET", edge.URL+"/api/x", nil); res.StatusCode != 404 || body != "sorry" {
			t.Errorf("%d %q", res.StatusCode, body)
		}
	}
	// The rule has no path: it masks errors of the API as well.
	if res, body := do(t, "POST", edge.URL+"/api/x", strings.NewReader("x")); res.StatusCode != 404 || body != "sorry" {
		t.Errorf("%d %q", res.StatusCode, body)
	}
}

// TestErrorsThatAreNotKept: CloudFront keeps an error for 10 s, under CachingDisabled too, and whatever the origin says;
// a custom error response without a page and with a TTL of 0 is what ends that.
func TestErrorsThatAreNotKept(t *testing.T) {
	for _, ttl := range []time.Duration{10 * time.Second, 0} {
		for _, status := range []int{404, 414, 500, 501, 502, 503, 504} {
			asked := 0
			edge, _ := newDistribution(t, nil, func(w http.ResponseWriter, r *http.Request) {
				asked++
				w.Header().Set("Cache-Control", "no-store")
				w.WriteHeader(status)
				io.WriteString(w, "the app's own words")
			}, func(c *Config) {
				if ttl == 0 {
					c.Distribution.CustomErrorResponses = []stack.CustomErrorResponse{{ErrorCode: status}}
				}
			})
			for range 3 {
				if res, body := do(t, "GET", edge.URL+"/api/x", nil); res.StatusCode != status || body != "the app's own words" {
					t.Errorf("%d: %d %q", status, res.StatusCode, body)
				}
			}
			if want := map[bool]int{true: 3, false: 1}[ttl == 0]; asked != want {
				t.Errorf("%d with %s: the origin was asked %d times, want %d", status, ttl, asked, want)
			}
		}
	}
}

func TestOriginThatCannotBeReached(t *testing.T) {
	closed := httptest.NewServer(nil)
	closed.Close()
	edge, _ := newDistribution(t, nil, nil, func(c *Config) { c.Origins["api"] = closed.URL })
	res, body := do(t, "POST", edge.URL+"/api/x", strings.NewReader("x"))
	if res.StatusCode != 502 || res.Header.Get("X-Cache") != "Error from cloudfront" || !strings.Contains(body, "The request could not be satisfied") {
		t.Errorf("%d %v", res.StatusCode, res.Header)
	}
}

func TestOriginThatBreaksOffCutsTheViewer(t *testing.T) {
	edge, _ := newDistribution(t, nil, func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, "half")
		http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	})
	res, body := do(t, "GET", edge.URL+"/api/x", nil)
	if res.StatusCode != 200 || !strings.HasPrefix(body, "half!") {
		t.Errorf("%d %q", res.StatusCode, body)
	}
}

func TestLargeHeadersOfTheOrigin(t *testing.T) {
	edge, _ := newDistribution(t, nil, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Large", strings.Repeat("x", 20480))
	})
	if res, _ := do(t, "GET", edge.URL+"/api/x", nil); res.StatusCode != 502 {
		t.Errorf("%d", res.StatusCode)
	}
}

func TestResponseHeadersPolicy(t *testing.T) {
	edge, _ := newDistribution(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Frame-Options", "SAMEORIGIN")
		w.Header().Set("X-Robots-Tag", "all")
	}, nil, func(c *Config) {
		c.Distribution.DefaultCacheBehavior.ResponseHeaders = &stack.ResponseHeadersPolicy{Headers: []stack.ResponseHeader{
			{Header: stack.Header{Name: "X-Frame-Options", Value: "DENY"}},
			{Header: stack.Header{Name: "X-Robots-Tag", Value: "noindex"}, Override: true},
			{Header: stack.Header{Name: "Referrer-Policy", Value: "no-referrer"}},
		}}
	})
	res, _ := do(t, "GET", edge.URL+"/x", nil)
	if res.Header.Get("X-Frame-Options") != "SAMEORIGIN" || res.Header.Get("X-Robots-Tag") != "noindex" || res.Header.Get("Referrer-Policy") != "no-referrer" {
		t.Errorf("%v", res.Header)
	}
}

func TestNewNamesWhatItCannotEmulate(t *testing.T) {
	tests := map[string]struct {
		change func(*Config)
		want   string
	}{
		"no such origin":   {func(c *Config) { c.Distribution.DefaultCacheBehavior.TargetOriginID = "x" }, `there is no origin "x"`},
		"no base URL":      {func(c *Config) { delete(c.Origins, "o") }, "no base URL"},
		"strange base URL": {func(c *Config) { c.Origins["o"] = "origin:80" }, "want http://HOST"},
		"read timeout":     {func(c *Config) { c.Distribution.Origins[0].ReadTimeout = time.Hour }, "origin_read_timeout 1h0m0s"},
		"attempts":         {func(c *Config) { c.Distribution.Origins[0].ConnectionAttempts = 4 }, "connection_attempts 4"},
		"policy":           {func(c *Config) { c.Distribution.DefaultCacheBehavior.CachePolicy.Headers.Behavior = "some" }, `unknown behavior "some"`},
		"protocol":         {func(c *Config) { c.Distribution.DefaultCacheBehavior.ViewerProtocolPolicy = "ftp" }, "viewer protocol policy"},
		"event": {func(c *Config) {
			c.Distribution.DefaultCacheBehavior.Functions = []stack.FunctionAssociation{{EventType: "origin-request", Code: spa}}
		}, "event type"},
	}
	for name, tt := range tests {
		cfg := Config{Origins: map[string]string{"o": "http://origin"}, Distribution: stack.Distribution{Address: "aws_cloudfront_distribution.this",
			Origins: []stack.Origin{{OriginID: "o"}}, DefaultCacheBehavior: stack.CacheBehavior{TargetOriginID: "o"}}}
		tt.change(&cfg)
		if _, err := New(cfg); err == nil || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), "aws_cloudfront_distribution.this") {
			t.Errorf("%s: %v, want %q", name, err, tt.want)
		}
	}
}
