package lambda_test

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/aproorg/sluice/internal/emulate/lambda"
)

// BenchmarkInvoke shows what an invocation costs, and how much of it is the
// freeze and the thaw.
func BenchmarkInvoke(b *testing.B) {
	for name, noFreeze := range map[string]bool{"freeze": false, "no-freeze": true} {
		b.Run(name, func(b *testing.B) {
			w := start(b, func(cfg *lambda.Config) { cfg.NoFreeze = noFreeze })
			w.invoke(event{})
			for b.Loop() {
				req, _ := http.NewRequest("POST", w.server.URL+"/2021-11-15/functions/chat/response-streaming-invocations", strings.NewReader("{}"))
				resp, err := http.DefaultClient.Do(req)
				if err != nil {
					b.Fatal(err)
				}
				_, _ = io.Copy(io.Discard, resp.Body)
				resp.Body.Close()
			}
		})
	}
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
