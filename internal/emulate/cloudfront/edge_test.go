package cloudfront

import (
	"compress/gzip"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/andybalholm/brotli"
	"github.com/aproorg/sluice/internal/stack"
	"github.com/aproorg/sluice/internal/timeline"
	"github.com/google/go-cmp/cmp"
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
		{"large headers", "GET", "/x", []string{"A", strings.Repeat("x", 32768)}, nil, nil, 413, "Error"},
		{"http where https is wanted", "GET", "/api/x", nil, nil, []func(*Config){plain}, 403, "Error"},
		{"redirect to https", "GET", "/x?y=1", []string{"Host", "chat.example.com"}, nil, []func(*Config){plain}, 301, "Redirect"},
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
	if res, body := do(t, "GET", edge.URL+"/x", nil); res.StatusCode != 200 || body != "sorry" {
		t.Errorf("%d %q", res.StatusCode, body)
	}
	// The rule has no path: it masks errors of the API as well.
	if res, body := do(t, "POST", edge.URL+"/api/x", strings.NewReader("x")); res.StatusCode != 404 || body != "sorry" {
		t.Errorf("%d %q", res.StatusCode, body)
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

// originFunc is an origin without a network, so that time can be faked.
type originFunc func(r *http.Request) (*http.Response, error)

func (f originFunc) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func response(status int, body io.Reader, headers ...string) *http.Response {
	h := http.Header{}
	for i := 0; i < len(headers); i += 2 {
		h.Add(headers[i], headers[i+1])
	}
	return &http.Response{StatusCode: status, Header: h, Body: io.NopCloser(body), ContentLength: -1}
}

// bubble is a distribution in fake time; get sends it one request.
type bubble struct {
	*Distribution
	t      *testing.T
	mu     sync.Mutex
	events []timeline.Event
}

func newBubble(t *testing.T, f originFunc, change ...func(*Config)) *bubble {
	t.Helper()
	b := &bubble{t: t}
	cfg := Config{AssumeHTTPS: true, Transport: f, Origins: map[string]string{"o": "http://origin"},
		Record: func(e timeline.Event) {
			b.mu.Lock()
			defer b.mu.Unlock()
			b.events = append(b.events, e)
		},
		Distribution: stack.Distribution{Origins: []stack.Origin{{OriginID: "o"}},
			DefaultCacheBehavior: stack.CacheBehavior{TargetOriginID: "o", AllowedMethods: allMethods, CachePolicy: cachingDisabled, OriginRequestPolicy: allButHost}}}
	for _, c := range change {
		c(&cfg)
	}
	var err error
	if b.Distribution, err = New(cfg); err != nil {
		t.Fatal(err)
	}
	return b
}

func (b *bubble) get(method string) (w *httptest.ResponseRecorder, cut bool, took time.Duration) {
	b.t.Helper()
	w = httptest.NewRecorder()
	start := time.Now()
	func() {
		defer func() {
			if p := recover(); p != nil {
				if err, ok := p.(error); !ok || !errors.Is(err, http.ErrAbortHandler) {
					panic(p)
				}
				cut = true
			}
		}()
		b.ServeHTTP(w, httptest.NewRequest(method, "/x", nil).WithContext(b.t.Context()))
	}()
	return w, cut, time.Since(start)
}

// silent never answers.
func silent(r *http.Request) (*http.Response, error) {
	<-r.Context().Done()
	return nil, r.Context().Err()
}

func TestOriginResponseTimeout(t *testing.T) {
	asked := 0
	count := func(f originFunc) originFunc {
		return func(r *http.Request) (*http.Response, error) {
			asked++
			return f(r)
		}
	}
	// packets come at these times after the request
	packets := func(at ...time.Duration) originFunc {
		return func(r *http.Request) (*http.Response, error) {
			reader, writer := io.Pipe()
			stop := context.AfterFunc(r.Context(), func() { writer.CloseWithError(r.Context().Err()) })
			go func() {
				defer stop()
				start := time.Now()
				for _, d := range at {
					select {
					case <-time.After(d - time.Since(start)):
					case <-r.Context().Done():
						writer.CloseWithError(r.Context().Err())
						return
					}
					io.WriteString(writer, "x")
				}
				writer.Close()
			}()
			return response(200, reader), nil
		}
	}
	refused := func(r *http.Request) (*http.Response, error) { return nil, connectError{errors.New("refused")} }
	set := func(change func(*stack.Origin)) func(*Config) {
		return func(c *Config) { change(&c.Distribution.Origins[0]) }
	}
	tests := []struct {
		name, method string
		f            originFunc
		change       func(*Config)
		status       int
		cut          bool
		asked        int
		took         time.Duration
	}{
		{"POST is asked once", "POST", silent, nil, 504, false, 1, 30 * time.Second},
		{"GET is asked three times", "GET", silent, nil, 504, false, 3, 90 * time.Second},
		{"as often as it says", "GET", silent, set(func(o *stack.Origin) { o.ConnectionAttempts, o.ReadTimeout = 2, 10*time.Second }), 504, false, 2, 20 * time.Second},
		{"between packets", "POST", packets(10*time.Second, 39*time.Second, 68*time.Second), nil, 200, false, 1, 68 * time.Second},
		{"a gap of 30 s", "POST", packets(10*time.Second, 41*time.Second), nil, 200, true, 1, 40 * time.Second},
		{"a gap of 119 s where 120 are allowed", "POST", packets(time.Second, 120*time.Second), set(func(o *stack.Origin) { o.ReadTimeout = 120 * time.Second }), 200, false, 1, 120 * time.Second},
		{"a connection is tried again for POST too", "POST", refused, nil, 502, false, 3, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { // a goroutine that is left fails the bubble
				asked = 0
				change := tt.change
				if change == nil {
					change = func(*Config) {}
				}
				b := newBubble(t, count(tt.f), change)
				w, cut, took := b.get(tt.method)
				if w.Code != tt.status || cut != tt.cut || asked != tt.asked || took != tt.took {
					t.Errorf("%d, cut %v, asked %d times, after %s; want %d, %v, %d, %s", w.Code, cut, asked, took, tt.status, tt.cut, tt.asked, tt.took)
				}
			})
		})
	}
}

