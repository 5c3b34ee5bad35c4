package rehearse_test

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"os/signal"
	"slices"
	"strings"
	"testing"

	"github.com/aproorg/sluice/internal/app/demo"
	"github.com/aproorg/sluice/internal/rehearse"
	"github.com/aproorg/sluice/internal/timeline"
)

// TestStartSnapStart: a version is published before the first request, and environments
// are restored for requests, in the timeline too.
func TestStartSnapStart(t *testing.T) {
	cfg := clockConfig(t)
	cfg.Start = rehearse.StartSnapStart
	var waits []string
	cfg.Progress = func(what string) { waits = append(waits, what) }
	w := start(t, cfg)
	if w.Snapshot == nil || w.Snapshot.Took == 0 || len(waits) != 1 {
		t.Fatalf("snapshot %+v, progress %q", w.Snapshot, waits)
	}
	if res, _ := get(t, visitor(t), w.ViewerURL+"/api/thaw"); res.StatusCode != http.StatusOK {
		t.Fatal(res.Status)
	}
	environment, want := "env-1", []timeline.State{timeline.Init, timeline.Frozen, timeline.Restore, timeline.Busy}
	if w.Snapshot.Clones {
		environment, want = "env-2", want[2:]
	}
	events, _ := w.Recorder.Since(0)
	var tally timeline.Tally
	var states []timeline.State
	restored := false
	for _, e := range events {
		if e.Kind == timeline.EnvironmentState && e.Environment == environment {
			states = append(states, e.State)
		}
		request, ended := tally.Add(e)
		restored = restored || ended && request.Restored > 0 && request.Cold == 0
	}
	if !restored || tally.Restores != 1 || tally.ColdStarts != 0 {
		t.Errorf("%d restores, %d cold starts; the request was restored for: %v", tally.Restores, tally.ColdStarts, restored)
	}
	if len(states) < len(want) || !slices.Equal(states[:len(want)], want) {
		t.Errorf("states %v", states)
	}
}

// TestStartSnapStartFails: an app that does not start is no rehearsal.
func TestStartSnapStartFails(t *testing.T) {
	cfg := clockConfig(t)
	cfg.Start, cfg.App.Command = rehearse.StartSnapStart, []string{"false"}
	w, err := rehearse.Start(context.Background(), cfg)
	if err == nil {
		_ = w.Close(context.Background())
		t.Fatal("published")
	}
	if !strings.Contains(err.Error(), "publish version 1") {
		t.Error(err)
	}
}

// TestSpeedOfSnapStart: a factor divides the 130 s of such a start, not the 10 s of others.
func TestSpeedOfSnapStart(t *testing.T) {
	cfg := clockConfig(t)
	cfg.Start, cfg.Speed = rehearse.StartSnapStart, 20
	cfg.App.Command = append([]string{"sh", "-c", `sleep 0.7; exec "$0" "$@"`}, cfg.App.Command...) // 0.5 s are the others' limit
	if w := start(t, cfg); w.Snapshot == nil {
		t.Error("no snapshot")
	}
}

// snapStartRehearsal is the process that is killed: it prints where the site is, and lasts until SIGINT.
func snapStartRehearsal() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	executable, _ := os.Executable()
	w, err := rehearse.Start(ctx, rehearse.Config{
		App:  rehearse.App{Name: "demo", Command: []string{executable, "demo-app"}, ReadyPath: "/health", State: "DEMO_STATE_DIR"},
		Site: demo.Site(), Listen: "127.0.0.1:0", Start: rehearse.StartSnapStart,
	})
	if err == nil {
		fmt.Println(w.ViewerURL)
		<-ctx.Done()
		err = w.Close(context.Background())
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}
