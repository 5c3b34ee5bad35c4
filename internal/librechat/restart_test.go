package librechat_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/aproorg/sluice/internal/librechat"
)

// TestStoresRestart restarts Redis, which loses its data, and Mongo, which
// keeps it, under a running LibreChat. The next chat must be whole.
func TestStoresRestart(t *testing.T) {
	dirs := filepath.SplitList(os.Getenv("SLUICE_LIBRECHAT_DIR"))
	if len(dirs) == 0 {
		t.Skip("needs a built LibreChat: SLUICE_LIBRECHAT_DIR=DIR go test ./internal/librechat -run StoresRestart")
	}
	for _, dir := range dirs {
		r, err := librechat.Detect(dir)
		if err != nil {
			t.Fatal(err)
		}
		t.Run(r.Version, func(t *testing.T) { restarted(t, newWorld(t, r)) })
	}
}

func TestStandInSurvivesRestart(t *testing.T) {
	restarted(t, standIn(t, librechat.GeneratesAfterPost))
}

func restarted(t *testing.T, w *world) {
	c := w.boot(t, true)
	c.login(t)
	const question = "hello [llm tokens=10 every=5ms first=5ms]"
	c.ask(t, w.release.Design, question)
	w.finished(t)
	if err := w.redis.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := w.mongo.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	c.settled(t)
	conversation := c.ask(t, w.release.Design, question)
	got := c.messages(t, conversation)
	if len(got) != 2 {
		t.Errorf("after the restart the conversation has messages %q, want 2", got)
	}
}
