package supervise

import (
	"context"
	"errors"
	"net"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/aproorg/sluice/internal/hint"
)

func TestWaited(t *testing.T) {
	const ms = time.Millisecond
	for name, c := range map[string]struct {
		before, after thread
		want          time.Duration
	}{
		"sleeps":                   {thread{'S', 10 * ms, ms}, thread{'S', 10 * ms, ms}, 0},
		"ran, and waited for it":   {thread{'S', 10 * ms, ms}, thread{'S', 40 * ms, 301 * ms}, 300 * ms},
		"computes":                 {thread{'R', 0, 0}, thread{'R', 500 * ms, 0}, 0},
		"computes, half the time":  {thread{'R', 0, 0}, thread{'R', 250 * ms, 200 * ms}, 250 * ms},
		"waits, and still does":    {thread{'R', 7 * ms, 0}, thread{'R', 7 * ms, 0}, 500 * ms},
		"stopped":                  {thread{'T', 7 * ms, 0}, thread{'T', 7 * ms, 0}, 500 * ms},
		"a long wait that is over": {thread{'R', 0, 0}, thread{'S', ms, 3000 * ms}, 500 * ms},
		"new":                      {thread{}, thread{'S', 30 * ms, 20 * ms}, 20 * ms},
		"another of its number":    {thread{'S', 900 * ms, 800 * ms}, thread{'S', ms, ms}, 0},
	} {
		if got := waited(c.before, c.after, 500*ms); got != c.want {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}

// TestStoppedAppIsWaitedFor: an app that gets no processor has its attempts left.
func TestStoppedAppIsWaitedFor(t *testing.T) {
	for _, fair := range []bool{false, true} {
		cfg := config(t, "kill -STOP $$; sleep 60")
		cfg.Attempts, cfg.Interval, cfg.ReadyPath, cfg.Fair = 5, 100*time.Millisecond, "", fair
		app := New(cfg)
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- app.Run(ctx) }()
		short, stop := context.WithTimeout(ctx, 2500*time.Millisecond)
		err := app.Ready(short)
		stop()
		if failed := errors.Is(err, ErrStart); failed == fair {
			t.Errorf("fair %v: %v", fair, err)
		}
		if fair {
			if !strings.Contains(err.Error(), "it has waited for a processor") || hint.Of(err) == "" {
				t.Errorf("%v, hint %q", err, hint.Of(err))
			}
			l, err := net.Listen("tcp", cfg.Address)
			if err != nil {
				t.Fatal(err)
			}
			if err := app.Ready(ctx); err != nil {
				t.Errorf("after its wait: %v", err)
			}
			l.Close()
		}
		cancel()
		<-ended
	}
}

// TestStarvation measures an app beside others that take all processors.
func TestStarvation(t *testing.T) {
	spin := func(command ...string) *exec.Cmd {
		t.Helper()
		cmd := exec.Command(command[0], command[1:]...)
		cmd.SysProcAttr = attributes()
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL); _ = cmd.Wait() })
		return cmd
	}
	const loop = "while :; do :; done"
	app, idle := spin("nice", "-n", "19", "sh", "-c", "sh -c '"+loop+"'; exit"), spin("sleep", "60")
	for range 2 * runtime.NumCPU() {
		spin("sh", "-c", loop)
	}
	time.Sleep(200 * time.Millisecond) // they are at work by then
	starved, asleep := newStarvation(app.Process.Pid), newStarvation(idle.Process.Pid)
	var share float64
	for range 10 { // others on the machine may give way for a moment
		time.Sleep(300 * time.Millisecond) // a probe's interval
		if share = starved.share(); share > 0.5 {
			break
		}
	}
	if share < 0.5 {
		t.Errorf("an app with the last 2 %% of a processor waited for it for %.2f of the time", share)
	}
	if share := asleep.share(); share > 0.2 {
		t.Errorf("one that sleeps waited for %.2f of the time", share)
	}
}
