package lambda_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aproorg/sluice/internal/emulate/lambda"
)

// BenchmarkInvoke compares an invocation, frozen and not, with a plain call of an
// HTTP server in this process. All three take turns, so that they see the same
// machine.
func BenchmarkInvoke(b *testing.B) {
	plain := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.Copy(w, r.Body) }))
	defer plain.Close()
	urls := []string{plain.URL}
	for _, noFreeze := range []bool{true, false} {
		w := start(b, func(cfg *lambda.Config) { cfg.NoFreeze = noFreeze })
		w.invoke(event{})
		w.frozen()
		urls = append(urls, w.server.URL+"/2021-11-15/functions/chat/response-streaming-invocations")
	}
	took := make([]time.Duration, len(urls))
	for b.Loop() {
		for i, url := range urls {
			begin := time.Now()
			resp, err := http.Post(url, "application/json", strings.NewReader("{}"))
			if err != nil {
				b.Fatal(err)
			}
			_, _ = io.Copy(io.Discard, resp.Body)
			resp.Body.Close()
			took[i] += time.Since(begin)
		}
	}
	ratio := func(i, j int) float64 { return float64(took[i]) / float64(took[j]) }
	b.ReportMetric(ratio(1, 0), "invoke/plain")
	b.ReportMetric(ratio(2, 1), "frozen/unfrozen")
	b.ReportMetric(float64(b.N)/took[2].Seconds(), "frozen-invocations/s")
}

// BenchmarkEnvironment shows what an environment costs besides the function's
// own processes: memory in the emulator, and the shell that holds the sandbox.
func BenchmarkEnvironment(b *testing.B) {
	const n = 40
	for b.Loop() {
		w := start(b, func(cfg *lambda.Config) { cfg.Concurrency = n })
		w.invoke(event{})
		w.frozen()
		debug.FreeOSMemory()
		before := memory(os.Getpid(), "RssAnon:")
		var wg sync.WaitGroup
		for range n {
			wg.Go(func() { w.invoke(event{Do: "sleep", Millis: 3000}) })
		}
		wg.Wait()
		w.frozen()
		envs := w.em.Environments()
		debug.FreeOSMemory()
		shell := int64(0)
		for _, e := range envs {
			shell += memory(e.PID, "RssAnon:")
		}
		b.ReportMetric(float64(memory(os.Getpid(), "RssAnon:")-before)/float64(len(envs)-1), "emulator-kB/env")
		b.ReportMetric(float64(shell)/float64(len(envs)), "shell-kB/env")
		b.ReportMetric(float64(len(envs)), "envs")
	}
}

// memory reads a field of /proc/PID/status, in kB.
func memory(pid int, field string) int64 {
	status, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	_, rest, _ := strings.Cut(string(status), field)
	f := strings.Fields(rest)
	if len(f) == 0 {
		return 0
	}
	n, _ := strconv.ParseInt(f[0], 10, 64)
	return n
}
