package bench

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/aproorg/sluice/internal/bootstrap/runtimeapi"
	"github.com/aproorg/sluice/internal/bootstrap/runtimeapi/runtimetest"
	"github.com/aproorg/sluice/internal/testdeps"
)

// The bootstrap between a stub of the Runtime API and an app, against a direct call of the same app by a client that keeps
// its connection. The direct call is the baseline of every ratio.

// init makes this test binary the app.
func init() {
	if os.Getenv("SLUICE_BENCH_APP") == "" {
		return
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/bytes", func(w http.ResponseWriter, r *http.Request) {
		n, _ := strconv.Atoi(r.URL.Query().Get("n"))
		w.Header().Set("Content-Length", strconv.Itoa(n))
		_, _ = w.Write(make([]byte, n))
	})
	mux.HandleFunc("/user", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, `{"id":"ann"}`) })
	mux.HandleFunc("/sum", func(w http.ResponseWriter, r *http.Request) {
		sum := sha256.New()
		_, _ = io.Copy(sum, r.Body)
		fmt.Fprintf(w, "%x", sum.Sum(nil))
	})
	mux.HandleFunc("/events", func(w http.ResponseWriter, r *http.Request) {
		n, _ := strconv.Atoi(r.URL.Query().Get("n"))
		w.Header().Set("Content-Type", "text/event-stream")
		for range n {
			fmt.Fprintf(w, "data: %020d\n\n", time.Now().UnixNano())
			_ = http.NewResponseController(w).Flush()
			time.Sleep(2 * time.Millisecond) // between two events
		}
	})
	mux.HandleFunc("/health", func(http.ResponseWriter, *http.Request) {
		if at := os.Getenv("SLUICE_BENCH_READY_FILE"); at != "" {
			_ = os.WriteFile(at, []byte(strconv.FormatInt(time.Now().UnixNano(), 10)), 0o600)
		}
	})
	_ = http.ListenAndServe("127.0.0.1:"+os.Getenv("PORT"), mux)
	os.Exit(1)
}

type rig struct {
	*runtimetest.Server
	cmd    *exec.Cmd
	base   string
	binary string
}

func startRig(b *testing.B, command []string, env ...string) *rig {
	b.Helper()
	r := &rig{binary: filepath.Join(b.TempDir(), "bootstrap")}
	build := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w", "-o", r.binary, "../cmd/bootstrap")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		b.Fatalf("%s: %v", out, err)
	}
	var err error
	if r.Server, err = runtimetest.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(r.Close)
	port := freePort(b)
	r.base = "http://127.0.0.1:" + port
	r.cmd = exec.Command(r.binary, append([]string{"--"}, command...)...)
	r.cmd.Env = append(os.Environ(), "SLUICE_BENCH_APP=1", "AWS_LAMBDA_RUNTIME_API="+r.Addr(), "SLUICE_APP_PORT="+port)
	r.cmd.Env = append(r.cmd.Env, env...)
	if err := r.cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = r.cmd.Process.Signal(syscall.SIGTERM); _ = r.cmd.Wait() })
	return r
}

func freePort(b *testing.B) string {
	b.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	defer l.Close()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	return port
}

func restEvent(path string, query map[string][]string) []byte {
	doc, err := json.Marshal(map[string]any{
		"resource": "/{proxy+}", "httpMethod": "GET", "path": path, "multiValueQueryStringParameters": query,
		"multiValueHeaders": map[string][]string{"Host": {"api.example.com"}, "User-Agent": {"Mozilla/5.0"}, "Accept": {"*/*"},
			"X-Forwarded-For": {"192.0.2.1"}, "X-Forwarded-Proto": {"https"}},
		"requestContext": map[string]any{"requestId": "1", "identity": map[string]string{"sourceIp": "192.0.2.1"}}, "body": nil, "isBase64Encoded": false,
	})
	if err != nil {
		panic(err)
	}
	return doc
}

// through sends an event and reads the answer to its end.
func (r *rig) through(b *testing.B, event []byte) *runtimetest.Invocation {
	b.Helper()
	inv := r.Invoke(event, time.Minute)
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	if err := inv.Answered(ctx); err != nil {
		b.Fatal(err)
	}
	if inv.Failure != nil {
		b.Fatalf("%+v", inv.Failure)
	}
	if _, err := io.Copy(io.Discard, inv.Body); err != nil {
		b.Fatal(err)
	}
	return inv
}

