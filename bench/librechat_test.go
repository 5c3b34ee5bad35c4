package bench

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/aproorg/sluice/internal/librechat"
	"github.com/aproorg/sluice/internal/rehearse"
	"github.com/aproorg/sluice/internal/rehearse/chatapp"
	"github.com/aproorg/sluice/internal/stack"
	"github.com/aproorg/sluice/internal/stores"
	"github.com/aproorg/sluice/internal/timeline"
)

// A built LibreChat's cold starts. Each number is of this machine; the ratios are what is looked at.

// chats runs a benchmark with each release of SLUICE_LIBRECHAT_DIR.
func chats(b *testing.B, run func(b *testing.B, w *rehearse.World, c *chatapp.Chat)) {
	dirs := filepath.SplitList(os.Getenv("SLUICE_LIBRECHAT_DIR"))
	if len(dirs) == 0 {
		b.Skip("needs a built LibreChat: SLUICE_LIBRECHAT_DIR=DIR go test -run - -bench LibreChat ./bench/...")
	}
	for _, dir := range dirs {
		r, err := librechat.Detect(dir)
		if err != nil {
			b.Fatal(err)
		}
		b.Run(r.Version, func(b *testing.B) {
			w, c := rehearseChat(b, r)
			run(b, w, c)
		})
	}
}

func rehearseChat(b *testing.B, r librechat.Release) (*rehearse.World, *chatapp.Chat) {
	b.Helper()
	topology, err := stack.Default()
	if err != nil {
		b.Fatal(err)
	}
	c, err := chatapp.New(chatapp.Config{
		Release: r, Path: os.Getenv("PATH"), Function: topology.Function.Environment, Stores: stores.Config{Dir: b.TempDir()},
	})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = c.Close() }) // the world is closed before
	w, err := rehearse.Start(b.Context(), rehearse.Config{
		App: rehearse.App{Name: "LibreChat", Env: map[string]string{}}, Stack: topology, Site: os.DirFS(r.SiteDir()),
		Routes: librechat.Routes(), AppAt: c.App, Listen: "127.0.0.1:0", Concurrency: 20,
	})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { closeRehearsal(b, w) })
	if err := c.Prepared(b.Context()); err != nil {
		b.Fatal(err)
	}
	return w, c
}

// ask returns the time until a path's answer was read.
func ask(b *testing.B, w *rehearse.World, path string) time.Duration {
	b.Helper()
	begun := time.Now()
	response, err := http.Get(w.ViewerURL + path)
	if err != nil {
		b.Error(err)
		return 0
	}
	defer response.Body.Close()
	if _, err := io.Copy(io.Discard, response.Body); err != nil || response.StatusCode != http.StatusOK {
		b.Errorf("%s: status %d, %v", path, response.StatusCode, err)
	}
	return time.Since(begun)
}

// noneLeft ends all environments.
func noneLeft(b *testing.B, w *rehearse.World) {
	b.Helper()
	w.Lambda.KillAll()
	for deadline := time.Now().Add(20 * time.Second); len(w.Lambda.Environments()) > 0; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			b.Fatal("environments do not end")
		}
	}
}

// BenchmarkLibreChatColdStart compares the first answer of a cold environment with
// node alone until it is ready. `prepare_%` is the part of secrets, environment and configuration.
func BenchmarkLibreChatColdStart(b *testing.B) {
	chats(b, func(b *testing.B, w *rehearse.World, c *chatapp.Chat) {
		ctx, cancel := context.WithCancel(b.Context())
		steps := make(chan time.Duration, 1)
		go func() { steps <- prepared(ctx, w.Recorder) }()
		var cold, alone time.Duration
		var memory int64
		for b.Loop() {
			noneLeft(b, w)
			cold += ask(b, w, "/api/config")
			for _, e := range w.Lambda.Environments() {
				memory = max(memory, e.MaxMemory)
			}
			noneLeft(b, w)
			took, err := c.Alone(b.Context())
			if err != nil {
				b.Fatal(err)
			}
			alone += took
		}
		cancel()
		n := float64(b.N)
		b.ReportMetric(cold.Seconds()/n, "cold_s")
		b.ReportMetric(alone.Seconds()/n, "alone_s")
		b.ReportMetric(float64(cold)/float64(alone), "ratio")
		b.ReportMetric(100*(<-steps).Seconds()/cold.Seconds(), "prepare_%")
		b.ReportMetric(float64(memory)/(1<<20), "MB/environment")
	})
}

// prepared sums the longest step of each cold start, for the steps run side by side.
func prepared(ctx context.Context, recorder *timeline.Recorder) time.Duration {
	longest := map[string]time.Duration{}
	subscription := recorder.Subscribe(0)
	defer subscription.Close()
	for {
		events, _, err := subscription.Next(ctx)
		for _, e := range events {
			var line struct{ Message, Took string }
			if e.Kind != timeline.Log || json.Unmarshal([]byte(e.Note), &line) != nil || line.Message != "cold start" {
				continue
			}
			if took, err := time.ParseDuration(line.Took); err == nil {
				longest[e.Environment] = max(longest[e.Environment], took)
			}
		}
		if err != nil {
			break
		}
	}
	var sum time.Duration
	for _, took := range longest {
		sum += took
	}
	return sum
}

// BenchmarkLibreChatBurst is a first page's calls at once, each of which starts an
// environment, against the same calls to environments that are warm.
func BenchmarkLibreChatBurst(b *testing.B) {
	for _, calls := range []int{4, 20} {
		b.Run(fmt.Sprint(calls), func(b *testing.B) {
			chats(b, func(b *testing.B, w *rehearse.World, _ *chatapp.Chat) {
				var cold, warm time.Duration
				for b.Loop() {
					noneLeft(b, w)
					cold += burst(b, w, calls)
					warm += burst(b, w, calls)
				}
				b.ReportMetric(cold.Seconds()/float64(b.N), "cold_s")
				b.ReportMetric(warm.Seconds()/float64(b.N), "warm_s")
				b.ReportMetric(float64(cold)/float64(warm), "ratio")
			})
		})
	}
}

func burst(b *testing.B, w *rehearse.World, calls int) time.Duration {
	b.Helper()
	begun := time.Now()
	var all sync.WaitGroup
	for range calls {
		all.Go(func() { ask(b, w, "/api/config") })
	}
	all.Wait()
	return time.Since(begun)
}
