package facts_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aproorg/sluice/internal/app/librechat/facts"
	"github.com/aproorg/sluice/internal/emulate/llm"
	"github.com/aproorg/sluice/internal/testkit"
)

// TestStreamsAcrossProcesses is for the releases of SLUICE_LIBRECHAT_DIR that
// generate after the POST.
func TestStreamsAcrossProcesses(t *testing.T) { eachAfterPost(t, acrossProcesses) }

// eachAfterPost runs a test with each of those releases.
func eachAfterPost(t *testing.T, test func(*testing.T, *world)) {
	tried := false
	for _, dir := range filepath.SplitList(os.Getenv("SLUICE_LIBRECHAT_DIR")) {
		r, err := facts.Detect(dir)
		if err != nil {
			t.Fatal(err)
		}
		if r.Design == facts.GeneratesAfterPost {
			tried = true
			t.Run(r.Version, func(t *testing.T) { test(t, newWorld(t, r)) })
		}
	}
	if !tried {
		t.Skipf("needs a built LibreChat of v0.8.2-rc2 or later: SLUICE_LIBRECHAT_DIR=DIR go test ./internal/app/librechat -run %s", t.Name())
	}
}

// acrossProcesses starts a stream in one process, reads it in another from its
// middle, and aborts it from a third.
func acrossProcesses(t *testing.T, w *world) {
	one := w.boot(t, true)
	two, three := w.boot(t, false), w.boot(t, false)
	one.login(t)
	two.token, three.token = one.token, one.token
	resp := one.post(t, "go on [llm tokens=2000 every=10ms first=1ms]")
	var started struct{ StreamID string }
	err := json.NewDecoder(resp.Body).Decode(&started)
	resp.Body.Close()
	if err != nil || started.StreamID == "" {
		t.Fatalf("the POST gave no stream: %v", err)
	}
	testkit.Wait(t, time.Minute, "the model's first 20 words", func() (string, bool) { // the first events have gone by
		all := w.model.Requests()
		return fmt.Sprintf("%+v", all), len(all) > 0 && all[0].Sent >= 20
	})
	if resp, err = two.open("GET", "/api/agents/chat/stream/"+started.StreamID+"?resume=true", nil); err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	aborted := make(chan error, 1)
	go func() {
		time.Sleep(500 * time.Millisecond) // the reader's time with the stream
		_, err := three.call("POST", "/api/agents/chat/abort", map[string]any{"streamId": started.StreamID})
		aborted <- err
	}()
	words, whole := readWords(t, resp)
	if err := <-aborted; err != nil {
		t.Fatal(err)
	}
	if len(words) < 10 || !strings.Contains(whole, strings.Join(words[:len(words)-1], "")) {
		t.Errorf("second process read %d words, %q; the whole was %q", len(words), strings.Join(words, ""), whole)
	}
	w.cut(t)
}

// TestStopKeepsWhatThereIs and its stand-in stop an answer by the process that generates
// it and by another one: what its reader saw of it is saved.
func TestStopKeepsWhatThereIs(t *testing.T) { eachAfterPost(t, stopKeeps) }

func TestStandInStopKeepsWhatThereIs(t *testing.T) {
	stopKeeps(t, standIn(t, facts.GeneratesAfterPost))
}

func stopKeeps(t *testing.T, w *world) {
	one, two := w.boot(t, true), w.boot(t, false)
	one.login(t)
	two.token = one.token
	for name, stops := range map[string]*client{"the same": one, "another": two} {
		conversation := one.generate(t, "", "stopped by "+name+" [llm tokens=2000 every=20ms first=1ms]")
		resp, err := two.open("GET", "/api/agents/chat/stream/"+conversation, nil)
		if err != nil {
			t.Fatal(err)
		}
		go func() {
			testkit.Until(time.Minute, func() bool { return w.sent("stopped by "+name) >= 20 })
			if _, err := stops.call("POST", "/api/agents/chat/abort", map[string]any{"streamId": conversation}); err != nil {
				t.Errorf("stop by %s process: %v", name, err)
			}
		}()
		words, _ := readWords(t, resp)
		resp.Body.Close()
		if len(words) < 2 {
			t.Fatalf("%d words were read of an answer that %s process stopped", len(words), name)
		}
		seen := strings.TrimSpace(strings.Join(words[:len(words)*3/4], ""))
		testkit.Wait(t, 10*time.Second, "what was seen of an answer that "+name+" process stopped, in the database", func() (string, bool) {
			text, err := two.answer(conversation)
			return fmt.Sprintf("%.200q of %.200q, %v", text, seen, err), strings.HasPrefix(strings.TrimSpace(text), seen)
		})
	}
}

// sent is how many words the model has sent in answer to a question.
func (w *world) sent(question string) int {
	for _, r := range w.model.Requests() {
		if !r.Title && strings.Contains(r.Question, question) {
			return r.Sent
		}
	}
	return 0
}

// answer is the text of a conversation's answers, as a page shows it: a message's
// parts, where it has some, else its text.
func (c *client) answer(conversation string) (text string, err error) {
	resp, err := c.open("GET", "/api/messages/"+conversation, nil)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	var all []struct {
		IsCreatedByUser bool
		Text            string
		Content         []struct{ Text string }
	}
	if err := json.NewDecoder(resp.Body).Decode(&all); err != nil {
		return "", err
	}
	for _, m := range all {
		if m.IsCreatedByUser {
			continue
		}
		if len(m.Content) == 0 {
			text += m.Text
		}
		for _, part := range m.Content {
			text += part.Text
		}
	}
	return text, nil
}

// cut waits until the model's answer was cut.
func (w *world) cut(t *testing.T) {
	t.Helper()
	testkit.Wait(t, 5*time.Second, "a model's answer that is cut after the abort", func() (string, bool) {
		outcome := w.model.Requests()[0].Outcome
		return fmt.Sprint(outcome), outcome == llm.Cut
	})
}

// readWords reads a stream to its final event. It returns the words that came
// one by one, and the whole text of the final event's answer.
func readWords(t *testing.T, resp *http.Response) (words []string, whole string) {
	t.Helper()
	for in := newEvents(resp.Body); ; {
		var e struct {
			Final           bool
			ResponseMessage struct {
				Text    string
				Content []struct{ Text string }
			}
			Data struct {
				Delta struct{ Content []struct{ Text string } }
			}
		}
		if err := in.next(&e); err != nil {
			t.Fatalf("stream ended after %d words without a final event: %v", len(words), err)
		}
		for _, c := range e.Data.Delta.Content {
			words = append(words, c.Text)
		}
		if !e.Final {
			continue
		}
		whole = e.ResponseMessage.Text
		for _, c := range e.ResponseMessage.Content {
			whole += c.Text
		}
		return words, whole
	}
}
