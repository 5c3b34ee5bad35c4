package rehearsal_test

import (
	"context"
	"os"
	"testing"
	"time"

	"github.com/aproorg/sluice/internal/app/librechat/facts"
	"github.com/aproorg/sluice/internal/app/librechat/librechattest"
	"github.com/aproorg/sluice/internal/app/librechat/rehearsal"
	"github.com/aproorg/sluice/internal/emulate/llm"
	"github.com/aproorg/sluice/internal/rehearse"
	"github.com/aproorg/sluice/internal/rehearse/stores"
	"github.com/aproorg/sluice/internal/stack"
)

// world is a rehearsal with a LibreChat or its stand-in.
type world struct {
	*rehearse.World
	chat    *rehearsal.LibreChat
	release facts.Release
	saves   *saves
	clock   *steady
}

// eachBuilt runs a test with each release of SLUICE_LIBRECHAT_DIR.
func eachBuilt(t *testing.T, run func(t *testing.T, r facts.Release)) {
	for _, r := range librechattest.Built(t, "go test ./internal/app/librechat/rehearsal") {
		t.Run(r.Version, func(t *testing.T) { run(t, r) })
	}
}

// start rehearses a release until the test ends, and returns when its database is prepared.
func start(t testing.TB, r facts.Release, env map[string]string, change func(*rehearse.Config)) *world {
	t.Helper()
	return startWith(t, r, env, stores.Config{}, change)
}

// startWith is start with stores of which some settings are the caller's.
func startWith(t testing.TB, r facts.Release, env map[string]string, beside stores.Config, change func(*rehearse.Config)) *world {
	t.Helper()
	w := startAtOnce(t, rehearsal.Config{Release: r, Env: env, Stores: beside}, change)
	w.prepared(t)
	return w
}

// prepared returns when the database is prepared.
func (w *world) prepared(t testing.TB) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	if err := w.chat.Prepared(ctx); err != nil {
		t.Fatal(err)
	}
}

// startAtOnce rehearses what the configuration names, and returns while the database
// is still being prepared.
func startAtOnce(t testing.TB, app rehearsal.Config, change func(*rehearse.Config)) *world {
	t.Helper()
	r := app.Release
	topology, err := stack.Default()
	if err != nil {
		t.Fatal(err)
	}
	w := &world{release: r, saves: &saves{}, clock: &steady{}}
	w.clock.start(t)
	app.Stores.Dir, app.Stores.Wrote = t.TempDir(), w.saves.note
	app.Stores.Model = llm.Config{Tokens: 30, Rate: 20, First: 200 * time.Millisecond}
	addresses, err := rehearse.Listen("127.0.0.1:0", "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = addresses.Close() })
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	defer cancel()
	app.SiteURL, app.Path, app.Function = addresses.ViewerURL, os.Getenv("PATH"), topology.Function.Environment
	w.chat, err = rehearsal.Start(ctx, app)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.chat.Close(); err != nil {
			t.Errorf("close the stores: %v", err)
		}
	})
	cfg := rehearse.Config{
		App: w.chat.App, Stores: w.chat.Stores, Addresses: addresses,
		Stack: topology, Site: os.DirFS(r.SiteDir()), Routes: facts.Routes(), Concurrency: 8,
	}
	if change != nil {
		change(&cfg)
	}
	if w.World, err = rehearse.Start(ctx, cfg); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.Close(context.Background()); err != nil {
			t.Errorf("close the rehearsal: %v", err)
		}
	})
	return w
}

// environments are those that serve, oldest first.
func (w *world) environments() []string {
	var ids []string
	for _, e := range w.Lambda.Environments() {
		ids = append(ids, e.ID)
	}
	return ids
}