func direct(b *testing.B, url string) {
	b.Helper()
	resp, err := http.Get(url)
	if err != nil {
		b.Fatal(err)
	}
	defer resp.Body.Close()
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		b.Fatal(err)
	}
}

func quantile(sorted []time.Duration, q float64) time.Duration {
	return sorted[min(len(sorted)-1, int(q*float64(len(sorted))))]
}

// startFloor is a runtime that answers each invocation with n zeros itself: what it takes is the stub's time and the Runtime API's two
// exchanges, without an app.
func startFloor(b *testing.B, n int) *rig {
	b.Helper()
	stub, err := runtimetest.Start()
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(stub.Close)
	answer := append([]byte(`{"statusCode":200}`), make([]byte, 8+n)...)
	go func() {
		client := runtimeapi.New(stub.Addr())
		for {
			inv, err := client.Next(b.Context())
			if err != nil {
				return
			}
			_ = client.Stream(b.Context(), inv.ID, "application/vnd.awslambda.http-integration-response", bytes.NewReader(answer))
		}
	}()
	return &rig{Server: stub}
}

// BenchmarkBootstrapRequest interleaves direct and bootstrapped calls, and reports what the bootstrap adds. The floor is
// what of that the Runtime API's exchanges take whoever the runtime is.
func BenchmarkBootstrapRequest(b *testing.B) {
	r := startRig(b, []string{os.Args[0]})
	for _, size := range []struct {
		name string
		n    int
	}{{"0B", 0}, {"10kB", 10 << 10}, {"1MB", 1 << 20}, {"6MB", 6 << 20}} {
		b.Run(size.name, func(b *testing.B) {
			event := restEvent("/bytes", map[string][]string{"n": {strconv.Itoa(size.n)}})
			url := r.base + "/bytes?n=" + strconv.Itoa(size.n)
			floor := startFloor(b, size.n)
			for range 20 {
				r.through(b, event)
				direct(b, url)
				floor.through(b, event)
			}
			var with, without, least []time.Duration
			b.ResetTimer()
			for range b.N {
				begun := time.Now()
				direct(b, url)
				middle := time.Now()
				r.through(b, event)
				end := time.Now()
				floor.through(b, event)
				without, with, least = append(without, middle.Sub(begun)), append(with, end.Sub(middle)), append(least, time.Since(end))
			}
			b.StopTimer()
			slices.Sort(with)
			slices.Sort(without)
			slices.Sort(least)
			b.ReportMetric(float64(quantile(least, 0.5).Microseconds()), "floor-p50-us")
			for _, q := range []float64{0.5, 0.99} {
				added := quantile(with, q) - quantile(without, q)
				b.ReportMetric(float64(added.Microseconds()), fmt.Sprintf("added-p%d-us", int(100*q)))
			}
			b.ReportMetric(float64(quantile(with, 0.5))/float64(quantile(without, 0.5)), "ratio-p50")
		})
	}
}

// BenchmarkBootstrapEvent is the delay of one event of a stream, from its write in the app to its read behind the bootstrap.
func BenchmarkBootstrapEvent(b *testing.B) {
	r := startRig(b, []string{os.Args[0]})
	const n = 200
	stamp := regexp.MustCompile(`data: (\d{20})\n\n`)
	delays := func(body io.Reader) (out []time.Duration) {
		buf := make([]byte, 4<<10)
		for {
			k, err := body.Read(buf)
			at := time.Now()
			for _, m := range stamp.FindAllSubmatch(buf[:k], -1) {
				ns, _ := strconv.ParseInt(string(bytes.TrimLeft(m[1], "0")), 10, 64)
				out = append(out, at.Sub(time.Unix(0, ns)))
			}
			if err != nil {
				return out
			}
		}
	}
	var with, without []time.Duration
	for range b.N {
		r.through(b, restEvent("/bytes", nil)) // the app is up
		resp, err := http.Get(r.base + "/events?n=" + strconv.Itoa(n))
		if err != nil {
			b.Fatal(err)
		}
		without = append(without, delays(resp.Body)...)
		resp.Body.Close()
		inv := r.Invoke(restEvent("/events", map[string][]string{"n": {strconv.Itoa(n)}}), time.Minute)
		if err := inv.Answered(b.Context()); err != nil {
			b.Fatal(err)
		}
		if _, err := runtimetest.ReadHead(inv.Body); err != nil {
			b.Fatal(err)
		}
		with = append(with, delays(inv.Body)...)
	}
	slices.Sort(with)
	slices.Sort(without)
	b.ReportMetric(float64((quantile(with, 0.5) - quantile(without, 0.5)).Microseconds()), "added-p50-us")
	b.ReportMetric(float64((quantile(with, 0.99) - quantile(without, 0.99)).Microseconds()), "added-p99-us")
	b.ReportMetric(float64(quantile(with, 0.5))/float64(quantile(without, 0.5)), "ratio-p50")
}

