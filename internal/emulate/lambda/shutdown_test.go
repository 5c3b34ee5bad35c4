package lambda_test

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aproorg/sluice/internal/emulate/lambda"
	"github.com/aproorg/sluice/internal/testkit"
	"github.com/aproorg/sluice/internal/timeline"
)

func TestShutdownWithoutExtension(t *testing.T) {
	var file string
	w := start(t, func(cfg *lambda.Config) {
		file = filepath.Join(shared(t, cfg), "term")
		setenv(cfg, "TEST_TERM="+file)
		cfg.Limits.ShutdownInternal, cfg.Limits.ShutdownExternal = 5*time.Second, 5*time.Second
	})
	w.invoke(event{})
	begin := time.Now()
	if !w.em.Recycle("env-1") || w.em.Recycle("env-9") {
		t.Error("Recycle does not tell which environments exist")
	}
	w.eventually("gone", func() bool { return len(w.em.Environments()) == 0 })
	if took := time.Since(begin); took > 3*time.Second || size(file) != 0 {
		t.Errorf("ended in %s, with SIGTERM: %v; want at once and without", took, size(file) != 0)
	}
}

func TestShutdownInternal(t *testing.T) {
	var file string
	w := start(t, func(cfg *lambda.Config) {
		file = filepath.Join(shared(t, cfg), "term")
		setenv(cfg, "TEST_TERM="+file, "TEST_INIT=internal")
	})
	w.invoke(event{})
	w.frozen()
	begin := time.Now()
	w.em.Recycle("env-1")
	w.eventually("gone", func() bool { return len(w.em.Environments()) == 0 })
	took := time.Since(begin)
	ticks, _ := os.ReadFile(file)
	// The upper bound is far from 500 ms for machines at work; an app that was not killed would tick on for ever.
	if n := bytes.Count(ticks, []byte("\n")); took < 450*time.Millisecond || took > 4*time.Second || n < 20 {
		t.Errorf("ended in %s, %d ticks after SIGTERM; want 500 ms of them", took, n)
	}
	want := []timeline.State{timeline.Shutdown, timeline.Killed}
	if got := w.states("env-1"); !slices.Equal(got[len(got)-2:], want) {
		t.Errorf("states %v", got)
	}
}

func TestShutdownExternal(t *testing.T) {
	self, _ := os.Executable()
	var file string
	w := start(t, func(cfg *lambda.Config) {
		file = filepath.Join(shared(t, cfg), "term")
		setenv(cfg, "TEST_TERM="+file)
		cfg.Process.Command = []string{self}
		cfg.Process.Env = slices.DeleteFunc(cfg.Process.Env, func(v string) bool { return v == "TEST_RUNTIME=1" })
		cfg.Process.Command = []string{self, "runtime"}
		cfg.Extensions = []lambda.Extension{{Name: "outside", Command: []string{self, "extension"}}}
	})
	if got, failure := w.invoke(event{}); got == "" {
		t.Fatal(failure)
	}
	w.frozen()
	w.logged(`"eventType":"INVOKE"`)
	w.em.Recycle("env-1")
	w.eventually("gone", func() bool { return len(w.em.Environments()) == 0 })
	w.logged(`"shutdownReason":"spindown"`)
	w.logged("extension ends")
	if size(file) == 0 {
		t.Error("the runtime got no SIGTERM")
	}
}

func TestWear(t *testing.T) {
	w := start(t, func(cfg *lambda.Config) { cfg.MaxInvocations = 2 })
	for range 4 {
		w.invoke(event{})
		w.frozen()
	}
	w.eventually("gone", func() bool { return len(w.em.Environments()) == 0 })
	if got := w.states("env-2"); len(got) == 0 || got[len(got)-1] != timeline.Killed {
		t.Errorf("states of the second: %v", got)
	}
	w = start(t, func(cfg *lambda.Config) { cfg.MaxAge = 300 * time.Millisecond })
	w.invoke(event{})
	w.eventually("gone", func() bool { return len(w.em.Environments()) == 0 })
}

func TestKill(t *testing.T) {
	w := start(t, nil)
	w.invoke(event{})
	w.frozen()
	pid := w.em.Environments()[0].PID
	if !w.em.Kill("env-1") {
		t.Error("env-1 is unknown")
	}
	w.eventually("gone", func() bool { return len(w.em.Environments()) == 0 })
	if _, err := os.Stat("/proc/" + strconv.Itoa(pid)); err == nil {
		t.Errorf("process %d lives", pid)
	}
	go func() {
		testkit.Until(20*time.Second, func() bool { return slices.Contains(w.states("env-2"), timeline.Busy) || t.Context().Err() != nil })
		w.em.KillAll()
	}()
	if _, failure := w.invoke(event{Do: "sleep", Millis: 20_000}); !strings.Contains(failure, "signal: killed") {
		t.Errorf("failure %s", failure)
	}
	w.eventually("gone", func() bool { return len(w.em.Environments()) == 0 })
}

func TestProvisioned(t *testing.T) {
	w := start(t, func(cfg *lambda.Config) { cfg.Function.ProvisionedConcurrency = 2 })
	w.eventually("two", func() bool { return len(w.em.Environments()) == 2 })
	w.frozen()
	got, _ := w.invoke(event{Do: "env"})
	if !strings.Contains(got, "AWS_LAMBDA_INITIALIZATION_TYPE=provisioned-concurrency") {
		t.Errorf("env %s", got)
	}
	w.frozen()
	w.em.Kill("env-1")
	w.eventually("replaced", func() bool {
		envs := w.em.Environments()
		return len(envs) == 2 && envs[1].ID == "env-3"
	})
}
