package cloudfront

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/aproorg/sluice/internal/emulate/cloudfront/origin"
	"github.com/aproorg/sluice/internal/stack"
	"github.com/aproorg/sluice/internal/timeline"
)

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
	refused := func(r *http.Request) (*http.Response, error) {
		return nil, origin.ConnectError{Err: errors.New("refused")}
	}
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
			time.Sleep(s.after) // of the bubble's clock: the cache grows older
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

func TestSilenceOfTheOriginIsCachedToo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBubble(t, silent)
		for i, want := range []time.Duration{90 * time.Second, 0, 0} {
			if w, _, took := b.get("GET"); w.Code != 504 || took != want || w.Header().Get("X-Cache") != "Error from cloudfront" {
				t.Errorf("request %d: %d after %s, want 504 after %s", i, w.Code, took, want)
			}
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

func TestViewerThatGoesAwayLeavesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // a goroutine that is left fails the bubble
		ctx, cancel := context.WithCancel(t.Context())
		b := newBubble(t, func(r *http.Request) (*http.Response, error) {
			reader, writer := io.Pipe()
			go func() {
				io.WriteString(writer, "x")
				<-r.Context().Done()
				writer.CloseWithError(r.Context().Err())
			}()
			return response(200, reader), nil
		}, func(c *Config) { c.Distribution.DefaultCacheBehavior.CachePolicy = cachingOptimized })
		time.AfterFunc(time.Second, cancel)
		func() {
			defer func() {
				if p := recover(); p != http.ErrAbortHandler {
					t.Errorf("panic %v", p)
				}
			}()
			b.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/x", nil).WithContext(ctx))
		}()
		if n := b.cache.Len(); n != 0 {
			t.Errorf("%d objects are in the cache, and the only one was not whole", n)
		}
	})
}