// BenchmarkBootstrapMemory reports the bootstrap's resident set when idle, while it streams, and after a download of 20 MB,
// and the size of its binary.
func BenchmarkBootstrapMemory(b *testing.B) {
	r := startRig(b, []string{os.Args[0]})
	r.through(b, restEvent("/bytes", map[string][]string{"n": {"0"}}))
	idle := rss(b, r.cmd.Process.Pid)
	var streaming, after float64
	for range b.N {
		inv := r.Invoke(restEvent("/events", map[string][]string{"n": {"100"}}), time.Minute)
		if err := inv.Answered(b.Context()); err != nil {
			b.Fatal(err)
		}
		time.Sleep(100 * time.Millisecond) // half of the stream, which takes 200 ms
		streaming = max(streaming, rss(b, r.cmd.Process.Pid))
		_, _ = io.Copy(io.Discard, inv.Body)
		r.through(b, restEvent("/bytes", map[string][]string{"n": {strconv.Itoa(20 << 20)}}))
		after = max(after, rss(b, r.cmd.Process.Pid))
	}
	info, err := os.Stat(r.binary)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(idle, "idle-MB")
	b.ReportMetric(streaming, "streaming-MB")
	b.ReportMetric(after, "after-20MB-MB")
	b.ReportMetric(float64(info.Size())/1e6, "binary-MB")
}

var vmRSS = regexp.MustCompile(`VmRSS:\s+(\d+) kB`)

func rss(b *testing.B, pid int) float64 {
	b.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		b.Skip("needs Linux: run the benchmark in a container, docker run -v .:/src -w /src golang go test -bench . ./bench/...")
	}
	kb, _ := strconv.Atoi(string(vmRSS.FindSubmatch(status)[1]))
	return float64(kb) / 1000
}

// BenchmarkBootstrapReady is the time from the app's readiness to the first next.
func BenchmarkBootstrapReady(b *testing.B) {
	var delays []time.Duration
	for range b.N {
		file := filepath.Join(b.TempDir(), "ready")
		r := startRig(b, []string{os.Args[0]}, "SLUICE_BENCH_READY_FILE="+file)
		for {
			n, waiting := r.Nexts()
			if n > 0 {
				break
			}
			<-waiting
		}
		at := time.Now()
		text, err := os.ReadFile(file)
		if err != nil {
			b.Fatal(err)
		}
		ns, _ := strconv.ParseInt(string(text), 10, 64)
		delays = append(delays, at.Sub(time.Unix(0, ns)))
		_ = r.cmd.Process.Signal(syscall.SIGTERM)
		_, _ = r.cmd.Process.Wait()
	}
	slices.Sort(delays)
	b.ReportMetric(float64(quantile(delays, 0.5).Microseconds()), "ready-to-next-us")
}

// BenchmarkBootstrapRelease is the time from the end of a response to the next `next` where no work is left: a Go app, which is not
// asked, and a Node app, which is.
func BenchmarkBootstrapRelease(b *testing.B) {
	apps := map[string]func(testing.TB) []string{
		"go": func(testing.TB) []string { return []string{os.Args[0]} },
		"node": func(t testing.TB) []string {
			return []string{testdeps.Node(t), "-e", `require('http').createServer((q,r)=>r.end('ok')).listen(process.env.PORT,'127.0.0.1')`}
		},
	}
	for name, command := range apps {
		b.Run(name, func(b *testing.B) {
			r := startRig(b, command(b))
			event := restEvent("/bytes", map[string][]string{"n": {"0"}})
			r.through(b, event)
			var held []time.Duration
			b.ResetTimer()
			for range b.N {
				inv := r.through(b, event)
				end := time.Now()
				<-inv.Released()
				held = append(held, time.Since(end))
			}
			slices.Sort(held)
			b.ReportMetric(float64(quantile(held, 0.5).Microseconds()), "held-p50-us")
			b.ReportMetric(float64(quantile(held, 0.99).Microseconds()), "held-p99-us")
		})
	}
}
