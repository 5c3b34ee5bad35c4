package librechat_test

import (
	"encoding/json"
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aproorg/sluice/internal/emulate/llm"
	"github.com/aproorg/sluice/internal/librechat"
	"github.com/aproorg/sluice/internal/librechat/librechattest"
)

// standIn writes a release, and a world whose database is a directory.
func standIn(t *testing.T, d librechat.Design) *world {
	t.Helper()
	if _, err := exec.LookPath("node"); err != nil {
		t.Skip("needs node: apt-get install nodejs")
	}
	dir := t.TempDir()
	if err := librechattest.Write(dir, d); err != nil {
		t.Fatal(err)
	}
	r, err := librechat.Detect(dir)
	if err != nil {
		t.Fatal(err)
	}
	if r.Design != d {
		t.Fatalf("design of the stand-in is taken for %v, want %v", r.Design, d)
	}
	w := newWorld(t, r)
	w.env[librechattest.State] = t.TempDir()
	return w
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
	for _, d := range []librechat.Design{librechat.StreamsInPost, librechat.GeneratesAfterPost} {
		t.Run(d.String(), func(t *testing.T) {
			w := standIn(t, d)
			c := w.boot(t, true)
			if _, err := c.call("GET", "/api/user", nil); err == nil || !strings.Contains(err.Error(), "401") {
				t.Errorf("without a login: %v", err)
			}
			c.login(t)
			conversation := c.ask(t, d, "hello [llm tokens=10 every=5ms first=5ms]")
			w.finished(t)
			got := c.messages(t, conversation)
			if len(got) != 2 || got[1] != w.model.Requests()[0].Answer {
				t.Errorf("messages %q, want the answer %q", got, w.model.Requests()[0].Answer)
			}
		})
	}
}

// A stream is started in one process, read in another from its begin, and
// aborted from a third.
func TestStandInStreamsAcrossProcesses(t *testing.T) {
	w := standIn(t, librechat.GeneratesAfterPost)
	one, two, three := w.boot(t, true), w.boot(t, false), w.boot(t, false)
	one.login(t)
	two.token, three.token = one.token, one.token
	started, err := one.call("POST", "/api/agents/chat/Rehearsal", map[string]any{"text": "go on [llm tokens=2000 every=5ms first=1ms]"})
	if err != nil {
		t.Fatal(err)
	}
	id, _ := started["streamId"].(string)
	time.Sleep(100 * time.Millisecond) // the first events have gone by
	resp, err := two.open("GET", "/api/agents/chat/stream/"+id+"?resume=true", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	go func() {
		time.Sleep(200 * time.Millisecond)
		three.call("POST", "/api/agents/chat/abort", map[string]any{"streamId": id})
	}()
	words, final := readWords(t, resp)
	if !final.Unfinished || final.Text == "" || strings.Join(words, "") != final.Text {
		t.Errorf("second process read %d words, %q; final event %+v", len(words), strings.Join(words, ""), final)
	}
	if q := w.model.Requests()[0]; q.Outcome != llm.Cut {
		t.Errorf("the model's answer is %s, want it cut", q.Outcome)
	}
}

func TestStandInNeedsItsLogs(t *testing.T) {
	w := standIn(t, librechat.StreamsInPost)
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

type reply struct {
	Text       string
	Unfinished bool
}

// readWords reads a stream to its final event.
func readWords(t *testing.T, resp *http.Response) (words []string, final reply) {
	t.Helper()
	dec := newEvents(resp.Body)
	for {
		var e struct {
			Final           bool
			ResponseMessage reply
			Data            struct {
				Delta struct{ Content []struct{ Text string } }
			}
		}
		if err := dec.next(&e); err != nil {
			t.Fatalf("stream ended after %d words without a final event: %v", len(words), err)
		}
		for _, c := range e.Data.Delta.Content {
			words = append(words, c.Text)
		}
		if e.Final {
			return words, e.ResponseMessage
		}
	}
}
