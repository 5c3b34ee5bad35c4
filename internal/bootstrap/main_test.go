package bootstrap_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/aproorg/sluice/internal/bootstrap/runtimeapi/runtimetest"
)

// TestMain lets this binary be the app of its own tests.
func TestMain(m *testing.M) {
	if kind := os.Getenv("SLUICE_TEST_APP"); kind != "" {
		runApp(kind)
		return
	}
	dir, err := os.MkdirTemp("", "bootstrap")
	if err != nil {
		panic(err)
	}
	binary = filepath.Join(dir, "bootstrap")
	code := m.Run()
	os.RemoveAll(dir)
	os.Exit(code)
}

var (
	binary    string
	buildOnce sync.Once
	buildErr  error
)

// build compiles the bootstrap once: it is tested as the process that runs on Lambda.
func build(t *testing.T) string {
	t.Helper()
	buildOnce.Do(func() {
		args := slices.Concat([]string{"build"}, raceFlags, []string{"-o", binary, "../../cmd/bootstrap"})
		cmd := exec.Command("go", args...)
		if out, err := cmd.CombinedOutput(); err != nil {
			buildErr = &buildError{out, err}
		}
	})
	if buildErr != nil {
		t.Fatal(buildErr)
	}
	return binary
}

type buildError struct {
	out []byte
	err error
}

func (e *buildError) Error() string { return string(e.out) + e.err.Error() }

// world is a bootstrap process with a Runtime API before it and an app behind it.
type world struct {
	*runtimetest.Server
	t      *testing.T
	cmd    *exec.Cmd
	stdout safeBuffer
	stderr safeBuffer
	ended  chan struct{}
	err    error
}

// goApp is the command line of this test binary as an app.
func goApp(kind string) []string { return []string{"/usr/bin/env", "SLUICE_TEST_APP=" + kind, self()} }

func self() string {
	exe, err := os.Executable()
	if err != nil {
		panic(err)
	}
	return exe
}

func start(t *testing.T, command []string, env ...string) *world {
	t.Helper()
	return startBy(t, nil, command, env...)
}

// startBy starts the bootstrap by another command, to which its own command line is appended.
func startBy(t *testing.T, by, command []string, env ...string) *world {
	t.Helper()
	return startProgram(t, by, build(t), command, env...)
}

// startProgram starts a copy of the bootstrap.
func startProgram(t *testing.T, by []string, program string, command []string, env ...string) *world {
	t.Helper()
	server, err := runtimetest.Start()
	if err != nil {
		t.Fatal(err)
	}
	w := &world{Server: server, t: t, ended: make(chan struct{})}
	args := slices.Concat(by, []string{program, "--"}, command)
	w.cmd = exec.Command(args[0], args[1:]...)
	w.cmd.Env = append(os.Environ(), "AWS_LAMBDA_RUNTIME_API="+server.Addr(), "SLUICE_READY_INTERVAL=50ms", "SLUICE_LOG_LEVEL=debug")
	w.cmd.Env = append(w.cmd.Env, env...)
	w.cmd.Stdout, w.cmd.Stderr = &w.stdout, &w.stderr
	if err := w.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { w.err = w.cmd.Wait(); close(w.ended) }()
	t.Cleanup(w.stop)
	return w
}

func (w *world) stop() {
	select {
	case <-w.ended:
	default:
		_ = w.cmd.Process.Signal(syscall.SIGTERM)
		select {
		case <-w.ended:
		case <-time.After(10 * time.Second):
			w.t.Error("the bootstrap did not end within 10 s of SIGTERM")
			_ = w.cmd.Process.Kill()
			<-w.ended
		}
	}
	w.Close()
	for _, problem := range w.Problems() {
		w.t.Error("protocol:", problem)
	}
	if strings.Contains(w.stderr.String(), "DATA RACE") {
		w.t.Error("the bootstrap has a data race")
	}
	if w.t.Failed() {
		w.t.Logf("stdout:\n%s\nstderr:\n%s", w.stdout.String(), w.stderr.String())
	}
}

// answer is a response read to its end.
type answer struct {
	status  int
	header  http.Header
	body    string
	trailer http.Header
	inv     *runtimetest.Invocation
}

// broken is the type of the error that ended the stream, if one did.
func (a *answer) broken() string { return a.trailer.Get("Lambda-Runtime-Function-Error-Type") }

func (w *world) do(event []byte) *answer { return w.doFor(event, 30*time.Second) }

func (w *world) doFor(event []byte, timeout time.Duration) *answer {
	w.t.Helper()
	inv, head := w.begin(event, timeout)
	body, err := io.ReadAll(inv.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	return &answer{head.StatusCode, head.HTTPHeader(), string(body), inv.Trailer, inv}
}

// begin invokes and reads the head of a streamed answer.
func (w *world) begin(event []byte, timeout time.Duration) (*runtimetest.Invocation, *runtimetest.Head) {
	w.t.Helper()
	inv := w.invoke(event, timeout)
	if inv.Failure != nil {
		w.t.Fatalf("invocation failed: %+v", *inv.Failure)
	}
	head, err := runtimetest.ReadHead(inv.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	return inv, head
}

func (w *world) invoke(event []byte, timeout time.Duration) *runtimetest.Invocation {
	w.t.Helper()
	inv := w.Invoke(event, timeout)
	ctx, cancel := context.WithTimeout(w.t.Context(), 20*time.Second)
	defer cancel()
	if err := inv.Answered(ctx); err != nil {
		w.t.Fatal(err)
	}
	return inv
}

// request makes a REST API event.
type request struct {
	method, path, body string
	header             map[string]string
}

func (r request) event() []byte {
	method := r.method
	if method == "" {
		method = "GET"
	}
	header := map[string][]string{"Host": {"api.example.com"}}
	for name, value := range r.header {
		header[name] = []string{value}
	}
	path, rawQuery, _ := strings.Cut(r.path, "?")
	query := map[string][]string{}
	for kv := range strings.SplitSeq(rawQuery, "&") {
		if name, value, ok := strings.Cut(kv, "="); ok {
			query[name] = append(query[name], value)
		}
	}
	doc, err := json.Marshal(map[string]any{
		"resource": "/{proxy+}", "httpMethod": method, "path": path, "multiValueHeaders": header, "body": r.body,
		"multiValueQueryStringParameters": query,
		"requestContext":                  map[string]any{"requestId": "gateway-1", "identity": map[string]string{"sourceIp": "192.0.2.7"}},
	})
	if err != nil {
		panic(err)
	}
	return doc
}

func get(path string) []byte { return request{path: path}.event() }

// safeBuffer is a bytes.Buffer for several goroutines.
type safeBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *safeBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *safeBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}
