package rehearsal_test

import (
	"context"
	"flag"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/aproorg/sluice/internal/app/librechat/facts"
	"github.com/aproorg/sluice/internal/emulate/llm"
	"github.com/aproorg/sluice/internal/rehearse"
)

var longGeneration = flag.Duration("generation", 0, "length of the one answer of TestLongGeneration; 14m is what Lambda's longest timeout allows")

// TestLongGeneration has an answer take 14/15 of the function's timeout, which is
// 15 minutes for the longest on Lambda.
func TestLongGeneration(t *testing.T) {
	if *longGeneration == 0 {
		t.Skip("takes as long as the answer: go test ./internal/app/librechat/rehearsal -run TestLongGeneration -generation 50s (or 14m -timeout 30m)")
	}
	run := func(t *testing.T, w *world) {
		p := newPerson(t, w.ViewerURL, w.release.Design)
		ctx, cancel := context.WithTimeout(t.Context(), *longGeneration+2*time.Minute)
		defer cancel()
		n := int(*longGeneration / (500 * time.Millisecond))
		q := p.ask(ctx, fmt.Sprintf("chat-long [llm tokens=%d every=500ms first=500ms]", n))
		if !q.final {
			t.Errorf("the page did not see the end: %v\n%s", q.err, w.story(q.request))
		}
		w.rest(t, func() {})
		r, title := w.answers()["chat-long"], w.answers()["title chat-long"]
		if r.Outcome != llm.Finished || title.Outcome != llm.Finished {
			t.Errorf("the model's answer is %s after %d of %d words, its title %q", r.Outcome, r.Sent, n, title.Outcome)
		}
		if text, err := p.answer(t.Context(), q.conversation); err != nil || !strings.Contains(text, strings.TrimSpace(r.Answer)) {
			t.Errorf("the answer in the database has %d characters, want %d: %v", len(text), len(r.Answer), err)
		}
		done := w.works()[q.request]
		late := done.rested.Sub(latest(r.Ended, title.Ended))
		t.Logf("generated for %v in %s, which froze %v after the model's last word", r.Ended.Sub(r.Started).Round(time.Second), done.environment, late.Round(time.Millisecond))
		if done.killed || late > time.Second {
			t.Errorf("killed: %v; froze %v after the model's last word, want within a second", done.killed, late)
		}
	}
	limits := func(cfg *rehearse.Config) {
		remembering(cfg)
		cfg.Concurrency, cfg.Timeout = 4, max((*longGeneration*15/14).Round(time.Second), *longGeneration+10*time.Second)
	}
	for _, d := range []facts.Design{facts.StreamsInPost, facts.GeneratesAfterPost} {
		t.Run(d.String(), func(t *testing.T) { t.Parallel(); run(t, standInWorld(t, d, limits)) })
	}
	t.Run("built", func(t *testing.T) {
		eachBuilt(t, func(t *testing.T, r facts.Release) { t.Parallel(); run(t, start(t, r, nil, limits)) })
	})
}
