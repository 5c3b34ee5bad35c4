package facts_test

import (
	"encoding/json"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aproorg/sluice/internal/app/librechat/facts"
	"github.com/aproorg/sluice/internal/app/librechat/librechattest"
	"github.com/aproorg/sluice/internal/testdeps"
)

// standIn writes a release, and a world whose database is a directory.
func standIn(t *testing.T, d facts.Design) *world {
	t.Helper()
	return aroundStandIn(t, librechattest.StandIn(t, t.TempDir(), d))
}

func aroundStandIn(t *testing.T, r facts.Release) *world {
	t.Helper()
	testdeps.Node(t)
	w := newWorld(t, r)
	w.env[librechattest.State] = t.TempDir()
	return w
}

// eachStandIn runs a test with a stand-in of each design.
func eachStandIn(t *testing.T, run func(t *testing.T, w *world)) {
	for _, d := range []facts.Design{facts.StreamsInPost, facts.GeneratesAfterPost} {
		t.Run(d.String(), func(t *testing.T) { run(t, standIn(t, d)) })
	}
	t.Run("today", func(t *testing.T) { run(t, aroundStandIn(t, librechattest.Today(t, t.TempDir()))) })
}

// messages returns the texts of a conversation.
func (c *client) messages(t *testing.T, conversation string) []string {
	t.Helper()
	resp, err := c.open("GET", "/api/messages/"+conversation, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var all []struct{ Text string }
	if err := json.NewDecoder(resp.Body).Decode(&all); err != nil {
		t.Fatal(err)
	}
	var texts []string
	for _, m := range all {
		texts = append(texts, m.Text)
	}
	return texts
}

func TestStandInChats(t *testing.T) {
	eachStandIn(t, func(t *testing.T, w *world) {
		c := w.boot(t, true)
		if _, err := c.call("GET", "/api/user", nil); err == nil || !strings.Contains(err.Error(), "401") {
			t.Errorf("without a login: %v", err)
		}
		c.login(t)
		conversation := c.ask(t, w.release.Design, "hello [llm tokens=10 every=5ms first=5ms]")
		w.finished(t)
		got := c.messages(t, conversation)
		if len(got) != 2 || got[1] != w.model.Requests()[0].Answer {
			t.Errorf("messages %q, want the answer %q", got, w.model.Requests()[0].Answer)
		}
	})
}

func TestStandInStreamsAcrossProcesses(t *testing.T) {
	eachStandIn(t, func(t *testing.T, w *world) {
		if w.release.Design == facts.GeneratesAfterPost {
			acrossProcesses(t, w)
		}
	})
}

func TestStandInNeedsItsLogs(t *testing.T) {
	w := standIn(t, facts.StreamsInPost)
	logs := filepath.Join(w.release.Dir, "api", "logs")
	if out, err := exec.Command("sh", "-c", "rm -rf '"+logs+"' && : > '"+logs+"'").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	cmd := exec.Command(w.release.Command()[0], w.release.Command()[1:]...)
	cmd.Env = []string{"JWT_SECRET=x", librechattest.State + "=" + t.TempDir(), "PATH=/usr/local/bin:/usr/bin:/bin"}
	out, err := cmd.CombinedOutput()
	if err == nil || !strings.Contains(string(out), "EEXIST") {
		t.Errorf("with logs that cannot be written: %v, %s", err, out)
	}
}
