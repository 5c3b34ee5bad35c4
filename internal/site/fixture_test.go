package site_test

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"

	"github.com/aproorg/sluice/internal/awsx"
	"github.com/aproorg/sluice/internal/site"
)

// server is gofakes3 behind a handler that counts, spoils and checks requests:
// gofakes3 itself compares no checksum.
type server struct {
	http.Handler
	mu       sync.Mutex
	requests []string // METHOD KEY, with COPY for a copy
	left     int      // requests until the connection is cut; negative: never
}

func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	method := r.Method
	if r.Header.Get("X-Amz-Copy-Source") != "" {
		method = "COPY"
	}
	_, key, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	s.requests = append(s.requests, method+" "+key)
	dead := s.left == 0
	if s.left > 0 {
		s.left--
	}
	s.mu.Unlock()
	if dead {
		w.WriteHeader(http.StatusForbidden)
		return
	}
	if want := r.Header.Get("X-Amz-Checksum-Sha256"); want != "" && !matches(r, want) {
		w.WriteHeader(http.StatusBadRequest)
		fmt.Fprint(w, `<Error><Code>BadDigest</Code><Message>The SHA256 you specified did not match</Message></Error>`)
		return
	}
	s.Handler.ServeHTTP(w, r)
}

func matches(r *http.Request, want string) bool {
	content, err := io.ReadAll(r.Body)
	if err != nil {
		return false
	}
	r.Body = io.NopCloser(strings.NewReader(string(content)))
	sum := sha256.Sum256(content)
	return base64.StdEncoding.EncodeToString(sum[:]) == want
}

func (s *server) reset() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests, s.left = nil, -1
}

func (s *server) count(prefix string) (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, request := range s.requests {
		if strings.HasPrefix(request, prefix) {
			n++
		}
	}
	return n
}

// distribution notes what it is asked to forget.
type distribution struct{ paths [][]string }

func (d *distribution) Invalidate(_ context.Context, reference string, paths []string) (string, error) {
	if !strings.HasPrefix(reference, "sluice-") {
		return "", errors.New("no reference")
	}
	d.paths = append(d.paths, paths)
	return fmt.Sprintf("I%d", len(d.paths)), nil
}

// world is a bucket, a distribution and a clock.
type world struct {
	server *server
	cdn    *distribution
	now    time.Time
	o      site.Options
	config *awsx.Config
}

func newWorld(t testing.TB) *world {
	t.Helper()
	backend := s3mem.New()
	if err := backend.CreateBucket("site"); err != nil {
		t.Fatal(err)
	}
	w := &world{server: &server{left: -1, Handler: gofakes3.New(backend, gofakes3.WithLogger(gofakes3.DiscardLog()), gofakes3.WithTimeSkewLimit(0)).Server()},
		cdn: &distribution{}, now: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)}
	listener := httptest.NewServer(w.server)
	t.Cleanup(listener.Close)
	w.config = connect(t, listener.URL)
	w.o = site.Options{Store: w.config.Bucket("site", ""), Invalidator: w.cdn, Now: func() time.Time { return w.now }}
	return w
}

func connect(t testing.TB, endpoint string) *awsx.Config {
	if t, ok := t.(*testing.T); ok {
		t.Setenv("AWS_ACCESS_KEY_ID", "test")
		t.Setenv("AWS_SECRET_ACCESS_KEY", "test")
	}
	config, err := awsx.Load(t.Context(), awsx.Settings{Region: "eu-west-1", Endpoint: endpoint})
	if err != nil {
		t.Fatal(err)
	}
	return config
}

// release is a small site whose page names the version.
func release(version string) fstest.MapFS {
	return fstest.MapFS{
		"index.html":                            {Data: []byte("<script src=/assets/index." + version + "Ab3dEf.js>")},
		"sw.js":                                 {Data: []byte("sw " + version)},
		"assets/index." + version + "Ab3dEf.js": {Data: []byte("js " + version)},
		"assets/vendor.Zz9xYy8w.js":             {Data: []byte("vendor")},
		"assets/logo.svg":                       {Data: []byte("<svg>" + version + "</svg>")},
		"assets/fonts/inter.woff2":              {Data: []byte("font")},
		"assets/vendor.Zz9xYy8w.js.map":         {Data: []byte("map")},
		"assets/vendor.Zz9xYy8w.js.gz":          {Data: []byte("gz")},
		"robots.txt":                            {Data: []byte("robots")},
	}
}

func (w *world) apply(t *testing.T, source fs.FS) site.Result {
	t.Helper()
	w.o.Source = source
	result, err := site.Apply(t.Context(), w.o)
	if err != nil {
		t.Fatal(err)
	}
	return result
}

// get reads an object as a browser would.
func (w *world) get(t *testing.T, key string) (content string, found bool) {
	t.Helper()
	text, _, err := w.o.Store.Get(t.Context(), key)
	if errors.Is(err, fs.ErrNotExist) {
		return "", false
	}
	if err != nil {
		t.Fatal(err)
	}
	return string(text), true
}
