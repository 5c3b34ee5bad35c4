package cloudfront

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aproorg/sluice/internal/emulate/spelling"
	"github.com/aproorg/sluice/internal/stack"
)

var (
	none, everything = stack.Selection{Behavior: "none"}, stack.Selection{Behavior: "all"}

	cachingDisabled  = stack.CachePolicy{Name: "Managed-CachingDisabled", Headers: none, Cookies: none, Queries: none}
	cachingOptimized = stack.CachePolicy{Name: "Managed-CachingOptimized", MinTTL: time.Second, DefaultTTL: 24 * time.Hour,
		MaxTTL: 365 * 24 * time.Hour, Headers: none, Cookies: none, Queries: none, Gzip: true, Brotli: true}
	allButHost = stack.OriginRequestPolicy{Name: "Managed-AllViewerExceptHostHeader",
		Headers: stack.Selection{Behavior: "allExcept", Items: []string{"host"}}, Cookies: everything, Queries: everything}

	allMethods = []string{"GET", "HEAD", "OPTIONS", "PUT", "POST", "PATCH", "DELETE"}
)

// newDistribution serves /api/* from one handler and the rest from another, as the
// shipped environment does.
func newDistribution(t *testing.T, site, api http.HandlerFunc, change ...func(*Config)) (*httptest.Server, *Distribution) {
	t.Helper()
	origin := func(h http.HandlerFunc) string {
		if h == nil {
			h = func(w http.ResponseWriter, r *http.Request) { t.Errorf("unexpected request for %s", r.URL) }
		}
		s := httptest.NewUnstartedServer(h)
		s.Listener = spelling.Listen(s.Config, s.Listener)
		s.Start()
		t.Cleanup(s.Close)
		return s.URL
	}
	cfg := Config{AssumeHTTPS: true, Origins: map[string]string{"site": origin(site) + "/bucket", "api": origin(api)},
		Distribution: stack.Distribution{
			DefaultRootObject: "index.html",
			Origins: []stack.Origin{
				{OriginID: "site", Bucket: true, DomainName: "site.s3.eu-central-1.amazonaws.com"},
				{OriginID: "api", OriginPath: "/live", DomainName: "api.execute-api.eu-central-1.amazonaws.com",
					CustomHeaders: []stack.Header{{Name: "X-Origin-Verify", Value: "secret"}}},
			},
			DefaultCacheBehavior: stack.CacheBehavior{TargetOriginID: "site", Compress: true, CachePolicy: cachingOptimized,
				ViewerProtocolPolicy: "redirect-to-https"},
			OrderedCacheBehaviors: []stack.CacheBehavior{{PathPattern: "/api/*", TargetOriginID: "api", CachePolicy: cachingDisabled,
				OriginRequestPolicy: allButHost, AllowedMethods: allMethods, ViewerProtocolPolicy: "https-only"}},
		}}
	for _, c := range change {
		c(&cfg)
	}
	d, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewUnstartedServer(d)
	s.Listener = spelling.Listen(s.Config, s.Listener)
	s.Start()
	t.Cleanup(func() { s.Close(); d.Close() })
	return s, d
}

func do(t *testing.T, method, url string, body io.Reader, headers ...string) (*http.Response, string) {
	t.Helper()
	r, err := http.NewRequest(method, url, body)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		if headers[i] == "Host" {
			r.Host = headers[i+1]
			continue
		}
		r.Header.Add(headers[i], headers[i+1])
	}
	transport := &http.Transport{DisableCompression: true}
	defer transport.CloseIdleConnections()
	res, err := transport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		return res, string(b) + "!" + err.Error()
	}
	return res, string(b)
}

func TestStreamPassesEachPacketOnAtOnce(t *testing.T) {
	acknowledged := make(chan struct{})
	edge, _ := newDistribution(t, nil, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		io.WriteString(w, "data: 1\n\n")
		http.NewResponseController(w).Flush()
		<-acknowledged // the viewer must have the first event before the second exists
		io.WriteString(w, "data: 2\n\n")
	})
	res, err := http.Get(edge.URL + "/api/chat")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	first := make([]byte, 9)
	if _, err := io.ReadFull(res.Body, first); err != nil || string(first) != "data: 1\n\n" {
		t.Fatalf("first packet %q, %v", first, err)
	}
	close(acknowledged)
	if rest, err := io.ReadAll(res.Body); err != nil || string(rest) != "data: 2\n\n" {
		t.Fatalf("rest %q, %v", rest, err)
	}
	if res.Header.Get("X-Cache") != "Miss from cloudfront" {
		t.Errorf("X-Cache %q", res.Header.Get("X-Cache"))
	}
}

