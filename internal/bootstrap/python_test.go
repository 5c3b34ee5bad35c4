package bootstrap_test

import (
	"strings"
	"testing"
	"time"

	"github.com/aproorg/sluice/internal/testdeps"
)

// TestPythonWorkAfterResponse: the next invocation is asked for only when the task and the thread of the one before are done.
func TestPythonWorkAfterResponse(t *testing.T) {
	python, _ := testdeps.Python(t)
	w := start(t, []string{python, "drain/testdata/python/app_asyncio.py"}, "SLUICE_READY_PATH=tcp")
	for _, job := range []string{"task", "thread", "none"} {
		got := w.do(get("/" + job))
		<-got.inv.Released()
		if done := strings.Contains(w.stdout.String(), "done "+job); done != (job != "none") {
			t.Errorf("%s: done %v when the environment was let go", job, done)
		}
	}
	if log := w.stderr.String(); strings.Contains(log, "nothing tells whether") {
		t.Errorf("the log says that nothing tells:\n%s", log)
	}
}

// TestPythonStartIsNoWork: what an app has begun at its start, that took longer than the init phase, holds no invocation.
func TestPythonStartIsNoWork(t *testing.T) {
	python, _ := testdeps.Python(t)
	w := start(t, []string{python, "drain/testdata/python/app_asyncio.py"}, "SLUICE_READY_PATH=tcp", "SLUICE_INIT_LIMIT=200ms", "SLUICE_READY_PROBES=running", "STARTS_FOR=1")
	got := w.do(get("/none"))
	answered := time.Now()
	<-got.inv.Released()
	if held := time.Since(answered); held > 5*time.Second {
		t.Errorf("held %v for a task of the start", held)
	}
}