func TestRevalidationAndStaleObjects(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var origin originFunc
		b := newBubble(t, func(r *http.Request) (*http.Response, error) { return origin(r) }, func(c *Config) {
			c.Distribution.DefaultCacheBehavior.CachePolicy = stack.CachePolicy{DefaultTTL: 60 * time.Second, MaxTTL: time.Hour}
		})
		fresh := func(body string) originFunc {
			return func(r *http.Request) (*http.Response, error) {
				return response(200, strings.NewReader(body), "Etag", `"`+body+`"`, "Cache-Control", "max-age=60"), nil
			}
		}
		unchanged := func(r *http.Request) (*http.Response, error) {
			if r.Header.Get("If-None-Match") != `"one"` {
				t.Errorf("conditions %v", r.Header)
			}
			return response(304, http.NoBody, "Cache-Control", "max-age=30"), nil
		}
		broken := func(r *http.Request) (*http.Response, error) { return response(503, strings.NewReader("no")), nil }
		never := func(r *http.Request) (*http.Response, error) { t.Error("the origin was asked"); return broken(r) }
		gone := func(r *http.Request) (*http.Response, error) { return response(404, strings.NewReader("gone")), nil }
		steps := []struct {
			after             time.Duration
			origin            originFunc
			status            int
			body, xCache, age string
		}{
			{0, fresh("one"), 200, "one", "Miss from cloudfront", ""},
			{59 * time.Second, never, 200, "one", "Hit from cloudfront", "59"},
			{2 * time.Second, unchanged, 200, "one", "RefreshHit from cloudfront", "0"},
			{29 * time.Second, never, 200, "one", "Hit from cloudfront", "29"},
			{2 * time.Second, broken, 200, "one", "Hit from cloudfront", "31"},
			{9 * time.Second, never, 200, "one", "Hit from cloudfront", "40"},
			{2 * time.Second, gone, 404, "gone", "Error from cloudfront", ""},
			{9 * time.Second, never, 404, "gone", "Error from cloudfront", "9"},
			{2 * time.Second, fresh("two"), 200, "two", "Miss from cloudfront", ""},
		}
		for i, s := range steps {
			time.Sleep(s.after)
			origin = s.origin
			w, _, _ := b.get("GET")
			if w.Code != s.status || w.Body.String() != s.body || w.Header().Get("X-Cache") != s.xCache || w.Header().Get("Age") != s.age {
				t.Errorf("step %d: %d %q %q age %q, want %+v", i, w.Code, w.Body, w.Header().Get("X-Cache"), w.Header().Get("Age"), s)
			}
		}
	})
}

func TestErrorsAreCachedUnlessTheDistributionSaysNo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		asked := 0
		f := func(r *http.Request) (*http.Response, error) {
			asked++
			return response(502, strings.NewReader("no")), nil
		}
		b := newBubble(t, f)
		b.get("GET")
		b.get("GET")
		b.get("POST")
		if asked != 2 {
			t.Errorf("asked %d times, want one GET and one POST", asked)
		}
		asked = 0
		b = newBubble(t, f, func(c *Config) {
			c.Distribution.CustomErrorResponses = []stack.CustomErrorResponse{{ErrorCode: 502}}
		})
		b.get("GET")
		b.get("GET")
		if asked != 2 {
			t.Errorf("asked %d times with a minimum TTL of 0", asked)
		}
	})
}

func TestTimelineOfARequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var id string
		b := newBubble(t, func(r *http.Request) (*http.Response, error) {
			id = r.Header.Get("X-Amz-Cf-Id")
			return response(200, strings.NewReader("hello")), nil
		})
		b.get("POST")
		var kinds []timeline.Kind
		for _, e := range b.events {
			kinds = append(kinds, e.Kind)
			if e.Request != id || e.Hop != timeline.CloudFront {
				t.Errorf("%+v", e)
			}
		}
		want := []timeline.Kind{timeline.RequestStart, timeline.RequestFirstByte, timeline.RequestChunk, timeline.RequestEnd}
		if d := cmp.Diff(want, kinds); d != "" {
			t.Fatal(d)
		}
		if end := b.events[3]; end.Bytes != 5 || end.Status != 200 || end.Note != "Miss from cloudfront" {
			t.Errorf("%+v", end)
		}
	})
}

func TestCacheIsBounded(t *testing.T) {
	c := newCache(10 << 10)
	for i := range 100 {
		c.put(&entry{key: strconv.Itoa(i), body: make([]byte, 1024)})
		c.get("0")
	}
	if c.size > c.limit || c.order.Len() != len(c.entries) || c.get("0") == nil || c.get("1") != nil || c.get("99") == nil {
		t.Errorf("%d bytes in %d entries", c.size, len(c.entries))
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
