package rehearse_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/aproorg/sluice/internal/bootstrapbin"
	"github.com/aproorg/sluice/internal/emulate/lambda/sandbox/sandboxtest"
	"github.com/aproorg/sluice/internal/rehearse"
)

// TestSnapshotAge: a token of an hour from before the snapshot has expired, a timer of two hours is overdue and fires, once, and the clock
// is right again, in clones and in environments that were held. What counts by the monotonic clock sees the time that passed by
// performance.now, and not by process.hrtime.
func TestSnapshotAge(t *testing.T) {
	for name, held := range map[string]bool{"clones": false, "held": true} {
		t.Run(name, func(t *testing.T) {
			cfg := idsConfig(t, nil)
			cfg.SnapshotAge = 3 * time.Hour
			var err error
			if cfg.Bootstrap, err = bootstrapbin.Path(t.Context()); err != nil {
				t.Fatal(err)
			}
			if held {
				t.Setenv("PATH", t.TempDir()) // without criu
			} else {
				sandboxtest.NeedClones(t)
			}
			w := start(t, cfg)
			if w.Snapshot.Clones == held {
				t.Fatalf("%+v", w.Snapshot)
			}
			for range 2 {
				c := clockOf(t, w)
				if off := time.Since(time.UnixMilli(c.Now)).Abs(); off > 10*time.Second {
					t.Errorf("the app's clock is off by %s", off)
				}
				if !c.Expired || c.Late != 1 {
					t.Errorf("the token has expired: %v; timers that fired: %d", c.Expired, c.Late)
				}
				if passed := time.Duration(c.Performance) * time.Millisecond; passed < 3*time.Hour {
					t.Errorf("performance.now is at %s", passed)
				}
				if since := time.Duration(c.Monotonic) * time.Millisecond; since <= 0 || since > 10*time.Minute {
					t.Errorf("by process.hrtime the app is %s old", since)
				}
			}
		})
	}
}

// TestSnapshotOfToday: without an age, the same app has neither.
func TestSnapshotOfToday(t *testing.T) {
	sandboxtest.NeedClones(t)
	if c := clockOf(t, start(t, idsConfig(t, nil))); c.Expired || c.Late != 0 {
		t.Errorf("%+v", c)
	}
}

type clock struct {
	Now                    int64
	Expired                bool
	Late                   int
	Monotonic, Performance float64 // in milliseconds, since the start
}

func clockOf(t *testing.T, w *rehearse.World) (c clock) {
	t.Helper()
	_, body := get(t, visitor(t), w.ViewerURL+"/api/clock")
	if err := json.Unmarshal([]byte(body), &c); err != nil {
		t.Fatal(err, string(body))
	}
	return c
}
