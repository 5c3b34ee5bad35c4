package rehearse_test

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/aproorg/sluice/internal/rehearse"
	"github.com/aproorg/sluice/internal/testkit"
)

// doWork makes the clock app work after a response; the returned function counts
// the ticks that it has done.
func doWork(t *testing.T, w *rehearse.World) (done func() int) {
	t.Helper()
	res, err := visitor(t).Post(w.ViewerURL+"/work", "", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	var answer work
	if err := json.NewDecoder(res.Body).Decode(&answer); err != nil || res.StatusCode != http.StatusOK {
		t.Fatalf("POST /work: %s, %v", res.Status, err)
	}
	files, err := filepath.Glob(filepath.Join(w.Dir(), "state", answer.File))
	if err != nil || len(files) != 1 {
		t.Fatalf("the app's file %s: %v, %v", answer.File, files, err)
	}
	return func() int {
		data, err := os.ReadFile(files[0])
		if err != nil {
			t.Fatal(err)
		}
		return len(data)
	}
}

// waitTicks waits until the work is done, or ten times as long as it takes, which a
// machine at work may need.
func waitTicks(done func() int) int {
	testkit.Until(10*ticks*tick, func() bool { return done() >= ticks })
	return done()
}

// The freeze stops the clock of an app whose work nobody waits for; the next
// request thaws it.
func TestFreezeStopsTheClock(t *testing.T) {
	w := start(t, clockConfig(t))
	done := doWork(t, w)
	time.Sleep(5 * tick) // longer than a freeze takes
	frozen := done()
	time.Sleep(10 * tick) // ten more, if it ran
	if again := done(); again != frozen || again > ticks/4 {
		t.Errorf("a frozen app went from %d to %d ticks", frozen, again)
	}
	get(t, visitor(t), w.ViewerURL+"/api/thaw") // runs for 50 ms
	if thawed := done(); thawed == frozen || thawed == ticks {
		t.Errorf("after another request %d ticks, frozen at %d", thawed, frozen)
	}
}

// Drain saves the work of an app that says it is busy.
func TestDrainSavesTheWork(t *testing.T) {
	cfg := clockConfig(t)
	cfg.App.Env = map[string]string{"SLUICE_BUSY_PATH": "/busy"}
	w := start(t, cfg)
	done := doWork(t, w)
	if n := waitTicks(done); n != ticks {
		t.Errorf("%d of %d ticks were done", n, ticks)
	}
}

func TestNoFreezeLetsTheAppRun(t *testing.T) {
	cfg := clockConfig(t)
	cfg.NoFreeze = true
	w := start(t, cfg)
	done := doWork(t, w)
	if n := waitTicks(done); n != ticks {
		t.Errorf("%d of %d ticks were done", n, ticks)
	}
}
