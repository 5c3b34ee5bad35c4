package supervise

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aproorg/sluice/internal/testkit"
)

func config(t *testing.T, script string) Config {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return Config{
		Command: []string{"sh", "-c", script}, Stdout: &buffer{}, Stderr: &buffer{}, Address: l.Addr().String(), ReadyPath: "/",
		Attempts: 3, Interval: 20 * time.Millisecond, StopGrace: time.Second, Logger: slog.New(slog.DiscardHandler),
	}
}

func TestStartThatFails(t *testing.T) {
	for _, test := range []struct{ script, want string }{
		{"echo why; exit 4", "exit status 4"},
		{"kill -9 $$", "killed"},
		{"sleep 60", "nothing listens"},
	} {
		cfg := config(t, test.script)
		app := New(cfg)
		err := app.Run(t.Context())
		if !errors.Is(err, ErrStart) || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v, want %q", test.script, err, test.want)
		}
		if ready := app.Ready(t.Context()); !errors.Is(ready, ErrStart) {
			t.Errorf("%s: ready says %v", test.script, ready)
		}
	}
}

// TestEndsInARow: an app that is ready and dies at once is started again and again, but ever more slowly; one that is no longer
// ready is abandoned.
func TestEndsInARow(t *testing.T) {
	cfg := config(t, "sleep 0.05")
	l, err := net.Listen("tcp", cfg.Address)
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})}
	go func() { _ = server.Serve(l) }()
	defer server.Close()
	app := New(cfg)
	time.AfterFunc(700*time.Millisecond, func() { server.Close() }) // from now on no process is ready
	err = app.Run(t.Context())
	if !errors.Is(err, ErrStart) {
		t.Errorf("error %v", err)
	}
	if n := app.Starts(); n < 4 || n > 3+maxUnready+1 {
		t.Errorf("%d starts", n)
	}
}

func TestEnvironmentThatFails(t *testing.T) {
	cfg := config(t, "sleep 60")
	cfg.Env = func(context.Context) ([]string, error) { return nil, errors.New("no secret A") }
	app := New(cfg)
	if err := app.Run(t.Context()); !errors.Is(err, ErrStart) || !strings.Contains(err.Error(), "no secret A") {
		t.Error(err)
	}
	if err := app.Ready(t.Context()); err == nil || app.Starts() != 1 {
		t.Errorf("ready says %v after %d starts", err, app.Starts())
	}
}

func TestStopEscalates(t *testing.T) {
	cfg := config(t, `trap "" TERM; echo up; while :; do sleep 0.05; done`)
	cfg.Attempts, cfg.StopGrace = 1000, 100*time.Millisecond
	app := New(cfg)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- app.Run(ctx) }()
	testkit.Wait(t, 10*time.Second, "the app's first line", func() (string, bool) { return "none", len(app.Tail()) > 0 })
	begun := time.Now()
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
	if took := time.Since(begun); took < 100*time.Millisecond {
		t.Errorf("killed after %v, before the grace was over", took)
	}
}

func TestLinesPassWhole(t *testing.T) {
	out := &buffer{}
	last := &tail{}
	watch := newWatch(regexp.MustCompile(`^ready \d+$`))
	w := &lineWriter{to: out, tail: last, watch: watch}
	for _, piece := range []string{"one\ntw", "o\r\n", "rea", "dy 1\nlast"} {
		_, _ = w.Write([]byte(piece))
	}
	if got := out.String(); got != "one\ntwo\r\nready 1\n" {
		t.Errorf("passed on %q", got)
	}
	select {
	case <-watch.seen:
	default:
		t.Error("the line that matches was not seen")
	}
	w.flush()
	if got := strings.Join(last.lines(), "|"); got != "one|two|ready 1|last" {
		t.Errorf("tail %q", got)
	}
	for range 3 * tailLines {
		_, _ = w.Write([]byte("more\n"))
	}
	if n := len(last.lines()); n != tailLines {
		t.Errorf("tail of %d lines", n)
	}
	_, _ = w.Write(bytes.Repeat([]byte("x"), lineMax+1))
	if !strings.HasSuffix(out.String(), "x") {
		t.Error("an endless line is held for ever")
	}
}

type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}
