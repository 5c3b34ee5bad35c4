package bootstrap_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/aproorg/sluice/internal/bootstrap/runtimeapi/runtimetest"
	"github.com/aproorg/sluice/internal/testkit"
)

const snapStart = "AWS_LAMBDA_INITIALIZATION_TYPE=snap-start"

// hooks are an app's paths around a snapshot; /asked tells what they were asked.
func hooks(mux *http.ServeMux) {
	var mu sync.Mutex
	var asked []string
	note := func(r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		mu.Lock()
		defer mu.Unlock()
		asked = append(asked, fmt.Sprintf("%s %s %s %s", r.Method, r.URL.Path, r.Host, body))
	}
	mux.HandleFunc("/hooks/", func(_ http.ResponseWriter, r *http.Request) { note(r) })
	mux.HandleFunc("/hooks/refuse", func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "the pool cannot be closed", http.StatusConflict)
	})
	mux.HandleFunc("/hooks/slow", func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	mux.HandleFunc("/asked", func(w http.ResponseWriter, _ *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		fmt.Fprint(w, strings.Join(asked, "\n"))
	})
}

// wantAskedForRestore waits until the snapshot can be taken, before which no invocation may be asked for.
func (w *world) wantAskedForRestore() {
	w.t.Helper()
	select {
	case <-w.RestoreAsked():
	case <-w.ended:
		w.t.Fatal("the bootstrap has ended")
	case <-time.After(20 * time.Second):
		w.t.Fatal("no restore/next within 20 s")
	}
	if n, _ := w.Nexts(); n > 0 {
		w.t.Error("invocation/next before the restore")
	}
}

// TestSnapshot: what happens around a snapshot happens in the order of the protocol, and to the app by its own paths.
func TestSnapshot(t *testing.T) {
	w := start(t, goApp("bin"), snapStart, "SLUICE_WARM_PATHS=/hooks/page?a=1, /get,/status/500", "SLUICE_BEFORE_SNAPSHOT_PATH=/hooks/before",
		"SLUICE_AFTER_RESTORE_PATH=/hooks/after", "SLUICE_PUBLIC_HOST=chat.example.com")
	w.wantAskedForRestore()
	time.Sleep(1100 * time.Millisecond) // the snapshot's age
	w.Restore()
	asked := strings.Split(w.do(get("/asked")).body, "\n")
	if len(asked) != 3 {
		t.Fatalf("the app was asked %q", asked)
	}
	for i, want := range []string{"GET /hooks/page chat.example.com ", "POST /hooks/before chat.example.com {}", `POST /hooks/after chat.example.com {"environment":"`} {
		if !strings.HasPrefix(asked[i], want) {
			t.Errorf("the app was asked %q, want %q", asked[i], want)
		}
	}
	if !strings.Contains(asked[2], `"snapshotAge":1.`) {
		t.Errorf("the age in %s", asked[2])
	}
	w.wantLogged("the app is warmed by a request that failed", 1)
	w.wantLogged("restored from a snapshot", 1)
	for _, path := range []string{"/hooks/before", "/hooks//AFTER", "/x/../hooks/after"} {
		for _, method := range []string{"GET", "POST"} {
			if got := w.do(request{method: method, path: path}.event()); got.status != 403 {
				t.Errorf("%s %s from the web: %d", method, path, got.status)
			}
		}
	}
}

// TestOnlySnapStartRestores: environments of other kinds know nothing of it.
func TestOnlySnapStartRestores(t *testing.T) {
	w := start(t, goApp("bin"), "AWS_LAMBDA_INITIALIZATION_TYPE=provisioned-concurrency", "SLUICE_BEFORE_SNAPSHOT_PATH=/hooks/before", "SLUICE_AFTER_RESTORE_PATH=/hooks/after")
	if asked := w.do(get("/asked")).body; asked != "" {
		t.Errorf("the app was asked %s", asked)
	}
}

// TestRestoreThatCutsConnections: a restored process finds its connections to the Runtime API closed, asks again, and serves.
func TestRestoreThatCutsConnections(t *testing.T) {
	w := start(t, goApp("bin"), snapStart, "SLUICE_AFTER_RESTORE_PATH=/hooks/after")
	w.wantAskedForRestore()
	for range 3 {
		w.CutRestore()
		time.Sleep(50 * time.Millisecond) // it asks again
	}
	w.Restore()
	if asked := w.do(get("/asked")).body; strings.Count(asked, "/hooks/after") != 1 {
		t.Errorf("the app was asked %q", asked)
	}
	testkit.Wait(t, 5*time.Second, "the extension to ask again", func() (string, bool) {
		n := w.EventsAsked()
		return fmt.Sprint(n), n >= 2
	})
	_ = w.cmd.Process.Signal(syscall.SIGTERM)
	w.wantEnd(5 * time.Second)
	if w.err != nil {
		t.Error(w.err)
	}
}

func TestSnapshotThatIsStopped(t *testing.T) {
	w := start(t, goApp("bin"), snapStart)
	w.wantAskedForRestore()
	_ = w.cmd.Process.Signal(syscall.SIGTERM)
	w.wantEnd(5 * time.Second)
	if w.err != nil {
		t.Error(w.err)
	}
}

// TestSnapshotErrors: each failure goes to its own endpoint with its own type, and the runtime exits.
func TestSnapshotErrors(t *testing.T) {
	for _, c := range []struct {
		name, env string
		before    bool
		want      string
	}{
		{"before", "SLUICE_BEFORE_SNAPSHOT_PATH=/hooks/refuse", true, "409 Conflict: the pool cannot be closed"},
		{"an app that ends", "SLUICE_WARM_PATHS=/crash", true, "before the snapshot: the app has ended"},
		{"after", "SLUICE_AFTER_RESTORE_PATH=/hooks/refuse", false, "409 Conflict: the pool cannot be closed"},
		{"too late", "SLUICE_AFTER_RESTORE_PATH=/hooks/slow", false, "SLUICE_RESTORE_LIMIT, 400ms, is over"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := start(t, goApp("bin"), snapStart, "SLUICE_RESTORE_LIMIT=400ms", c.env)
			kind, failures := "Runtime.BeforeSnapshotError", w.InitErrors
			if !c.before {
				w.wantAskedForRestore()
				w.Restore()
				kind, failures = "Runtime.AfterRestoreError", w.RestoreErrors
			}
			w.wantEnd(20 * time.Second)
			wantFailure(t, failures(), kind, c.want)
			if w.err == nil {
				t.Error("the bootstrap has exited with 0")
			}
			if others := len(w.InitErrors()) + len(w.RestoreErrors()); others != 1 {
				t.Errorf("%d errors were reported", others)
			}
		})
	}
}

func wantFailure(t *testing.T, got []runtimetest.Failure, kind, text string) {
	t.Helper()
	if len(got) != 1 || got[0].Type != kind || !strings.Contains(got[0].Message, text) || len(got[0].Trace) == 0 {
		t.Errorf("errors %+v, want one of %s with %q and the app's last lines", got, kind, text)
	}
}
