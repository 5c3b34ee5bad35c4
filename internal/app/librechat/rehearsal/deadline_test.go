package rehearsal_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/aproorg/sluice/internal/app/librechat/facts"
	"github.com/aproorg/sluice/internal/emulate/llm"
	"github.com/aproorg/sluice/internal/rehearse"
)

// TestDeadlineStandIn has an answer take longer than the function may run. Its page
// hears the end within the function's timeout, what there was of it is saved, and
// the next question is answered by the same environments.
func TestDeadlineStandIn(t *testing.T) {
	for _, d := range []facts.Design{facts.StreamsInPost, facts.GeneratesAfterPost} {
		t.Run(d.String(), func(t *testing.T) {
			t.Parallel()
			outlive(t, standInWorld(t, d, limited(6*time.Second)), 6*time.Second)
		})
	}
}

// TestDeadlineBuilt leaves a cold start the time that it needs on a machine at work.
func TestDeadlineBuilt(t *testing.T) {
	eachBuilt(t, func(t *testing.T, r facts.Release) {
		outlive(t, start(t, r, nil, limited(time.Minute)), time.Minute)
	})
}

func limited(timeout time.Duration) func(*rehearse.Config) {
	return func(cfg *rehearse.Config) {
		remembering(cfg)
		cfg.Concurrency, cfg.Timeout = 4, timeout
	}
}

func outlive(t *testing.T, w *world, timeout time.Duration) {
	p := newPerson(t, w.ViewerURL, w.release.Design)
	ctx, cancel := context.WithTimeout(t.Context(), 3*timeout+time.Minute)
	defer cancel()
	begun := time.Now()
	q := p.ask(ctx, fmt.Sprintf("chat-long [llm tokens=%d every=250ms first=100ms]", 4*int(2*timeout/time.Second)))
	took := time.Since(begun)
	switch {
	case w.release.Design == facts.StreamsInPost && (q.err == nil || !strings.Contains(q.err.Error(), "time limit")):
		t.Errorf("the page saw %v, want an error that tells of the time limit\n%s", q.err, w.story(q.request))
	case w.release.Design == facts.GeneratesAfterPost && !q.final:
		t.Errorf("the page saw %v, want the end of what there is of the answer\n%s", q.err, w.story(q.request))
	}
	if took > timeout+5*time.Second {
		t.Errorf("the page waited %v, with a timeout of %v", took, timeout)
	}
	w.rest(t, func() {})
	r := w.answers()["chat-long"]
	if r.Outcome != llm.Cut {
		t.Errorf("the model's answer is %s after %d words, want it cut", r.Outcome, r.Sent)
	}
	text, err := p.answer(ctx, q.conversation)
	if words := len(strings.Fields(text)); err != nil || words < r.Sent*3/4 || !strings.HasPrefix(r.Answer, strings.TrimSpace(text)) {
		t.Errorf("of %d words that the model sent %d are saved: %.100q, %v", r.Sent, words, text, err)
	}
	if done := w.works()[q.request]; done.killed {
		t.Errorf("%s was killed\n%s", done.environment, w.story(q.request))
	}
	if q := p.ask(ctx, "chat-next [llm tokens=5 every=5ms first=5ms]"); !q.final {
		t.Errorf("the next question: %v\n%s", q.err, w.story(q.request))
	}
	t.Logf("the page waited %v of %v; %d words were sent", took.Round(100*time.Millisecond), timeout, r.Sent)
}

// TestBuiltDeadlineInBrowser is the same for a person: the page shows what there is of
// the answer, or says why there is no more and how it is seen, and goes on.
func TestBuiltDeadlineInBrowser(t *testing.T) {
	eachBuilt(t, func(t *testing.T, r facts.Release) {
		timeout := time.Minute
		w := start(t, r, nil, func(cfg *rehearse.Config) { cfg.Concurrency, cfg.Timeout = everyday, timeout })
		p := browse(t, w, 12*time.Minute)
		p.register("ann@example.com")
		p.ask("warm [llm tokens=10 rate=20]")
		p.answered(opening, p.asked("warm"))
		p.ask("endless [llm tokens=1000 rate=4]")
		request := p.asked("endless")
		few := strings.Join(strings.Fields(request.Answer)[:5], " ")
		p.within(timeout, "some words", fmt.Sprintf(`%s.innerText.includes(%q)`, answer, few))
		p.within(timeout+soon, "the end of the stream", `!`+stop)
		if r.Design == facts.StreamsInPost { // whose page takes no question after an error
			p.within(soon, "the reason", answer+`.innerText.includes("Reload the page")`)
			p.do(chromedp.Reload())
			p.ready()
		}
		p.within(opening, "what there is of it", fmt.Sprintf(`%s?.innerText.includes(%q)`, answer, few))
		t.Logf("%s; the page ends with: %.300q", w.ended(t, "endless").Outcome, tail(p.text(answer), 300))
		p.ask("next [llm tokens=10 rate=20]")
		p.answered(opening, p.asked("next"))
		p.do(chromedp.Reload())
		p.ready()
		p.within(opening, "what was saved", fmt.Sprintf(`document.body.innerText.replace(/\s+/g, " ").includes(%q)`, few))
		p.answered(soon, w.asked(t, "next"))
	})
}

func tail(s string, n int) string { return s[max(0, len(s)-n):] }