func TestOriginRequest(t *testing.T) {
	var got *http.Request
	var body string
	edge, _ := newDistribution(t, nil, func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		got, body = r, string(b)
		w.Header().Add("Set-Cookie", "a=1")
		w.Header().Add("Set-Cookie", "b=2")
		w.Header().Set("Via", "1.1 gateway")
	})
	res, _ := do(t, "POST", edge.URL+"/api/a%2Fb%20c?x=1&x=2&y=%20", strings.NewReader("hello"), "Host", "chat.example.com",
		"X-Origin-Verify", "forged", "X-Forwarded-For", "203.0.113.9", "X-Forwarded-Proto", "http", "Cookie", "s=1; t=2",
		"X-Edge-Foo", "1", "Authorization", "Bearer x", "User-Agent", "Mozilla", "Upgrade", "websocket")
	if got == nil {
		t.Fatalf("the origin was not asked: %d", res.StatusCode)
	}
	if got.RequestURI != "/live/api/a%2Fb%20c?x=1&x=2&y=%20" || body != "hello" || got.ContentLength != 5 ||
		got.Host != "api.execute-api.eu-central-1.amazonaws.com" {
		t.Errorf("%s %s %q %d", got.Host, got.RequestURI, body, got.ContentLength)
	}
	want := map[string]string{
		"X-Origin-Verify": "secret", "X-Forwarded-For": "203.0.113.9, 127.0.0.1", "X-Forwarded-Proto": "", "Cookie": "s=1; t=2",
		"X-Edge-Foo": "", "Authorization": "Bearer x", "User-Agent": "Mozilla", "Upgrade": "", "X-Amz-Cf-Id": res.Header.Get("X-Amz-Cf-Id"),
	}
	for name, v := range want {
		if got.Header.Get(name) != v {
			t.Errorf("%s %q, want %q", name, got.Header.Get(name), v)
		}
	}
	if len(res.Header["Set-Cookie"]) != 2 || strings.Contains(res.Header.Get("Via"), "gateway") || res.Header.Get("X-Amz-Cf-Pop") == "" {
		t.Errorf("response headers %v", res.Header)
	}
}

func TestCachingAndInvalidation(t *testing.T) {
	var asked atomic.Int64
	site := func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		if r.Header.Get("If-None-Match") == `"1"` {
			w.WriteHeader(http.StatusNotModified)
			return
		}
		w.Header().Set("Etag", `"1"`)
		w.Header().Set("Content-Type", "text/html")
		w.Header().Set("Set-Cookie", "a=1")
		w.Header().Set("X-Amz-Request-Id", "7")
		io.WriteString(w, r.URL.Path)
	}
	edge, d := newDistribution(t, site, nil)
	for i, want := range []string{"Miss", "Hit", "Hit"} {
		res, body := do(t, "GET", edge.URL+"/?q="+string(rune('a'+i)), nil)
		if body != "/bucket/index.html" || !strings.HasPrefix(res.Header.Get("X-Cache"), want) || res.Header.Get("Set-Cookie") != "" || res.Header.Get("X-Amz-Request-Id") != "" {
			t.Errorf("%d: %q %v", i, body, res.Header)
		}
		if hit := want == "Hit"; hit != (res.Header.Get("Age") != "") {
			t.Errorf("%d: age %q", i, res.Header.Get("Age"))
		}
	}
	if res, _ := do(t, "GET", edge.URL+"/", nil, "If-None-Match", `"1"`); res.StatusCode != 304 {
		t.Errorf("conditional request: %d", res.StatusCode)
	}
	if res, body := do(t, "GET", edge.URL+"/", nil, "Range", "bytes=1-6"); res.StatusCode != 206 || body != "bucket" {
		t.Errorf("range: %d %q", res.StatusCode, body)
	}
	if n := asked.Load(); n != 1 {
		t.Errorf("the origin was asked %d times", n)
	}
	if err := d.Invalidate("/ind*"); err != nil {
		t.Fatal(err)
	}
	if res, _ := do(t, "GET", edge.URL+"/", nil); !strings.HasPrefix(res.Header.Get("X-Cache"), "Miss") {
		t.Errorf("after an invalidation: %v", res.Header)
	}
	if err := d.Invalidate("index.html"); err == nil {
		t.Error("a path without a slash was taken")
	}
}

const spa = `function handler(event) {
  var request = event.request;
  var last = request.uri.substring(request.uri.lastIndexOf('/') + 1);
  if (last.indexOf('.') === -1) { request.uri = '/index.html'; }
  return request;
}`

func withFunction(event, code string) func(*Config) {
	return func(c *Config) {
		b := &c.Distribution.DefaultCacheBehavior
		b.Functions = append(b.Functions, stack.FunctionAssociation{EventType: event, Name: "f", Runtime: "cloudfront-js-2.0", Code: code})
	}
}

func TestViewerRequestFunctionRewritesRoutes(t *testing.T) {
	edge, _ := newDistribution(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") == "" {
			t.Error("the bucket request is not signed")
		}
		io.WriteString(w, r.URL.RequestURI())
	}, nil, withFunction("viewer-request", spa))
	for path, want := range map[string]string{"/c/123": "/bucket/index.html", "/assets/a.js?v=1": "/bucket/assets/a.js", "/": "/bucket/index.html"} {
		if _, body := do(t, "GET", edge.URL+path, nil); body != want {
			t.Errorf("%s: origin got %q, want %q", path, body, want)
		}
	}
}
