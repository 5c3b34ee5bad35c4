package bootstrap_test

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aproorg/sluice/internal/testdeps"
)

// TestNodeWorkAfterResponse: the next invocation is asked for only when the work of the one before is saved.
func TestNodeWorkAfterResponse(t *testing.T) {
	node := testdeps.Node(t)
	model := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		for range 6 {
			_, _ = w.Write([]byte("token "))
			_ = http.NewResponseController(w).Flush()
			time.Sleep(100 * time.Millisecond) // between two tokens of the model
		}
	}))
	t.Cleanup(model.Close)
	w := start(t, []string{node, "testdata/chat.cjs"}, "NODE_OPTIONS=--no-warnings")
	for i, path := range []string{"/chat", "/generate"} {
		got := w.do(get(path + "?model=" + model.URL))
		begun := time.Now()
		<-got.inv.Released()
		if held := time.Since(begun); held < 500*time.Millisecond {
			t.Errorf("%s: held %v, want the generation's 600 ms", path, held)
		}
		if saved := w.do(get("/saved")).body; saved != string(rune('1'+i)) {
			t.Errorf("%s: %s saved when the environment was let go", path, saved)
		}
	}

	var held []time.Duration
	for range 20 {
		got := w.do(get("/"))
		begun := time.Now()
		<-got.inv.Released()
		held = append(held, time.Since(begun))
	}
	slices.Sort(held)
	t.Logf("held without work: median %v, most %v", held[10], held[19])
	if held[5] > 5*time.Millisecond { // the quarter that the machine's other work disturbed least
		t.Errorf("held %v without work, want less than 5 ms", held[5])
	}
}

// TestNodeWorkIsLetGoBeforeDeadline: work that does not end is frozen and not killed.
func TestNodeWorkIsLetGoBeforeDeadline(t *testing.T) {
	node := testdeps.Node(t)
	model := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }))
	t.Cleanup(model.Close)
	w := start(t, []string{node, "testdata/chat.cjs"})
	begun := time.Now()
	got := w.doFor(get("/generate?model="+model.URL), 3*time.Second)
	<-got.inv.Released()
	if held := time.Since(begun); held < 1500*time.Millisecond || held > 3*time.Second {
		t.Errorf("let go after %v of 3 s", held)
	}
	if got := w.do(get("/saved")); got.body != "0" {
		t.Errorf("saved %s", got.body)
	}
}

// TestBlind: where nothing tells of work that is left, that is said once, with what would tell.
func TestBlind(t *testing.T) {
	for name, c := range map[string]struct {
		command []string
		env     string
		lines   int
	}{
		"Go":                 {goApp("bin"), "A=1", 1},
		"Go with a path":     {goApp("bin"), "SLUICE_BUSY_PATH=/get", 0},
		"Go without waiting": {goApp("bin"), "SLUICE_DRAIN_LIMIT=0", 0},
		"Node":               {[]string{testdeps.Node(t), "testdata/chat.cjs"}, "A=1", 0},
	} {
		w := start(t, c.command, c.env)
		for range 3 {
			got := w.do(get("/get"))
			<-got.inv.Released()
		}
		if n := strings.Count(w.stderr.String(), "nothing tells whether"); n != c.lines {
			t.Errorf("%s: said %d times, want %d", name, n, c.lines)
		}
	}
}
