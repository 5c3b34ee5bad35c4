package rehearsal_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/aproorg/sluice/internal/app/librechat/facts"
	"github.com/aproorg/sluice/internal/rehearse"
	"github.com/aproorg/sluice/internal/timeline"
)

// wearOut ends each environment after its first request, until the test ends.
func (w *world) wearOut(t *testing.T) {
	done := make(chan struct{})
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for {
			select {
			case <-done:
				return
			case <-time.After(20 * time.Millisecond):
			}
			for _, id := range w.environments() {
				w.Lambda.Recycle(id)
			}
		}
	}()
	t.Cleanup(func() { close(done); <-ended })
}

// served counts the requests of each environment; the record must be a remembering one.
func (w *world) served() (environments, requests, most int) {
	count := map[string]int{}
	events, _ := w.Recorder.Since(0)
	for _, e := range events {
		if e.Kind == timeline.Invoke {
			count[e.Environment]++
			requests++
			most = max(most, count[e.Environment])
		}
	}
	return len(count), requests, most
}

// TestFreshStandIn has each request served by an environment of its own, and loses nothing.
func TestFreshStandIn(t *testing.T) {
	eachStandIn(t, remembering, func(t *testing.T, w *world) { fresh(t, w, 5) })
}

func TestFreshBuilt(t *testing.T) {
	eachBuilt(t, func(t *testing.T, r facts.Release) { fresh(t, start(t, r, nil, remembering), 3) })
}

func fresh(t *testing.T, w *world, questions int) {
	w.wearOut(t)
	p := newPerson(t, w.ViewerURL, w.release.Design)
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	for i := range questions {
		q := p.ask(ctx, fmt.Sprintf("chat-%d [llm tokens=10 every=20ms first=10ms]", i))
		if !q.final {
			t.Fatalf("question %d: %v\n%s", i, q.err, w.story(q.request))
		}
		r := w.answers()[fmt.Sprintf("chat-%d", i)]
		if text, err := p.answer(ctx, q.conversation); err != nil || !strings.Contains(text, strings.TrimSpace(r.Answer)) {
			t.Errorf("the answer %q is saved as %q, %v", r.Answer, text, err)
		}
	}
	w.alone(t)
}

// alone tells whether environments were used once.
func (w *world) alone(t *testing.T) {
	t.Helper()
	environments, requests, most := w.served()
	t.Logf("%d requests in %d environments", requests, environments)
	if most != 1 {
		t.Errorf("an environment has served %d requests, want 1", most)
	}
}

// TestBuiltFreshInBrowser is the part of a person's day in which a page and its
// streams need most of Lambda, each request in a cold environment.
func TestBuiltFreshInBrowser(t *testing.T) {
	eachBuilt(t, func(t *testing.T, r facts.Release) {
		w := start(t, r, nil, func(cfg *rehearse.Config) { remembering(cfg); cfg.Concurrency = everyday })
		w.wearOut(t)
		p := browse(t, w, 25*time.Minute)
		p.register("ann@example.com")
		p.steps(day{"words one by one", wordsOneByOne}, day{"reload in the middle", reloadInTheMiddle}, day{"stop", stopAnAnswer})
		w.alone(t)
	})
}
