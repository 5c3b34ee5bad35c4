package facts_test

import (
	"testing"

	"github.com/aproorg/sluice/internal/app/librechat/facts"
	"github.com/aproorg/sluice/internal/app/librechat/librechattest"
)

// TestStoresRestart restarts Redis, which loses its data, and Mongo, which
// keeps it, under a running LibreChat. The next chat must be whole.
func TestStoresRestart(t *testing.T) {
	for _, r := range librechattest.Built(t, "go test ./internal/app/librechat -run StoresRestart") {
		t.Run(r.Version, func(t *testing.T) { restarted(t, newWorld(t, r)) })
	}
}

func TestStandInSurvivesRestart(t *testing.T) {
	restarted(t, standIn(t, facts.GeneratesAfterPost))
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
