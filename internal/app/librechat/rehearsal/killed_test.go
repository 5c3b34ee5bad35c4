package rehearsal_test

import (
	"context"
	"fmt"
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
	for request, work := range w.works() {
		if w.path(request) == "/api/agents/chat/"+facts.StubEndpoint {
			w.Lambda.Kill(work.environment)
		}
	}
	begun := time.Now()
	q := <-seen
	if took := time.Since(begun); !q.final || took > time.Minute {
		t.Errorf("%v after the kill the page saw %v, want the end of what there is of the answer", took, q.err)
	}
	if r := w.answers()["chat-killed"]; r.Outcome != llm.Cut {
		t.Errorf("the model's answer is %s", r.Outcome)
	}
	w.rest(t, func() {})
	if q := p.ask(ctx, "chat-next [llm tokens=5 every=5ms first=5ms]"); !q.final {
		t.Errorf("the next question: %v\n%s", q.err, w.story(q.request))
	}
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
