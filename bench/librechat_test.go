package bench

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/aproorg/sluice/internal/app/librechat/facts"
	"github.com/aproorg/sluice/internal/app/librechat/librechattest"
	"github.com/aproorg/sluice/internal/app/librechat/rehearsal"
	"github.com/aproorg/sluice/internal/rehearse"
	"github.com/aproorg/sluice/internal/rehearse/stores"
	"github.com/aproorg/sluice/internal/stack"
	"github.com/aproorg/sluice/internal/testkit"
)

// A built LibreChat, with the embedded stores. Each number is of this machine; the
// ratios, of runs side by side, are what is looked at.

// releases runs a benchmark with each release of SLUICE_LIBRECHAT_DIR.
func releases(b *testing.B, run func(b *testing.B, r facts.Release)) {
	for _, r := range librechattest.Built(b, "go test -run - -bench LibreChat -benchtime 10x -timeout 60m ./bench/...") {
		b.Run(r.Version, func(b *testing.B) { run(b, r) })
	}
}

// startChat starts a release's stores for a site at a URL.
func startChat(b *testing.B, r facts.Release, siteURL string) (*rehearsal.LibreChat, *stack.Stack) {
	b.Helper()
	topology, err := stack.Default()
	if err != nil {
		b.Fatal(err)
	}
	c, err := rehearsal.Start(b.Context(), rehearsal.Config{
		Release: r, SiteURL: siteURL, Path: os.Getenv("PATH"), Function: topology.Function.Environment, Stores: stores.Config{Dir: b.TempDir()},
	})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = c.Close() }) // the world is closed before
	return c, topology
}

// rehearseChat starts the whole path in front of a release, whose environments start as
// said: rehearse.StartOnDemand or rehearse.StartSnapStart.
func rehearseChat(b *testing.B, r facts.Release, how string) (*rehearse.World, *rehearsal.LibreChat) {
	b.Helper()
	addresses, err := rehearse.Listen("127.0.0.1:0", "")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = addresses.Close() })
	c, topology := startChat(b, r, addresses.ViewerURL)
	// Twenty starts at once share the cores of this machine, where Lambda gives each its own.
	topology.Function.Environment["SLUICE_READY_ATTEMPTS"] = "600"
	w, err := rehearse.Start(b.Context(), rehearse.Config{
		App: c.App, Stores: c.Stores, Addresses: addresses, Stack: topology, Site: os.DirFS(r.SiteDir()),
		Routes: facts.Routes(), Concurrency: 40, Start: how,
	})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { closeRehearsal(b, w) })
	prepared(b, c)
	return w, c
}

func prepared(b *testing.B, c *rehearsal.LibreChat) {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.Context(), 3*time.Minute)
	defer cancel()
	if err := c.Prepared(ctx); err != nil {
		b.Fatal(err)
	}
}

// noneLeft ends all environments.
func noneLeft(b *testing.B, w *rehearse.World) {
	b.Helper()
	w.Lambda.KillAll()
	testkit.Wait(b, 20*time.Second, "the end of all environments", func() (string, bool) {
		left := w.Lambda.Environments()
		return fmt.Sprintf("%+v", left), len(left) == 0
	})
}

// get returns the time until a path's answer was read.
func get(b *testing.B, url string) time.Duration {
	b.Helper()
	begun := time.Now()
	response, err := http.Get(url)
	if err != nil {
		b.Error(err)
		return 0
	}
	defer response.Body.Close()
	if _, err := io.Copy(io.Discard, response.Body); err != nil || response.StatusCode != http.StatusOK {
		b.Errorf("%s: status %d, %v", url, response.StatusCode, err)
	}
	return time.Since(begun)
}

// median bears a few runs that other programs disturbed; it is 0 of nothing.
func median[T cmp.Ordered](all []T) T {
	var none T
	if len(all) == 0 {
		return none
	}
	return slices.Sorted(slices.Values(all))[len(all)/2]
}

func ratio(a, b time.Duration) float64 { return float64(a) / float64(b) }
