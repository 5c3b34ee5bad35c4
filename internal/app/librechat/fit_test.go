package librechat

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aproorg/sluice/internal/app"
	"github.com/aproorg/sluice/internal/app/librechat/facts"
	"github.com/aproorg/sluice/internal/app/librechat/librechattest"
	"github.com/aproorg/sluice/internal/dotenv"
	"github.com/aproorg/sluice/internal/hint"
	"github.com/aproorg/sluice/internal/rehearse"
	"github.com/aproorg/sluice/internal/stack"
	"github.com/aproorg/sluice/internal/testdeps"
	"github.com/aproorg/sluice/internal/timeline"
)

// TestExampleStandIn: a .env like LibreChat's example rehearses, and what does not fit
// is said once each, with what mends it.
func TestExampleStandIn(t *testing.T) {
	testdeps.Node(t)
	r := librechattest.Today(t, t.TempDir())
	env := read(t, "testdata/example.env")
	env[librechattest.State] = t.TempDir()
	warned := rehearseWith(t, r, env)
	want := []string{"CONFIG_PATH", "DOMAIN_CLIENT", "DOMAIN_SERVER", "HOST", "LIBRECHAT_LOG_DIR", "MONGO_URI", "PORT", "REDIS_PASSWORD", "REDIS_URI", "SEARCH", "USE_REDIS", "USE_REDIS_CLUSTER"}
	if !slices.Equal(warned, want) {
		t.Errorf("said of %q, want %q", warned, want)
	}
}

// TestExampleBuilt takes each release's own.
func TestExampleBuilt(t *testing.T) {
	for _, r := range librechattest.Built(t, "go test ./internal/app/librechat") {
		t.Run(r.Version, func(t *testing.T) {
			warned := rehearseWith(t, r, read(t, filepath.Join(r.Dir, ".env.example")))
			t.Logf("left out: %s", strings.Join(warned, ", "))
			for _, name := range []string{"DOMAIN_CLIENT", "HOST", "MONGO_URI", "PORT"} {
				if !slices.Contains(warned, name) {
					t.Errorf("nothing is said of %s", name)
				}
			}
		})
	}
}

func read(t *testing.T, file string) map[string]string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	env, err := dotenv.Parse(string(text))
	if err != nil {
		t.Fatal(err)
	}
	return env
}

// rehearseWith starts a rehearsal with the variables, asks for the configuration, and
// returns of which variables something was said, sorted.
func rehearseWith(t *testing.T, r facts.Release, env map[string]string) (warned []string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	topology, err := stack.Default()
	if err != nil {
		t.Fatal(err)
	}
	recorder := timeline.NewRecorder(0)
	p := &prepare{dir: r.Dir, tokens: 1, rate: 20}
	err = p.Check(ctx, app.Request{
		Name: "librechat", Env: env, Function: topology.Function.Environment, Image: topology.Function.ImageEnvironment, Recorder: recorder, Getenv: os.Getenv,
		Warn: func(err error) {
			name, _, _ := strings.Cut(err.Error(), " ")
			warned = append(warned, name)
			if hint.Of(err) == "" {
				t.Errorf("%v: no hint", err)
			}
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	addresses, err := rehearse.Listen("127.0.0.1:0", "")
	if err != nil {
		t.Fatal(err)
	}
	prepared, err := p.Start(ctx, addresses.ViewerURL)
	if err != nil {
		t.Fatal(err, addresses.Close())
	}
	defer func() { _ = prepared.Close() }()
	if _, standsIn := env[librechattest.State]; standsIn {
		prepared.App.State = librechattest.State
	}
	world, err := rehearse.Start(ctx, rehearse.Config{
		Stack: topology, App: prepared.App, Stores: prepared.Stores, Site: prepared.Site, Routes: prepared.Routes, Addresses: addresses, Recorder: recorder,
	})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = world.Close(context.WithoutCancel(ctx)) }()
	response, err := http.Get(world.ViewerURL + "/api/config")
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	if response.StatusCode != http.StatusOK {
		events, _ := recorder.Since(0)
		var log strings.Builder
		for _, e := range events {
			if e.Kind == timeline.Log || e.Kind == timeline.Notice {
				fmt.Fprintln(&log, e.Environment, e.Note)
			}
		}
		t.Errorf("the first request: %s\n%s", response.Status, log.String())
	}
	slices.Sort(warned)
	return warned
}

// TestSearchStaysOn where a Meilisearch takes connections.
func TestSearchStaysOn(t *testing.T) {
	listener, err := rehearse.Listen("127.0.0.1:0", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	p := &prepare{request: app.Request{Env: map[string]string{"SEARCH": "true", "MEILI_HOST": listener.ViewerURL, "MEILI_MASTER_KEY": "k"}, Warn: func(err error) { t.Error(err) }}}
	p.fit()
	if env := p.request.Env; env["SEARCH"] != "true" || env["MEILI_MASTER_KEY"] != "k" {
		t.Errorf("%q", env)
	}
}

// TestSiteByAnotherName: nothing is said of an address that names the rehearsal's site.
func TestSiteByAnotherName(t *testing.T) {
	for value, want := range map[string]int{
		"http://127.0.0.1:3080": 0, "http://localhost:3080/": 0, "http://localhost:8080": 1, "https://localhost:3080": 1, "http://chat.example.com:3080": 1, "": 0,
	} {
		said := 0
		p := &prepare{request: app.Request{Env: map[string]string{"DOMAIN_CLIENT": value}, Warn: func(error) { said++ }}}
		p.fitSite("http://127.0.0.1:3080")
		if _, left := p.request.Env["DOMAIN_CLIENT"]; said != want || left {
			t.Errorf("%q: %d warnings, want %d", value, said, want)
		}
	}
}
