package bench

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/aproorg/sluice/internal/app/demo"
	"github.com/aproorg/sluice/internal/bootstrapbin"
	"github.com/aproorg/sluice/internal/rehearse"
	"github.com/aproorg/sluice/internal/testkit"
)

// The whole rehearsal, from a browser's request to the app and back through three hops, the Runtime API and the bootstrap
// on loopback connections. The same app called directly is the baseline.

// init makes this test binary the demo app too.
func init() {
	if os.Getenv("SLUICE_BENCH_DEMO") == "" {
		return
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	config, err := demo.ConfigFrom(os.Getenv)
	if err == nil {
		err = demo.Run(ctx, config)
	}
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// rehearsal starts this binary as the app that a variable of its environment chooses.
func rehearsed(b *testing.B, variable string) *rehearse.World {
	b.Helper()
	w, err := rehearse.Start(b.Context(), rehearsalConfig(b, variable))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { closeRehearsal(b, w) })
	return w
}

func rehearsalConfig(b *testing.B, variable string) rehearse.Config {
	b.Helper()
	bootstrap, err := bootstrapbin.Path(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	executable, err := os.Executable()
	if err != nil {
		b.Fatal(err)
	}
	return rehearse.Config{
		App:    rehearse.App{Name: "bench", Command: []string{executable}, ReadyPath: "/health", Env: map[string]string{variable: "1"}},
		Listen: "127.0.0.1:0", Bootstrap: bootstrap, Concurrency: 40,
	}
}

func closeRehearsal(b *testing.B, w *rehearse.World) {
	b.Helper()
	if err := w.Close(context.Background()); err != nil {
		b.Error(err)
	}
}

// client keeps its connections, as a browser does, and accepts no compression.
func client(b *testing.B) *http.Client {
	transport := &http.Transport{DisableCompression: true, MaxIdleConnsPerHost: 64}
	b.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, Timeout: 30 * time.Second}
}

// fetch may run in any goroutine; it reports whether the answer was whole.
func fetch(b *testing.B, c *http.Client, url string) bool {
	res, err := c.Get(url)
	if err != nil {
		b.Error(err)
		return false
	}
	defer res.Body.Close()
	if _, err := io.Copy(io.Discard, res.Body); err != nil || res.StatusCode != http.StatusOK {
		b.Errorf("GET %s: %s, %v", url, res.Status, err)
		return false
	}
	return true
}

// BenchmarkRehearseStart is the time until `sluice up` with the demo app prints its URLs, and until the first answer of
// the app, cold start included. Against it: how long the demo app alone takes to answer.
func BenchmarkRehearseStart(b *testing.B) {
	cfg := rehearsalConfig(b, "SLUICE_BENCH_DEMO")
	cfg.Site = demo.Site()
	var ready, answered time.Duration
	for b.Loop() {
		begin := time.Now()
		w, err := rehearse.Start(b.Context(), cfg)
		if err != nil {
			b.Fatal(err)
		}
		ready += time.Since(begin)
		fetch(b, client(b), w.ViewerURL+"/api/me")
		answered += time.Since(begin)
		closeRehearsal(b, w)
	}
	alone := startAlone(b, "SLUICE_BENCH_DEMO").took
	n := time.Duration(b.N)
	b.ReportMetric(milliseconds(ready/n), "ms-ready")
	b.ReportMetric(milliseconds(answered/n), "ms-first-answer")
	b.ReportMetric(milliseconds(alone), "ms-app-alone")
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// alone is the app without Sluice.
type alone struct {
	url  string
	took time.Duration // until it answered
}

func startAlone(b *testing.B, variable string) alone {
	b.Helper()
	executable, err := os.Executable()
	if err != nil {
		b.Fatal(err)
	}
	port := freePort(b)
	cmd := exec.Command(executable)
	cmd.Env = append(os.Environ(), variable+"=1", "PORT="+port)
	begin := time.Now()
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	app := alone{url: "http://127.0.0.1:" + port}
	c := client(b)
	testkit.Wait(b, 10*time.Second, "an answer of the app alone", func() (string, bool) {
		res, err := c.Get(app.url + "/health")
		if err != nil {
			return err.Error(), false
		}
		app.took = time.Since(begin)
		return res.Status, res.Body.Close() == nil
	})
	return app
}

// BenchmarkRehearseRequests is one request after the other, and eight at a time, through all hops against direct calls.
func BenchmarkRehearseRequests(b *testing.B) {
	w, app, c := rehearsed(b, "SLUICE_BENCH_APP"), startAlone(b, "SLUICE_BENCH_APP"), client(b)
	const path = "/bytes?n=10000"
	for _, parallel := range []int{1, 8} {
		b.Run(fmt.Sprintf("parallel=%d", parallel), func(b *testing.B) {
			through := requestsPerSecond(b, c, w.ViewerURL+path, parallel)
			direct := requestsPerSecond(b, c, app.url+path, parallel)
			for b.Loop() {
				fetch(b, c, w.ViewerURL+path)
			}
			b.ReportMetric(through, "req/s")
			b.ReportMetric(direct, "req/s-direct")
			b.ReportMetric(direct/through, "times-slower")
		})
	}
}

// requestsPerSecond asks for a second, once everything is warm.
func requestsPerSecond(b *testing.B, c *http.Client, url string, parallel int) float64 {
	b.Helper()
	var wg sync.WaitGroup
	var mu sync.Mutex
	total := 0
	var begin time.Time
	for _, phase := range []time.Duration{300 * time.Millisecond, time.Second} {
		total, begin = 0, time.Now()
		for range parallel {
			wg.Go(func() {
				n := 0
				for time.Since(begin) < phase && fetch(b, c, url) {
					n++
				}
				mu.Lock()
				total += n
				mu.Unlock()
			})
		}
		wg.Wait()
	}
	return float64(total) / time.Since(begin).Seconds()
}

// BenchmarkRehearseMemory is what an environment takes besides the app: its processes but the app's, and its share of
// the rehearsal's own process.
func BenchmarkRehearseMemory(b *testing.B) {
	if runtime.GOOS != "linux" {
		b.Skip("reads /proc; run it on Linux")
	}
	const environments = 20
	w, c := rehearsed(b, "SLUICE_BENCH_APP"), client(b)
	fetch(b, c, w.ViewerURL+"/bytes?n=1")
	own, others := ownMemory(), 0.0
	for b.Loop() {
		var wg sync.WaitGroup
		for range environments {
			wg.Go(func() { fetch(b, c, w.ViewerURL+"/events?n=400") }) // 0.8 s each
		}
		wg.Wait()
	}
	n := len(w.Lambda.Environments())
	if n < environments/2 {
		b.Fatalf("only %d environments", n)
	}
	processes := 0
	for _, pid := range below(os.Getpid()) {
		command, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "cmdline"))
		if err != nil || strings.HasPrefix(string(command), os.Args[0]+"\x00") {
			continue // the app, or gone
		}
		processes++
		others += privateMemory(b, pid)
	}
	b.ReportMetric(others/float64(n), "MB/environment")
	b.ReportMetric((ownMemory()-own)/float64(n), "MB-rehearsal/environment")
	b.ReportMetric(float64(processes)/float64(n), "processes/environment")
	b.ReportMetric(float64(n), "environments")
}

// ownMemory is the heap and stacks of this process in MB.
func ownMemory() float64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return float64(m.HeapInuse+m.StackInuse) / 1e6
}

// privateMemory is what would be free without the process, in MB.
func privateMemory(b *testing.B, pid int) float64 {
	b.Helper()
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
	if err != nil {
		return 0 // it has ended
	}
	total := 0.0
	for line := range strings.Lines(string(data)) {
		if fields := strings.Fields(line); strings.HasPrefix(line, "Private_") && len(fields) > 1 {
			kb, err := strconv.ParseFloat(fields[1], 64)
			if err != nil {
				b.Fatal(err)
			}
			total += kb / 1000
		}
	}
	return total
}

// below lists the processes that descend from one.
func below(pid int) []int {
	var out []int
	files, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			continue
		}
		for _, field := range strings.Fields(string(data)) {
			if child, err := strconv.Atoi(field); err == nil {
				out = append(append(out, child), below(child)...)
			}
		}
	}
	return out
}
