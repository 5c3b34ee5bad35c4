package rehearsal_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aproorg/sluice/internal/app/librechat/facts"
	"github.com/aproorg/sluice/internal/emulate/llm"
	"github.com/aproorg/sluice/internal/testkit"
)

// TestKilledGenerationStandIn kills the environment that generates while another one
// reads: the page does not wait for what will not come.
func TestKilledGenerationStandIn(t *testing.T) {
	killGenerating(t, standInWorld(t, facts.GeneratesAfterPost, limited(2*time.Minute)))
}

func TestKilledGenerationBuilt(t *testing.T) {
	eachBuilt(t, func(t *testing.T, r facts.Release) {
		if r.Design != facts.GeneratesAfterPost {
			t.Skip("the POST is the stream of this release")
		}
		killGenerating(t, start(t, r, nil, limited(5*time.Minute)))
	})
}

func killGenerating(t *testing.T, w *world) {
	p := newPerson(t, w.ViewerURL, w.release.Design)
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Minute)
	defer cancel()
	seen := make(chan question, 1)
	go func() { seen <- p.ask(ctx, "chat-killed [llm tokens=2000 every=100ms first=100ms]") }()
	testkit.Wait(t, 4*time.Minute, "20 words of the model", func() (string, bool) {
		answer := w.answers()["chat-killed"]
		return fmt.Sprintf("%+v", answer), answer.Sent >= 20
	})
	w.killGenerating(t)
	begun := time.Now()
	q := <-seen
	took := time.Since(begun)
	if !q.final || w.clock.between(begun, begun.Add(took)) > 30*time.Second {
		t.Errorf("%v after the kill the page saw %v, want the end of what there is of the answer", took, q.err)
	}
	r := w.answers()["chat-killed"]
	if r.Outcome != llm.Cut {
		t.Errorf("the model's answer is %s", r.Outcome)
	}
	text, err := p.answer(ctx, q.conversation)
	if text = strings.TrimSpace(text); err != nil || !strings.HasPrefix(r.Answer, text) || text == "" && w.savesStopped(t) {
		t.Errorf("of %d words that the model sent are saved %.200q: %v", r.Sent, text, err)
	}
	t.Logf("the page saw the end %v after the kill; of %d words %d are saved", took.Round(100*time.Millisecond), r.Sent, len(strings.Fields(text)))
	w.rest(t, func() {})
	if q := p.ask(ctx, "chat-next [llm tokens=5 every=5ms first=5ms]"); !q.final {
		t.Errorf("the next question: %v\n%s", q.err, w.story(q.request))
	}
}

// killGenerating kills the environment that has taken the chat's last POST.
func (w *world) killGenerating(t *testing.T) {
	t.Helper()
	killed := false
	for request, work := range w.works() {
		if w.path(request) == "/api/agents/chat/"+facts.StubEndpoint && work.rested.IsZero() {
			killed = w.Lambda.Kill(work.environment) || killed
		}
	}
	if !killed {
		t.Error("no environment generates")
	}
}

// savesStopped says whether the release saves what there is of an answer by the request that stops it, so that what
// generated it may be gone. From v0.8.2.
func (w *world) savesStopped(t *testing.T) bool {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(w.release.Dir, "api", "server", "routes", "agents", "index.js"))
	if err != nil {
		t.Fatal(err)
	}
	return strings.Contains(string(text), "saveMessage")
}

// path is what a request has asked for.
func (w *world) path(request string) string {
	events, _ := w.Recorder.Since(0)
	for _, e := range events {
		if e.Request == request && e.Path != "" {
			return e.Path
		}
	}
	return ""
}
