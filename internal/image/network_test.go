package image

import (
	"context"
	"errors"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	registryserver "github.com/google/go-containerregistry/pkg/registry"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/google/go-containerregistry/pkg/v1/validate"

	"github.com/aproorg/sluice/internal/hint"
	"github.com/aproorg/sluice/internal/image/registry"
	"github.com/aproorg/sluice/internal/image/source"
)

// A trouble spoils some requests of a registry and leaves others alone.
type trouble func(w http.ResponseWriter, r *http.Request, next http.Handler) (handled bool)

func troubled(t *testing.T, spoil trouble) string {
	next := registryserver.New(registryserver.Logger(log.New(io.Discard, "", 0)))
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !spoil(w, r, next) {
			next.ServeHTTP(w, r)
		}
	}))
	t.Cleanup(server.Close)
	return strings.TrimPrefix(server.URL, "http://")
}

func hangUp(w http.ResponseWriter) {
	conn, _, err := w.(http.Hijacker).Hijack()
	if err == nil {
		conn.Close()
	}
}

// times lets a trouble happen so often and no more.
func times(n int64) func() bool {
	var count atomic.Int64
	return func() bool { return count.Add(1) <= n }
}

func patient() registry.Access {
	return registry.Access{Pause: time.Millisecond, Stall: 300 * time.Millisecond, Retries: 4}
}

func largeApp(t testing.TB) Options {
	o := options(stored(t, app(t, types.DockerManifestSchema2, "amd64",
		layer(t, types.DockerLayer, dir("app"), dir("app/api"), file("app/api/index.js", 400_000)))))
	o.Expect, o.Registry = nil, patient()
	o.Links = nil
	return o
}

func TestPushSurvives(t *testing.T) {
	for name, spoil := range map[string]func() trouble{
		"a server error": func() trouble {
			now := times(2)
			return func(w http.ResponseWriter, r *http.Request, _ http.Handler) bool {
				if r.Method != http.MethodPatch || !now() {
					return false
				}
				http.Error(w, "busy", http.StatusServiceUnavailable)
				return true
			}
		},
		"a connection dropped in the middle of a layer": func() trouble {
			now := times(2)
			return func(w http.ResponseWriter, r *http.Request, _ http.Handler) bool {
				if r.Method != http.MethodPatch || !now() {
					return false
				}
				io.CopyN(io.Discard, r.Body, 100)
				hangUp(w)
				return true
			}
		},
		"a connection dropped before the manifest's answer": func() trouble {
			now := times(1)
			return func(w http.ResponseWriter, r *http.Request, next http.Handler) bool {
				if r.Method != http.MethodPut || !strings.Contains(r.URL.Path, "/manifests/") || !now() {
					return false
				}
				next.ServeHTTP(httptest.NewRecorder(), r)
				hangUp(w)
				return true
			}
		},
		"a stall": func() trouble {
			now := times(1)
			return func(w http.ResponseWriter, r *http.Request, _ http.Handler) bool {
				if r.Method != http.MethodPatch || !now() {
					return false
				}
				io.Copy(io.Discard, r.Body)
				<-r.Context().Done()
				return true
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			o := largeApp(t)
			o.To = troubled(t, spoil()) + "/app:v1"
			result, err := Build(t.Context(), o)
			if err != nil {
				t.Fatal(err)
			}
			pulled, err := source.Open(t.Context(), result.Reference, "amd64", patient())
			if err != nil {
				t.Fatal(err)
			}
			if err := validate.Image(pulled); err != nil {
				t.Error(err)
			}
		})
	}
}

// A download that breaks goes on at the byte where it broke.
func TestDownloadResumesWhereItBroke(t *testing.T) {
	var mu sync.Mutex
	var ranges []string
	now := times(2)
	host := troubled(t, func(w http.ResponseWriter, r *http.Request, next http.Handler) bool {
		if r.Method != http.MethodGet || !strings.Contains(r.URL.Path, "/blobs/") {
			return false
		}
		whole := httptest.NewRecorder()
		request := r.Clone(r.Context())
		request.Header.Del("Range")
		next.ServeHTTP(whole, request)
		if whole.Body.Len() < 10_000 {
			return false // the configuration
		}
		mu.Lock()
		ranges = append(ranges, r.Header.Get("Range"))
		mu.Unlock()
		content := &cutShort{ResponseWriter: w, left: 1 << 30}
		if now() {
			content.left = 5000
		}
		http.ServeContent(content, r, "", time.Time{}, strings.NewReader(whole.Body.String()))
		return true
	})
	base := app(t, types.DockerManifestSchema2, "amd64", noise(t, 100_000))
	tag, err := name.NewTag(host + "/base:v1")
	if err != nil {
		t.Fatal(err)
	}
	if err := remote.Write(tag, base); err != nil {
		t.Fatal(err)
	}
	pulled, err := source.Open(t.Context(), tag.String(), "amd64", patient())
	if err != nil {
		t.Fatal(err)
	}
	layers, err := pulled.Layers()
	if err != nil {
		t.Fatal(err)
	}
	content, err := layers[0].Compressed()
	if err != nil {
		t.Fatal(err)
	}
	defer content.Close()
	if _, err := io.Copy(io.Discard, content); err != nil {
		t.Fatal(err)
	}
	if len(ranges) != 3 || ranges[0] != "" || !strings.HasPrefix(ranges[1], "bytes=") || ranges[1] == ranges[2] {
		t.Errorf("asked for %q", ranges)
	}
}

