package rehearsal_test

import (
	"io"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aproorg/sluice/internal/app/librechat/facts"
	"github.com/aproorg/sluice/internal/app/librechat/librechattest"
	"github.com/aproorg/sluice/internal/app/librechat/rehearsal"
	"github.com/aproorg/sluice/internal/testdeps"
	"github.com/aproorg/sluice/internal/timeline"
)

// TestFirstBootStandIn: requests that come at once wait for the first boot.
func TestFirstBootStandIn(t *testing.T) {
	testdeps.Node(t)
	dir, err := os.MkdirTemp("/var/tmp", "sluice-standin-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	r := librechattest.StandIn(t, dir, facts.GeneratesAfterPost)
	askAtOnce(t, r, map[string]string{librechattest.State: t.TempDir(), "FIXTURE_ROLES": "1"})
}

func TestFirstBootBuilt(t *testing.T) {
	eachBuilt(t, func(t *testing.T, r facts.Release) {
		w := askAtOnce(t, r, nil)
		status, body := w.post(t, "/api/auth/login", `{"email":"`+facts.UserEmail+`","password":"`+facts.UserPassword+`"}`)
		if status != http.StatusOK {
			t.Errorf("the user of the rehearsal logs in: %d %s", status, body)
		}
	})
}

// askAtOnce asks an empty rehearsal for several environments at once.
func askAtOnce(t *testing.T, r facts.Release, env map[string]string) *world {
	t.Helper()
	w := startAtOnce(t, rehearsal.Config{Release: r, Env: env}, remembering)
	var asking sync.WaitGroup
	for range 5 {
		asking.Go(func() {
			begun := time.Now()
			response, err := http.Get(w.ViewerURL + "/api/config")
			if err != nil {
				t.Error(err)
				return
			}
			response.Body.Close()
			t.Logf("%s after %v", response.Status, time.Since(begun).Round(time.Millisecond))
			if response.StatusCode != http.StatusOK {
				t.Errorf("a request at once: %s", response.Status)
			}
		})
	}
	asking.Wait()
	through := w.chat.Through()
	events, _ := w.Recorder.Since(0)
	for _, e := range events {
		if e.Kind == timeline.EnvironmentState && e.Time.Before(through) {
			t.Errorf("%s is %s %v before the first boot is through", e.Environment, e.State, through.Sub(e.Time))
		}
		if strings.Contains(e.Note, "E11000") {
			t.Errorf("%s: %s", e.Environment, e.Note)
		}
	}
	return w
}

func (w *world) post(t *testing.T, path, body string) (int, string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, w.ViewerURL+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, _ := io.ReadAll(response.Body)
	return response.StatusCode, string(text)
}