// cutShort drops the connection after some bytes.
type cutShort struct {
	http.ResponseWriter
	left int
}

func (c *cutShort) Write(p []byte) (int, error) {
	if len(p) < c.left {
		c.left -= len(p)
		return c.ResponseWriter.Write(p)
	}
	c.ResponseWriter.Write(p[:c.left])
	http.NewResponseController(c.ResponseWriter).Flush()
	panic(http.ErrAbortHandler)
}

// Cut off after any request, the tag does not show half an image, and the next
// run ends well.
func TestPushKilledAnywhere(t *testing.T) {
	var left, seen atomic.Int64
	left.Store(1 << 30)
	cut := func(w http.ResponseWriter, _ *http.Request, _ http.Handler) bool {
		seen.Add(1)
		if left.Add(-1) < 0 {
			w.WriteHeader(http.StatusForbidden)
			return true
		}
		return false
	}
	o := largeApp(t)
	o.To = troubled(t, cut) + "/app:v1"
	if _, err := Build(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	for n := range seen.Load() {
		o.To = troubled(t, cut) + "/app:v1"
		left.Store(n)
		if _, err := Build(t.Context(), o); err == nil {
			t.Fatalf("cut after %d requests: no error", n)
		}
		left.Store(1 << 30)
		if found, err := patient().Exists(t.Context(), o.To); err != nil || found {
			t.Errorf("cut after %d requests: the tag is there, %v", n, err)
		}
		result, err := Build(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		if pulled, err := source.Open(t.Context(), result.Reference, "amd64", patient()); err != nil || validate.Image(pulled) != nil {
			t.Errorf("cut after %d requests: %v", n, err)
		}
	}
}

func TestPushGivesUp(t *testing.T) {
	o := largeApp(t)
	o.Registry.Retries = 2
	o.To = troubled(t, func(w http.ResponseWriter, r *http.Request, _ http.Handler) bool {
		if r.Method == http.MethodPatch {
			hangUp(w)
		}
		return r.Method == http.MethodPatch
	}) + "/app:v1"
	if _, err := Build(t.Context(), o); err == nil || !strings.Contains(err.Error(), "push image") {
		t.Errorf("got %v", err)
	}
	if found, err := patient().Exists(t.Context(), o.To); err != nil || found {
		t.Errorf("the image is there: %v, %v", found, err)
	}
}

func TestPushStopsWithItsContext(t *testing.T) {
	o := largeApp(t)
	o.Registry.Stall = time.Minute
	ctx, cancel := context.WithCancel(t.Context())
	o.To = troubled(t, func(w http.ResponseWriter, r *http.Request, _ http.Handler) bool {
		if r.Method != http.MethodPatch {
			return false
		}
		io.Copy(io.Discard, r.Body)
		cancel()
		<-r.Context().Done()
		return true
	}) + "/app:v1"
	if _, err := Build(ctx, o); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestCredentials(t *testing.T) {
	host := troubled(t, func(w http.ResponseWriter, r *http.Request, _ http.Handler) bool {
		user, password, _ := r.BasicAuth()
		if user == "AWS" && password == "token" {
			return false
		}
		w.Header().Set("WWW-Authenticate", `Basic realm="registry"`)
		http.Error(w, `{"errors":[{"code":"UNAUTHORIZED","message":"authentication required"}]}`, http.StatusUnauthorized)
		return true
	})
	o := largeApp(t)
	o.To = host + "/app:v1"
	o.Registry.Keychain = keychain{}
	if _, err := Build(t.Context(), o); err == nil || !strings.Contains(hint.Text(err), "docker login") {
		t.Errorf("without: %v", err)
	}
	o.Registry.Keychain = keychain{"AWS", "token"}
	if _, err := Build(t.Context(), o); err != nil {
		t.Errorf("with: %v", err)
	}
}

type keychain struct{ user, password string }

func (k keychain) Resolve(authn.Resource) (authn.Authenticator, error) {
	if k.user == "" {
		return authn.Anonymous, nil
	}
	return &authn.Basic{Username: k.user, Password: k.password}, nil
}

func TestDelete(t *testing.T) {
	o := largeApp(t)
	o.To = newRegistry(t) + "/app:v1"
	result, err := Build(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 { // what is gone may be deleted again
		if err := patient().Delete(t.Context(), result.Reference); err != nil {
			t.Fatal(err)
		}
	}
	if found, err := patient().Exists(t.Context(), result.Reference); err != nil || found {
		t.Errorf("still there: %v, %v", found, err)
	}
}
