package rehearsal_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/aproorg/sluice/internal/app/librechat/facts"
	"github.com/aproorg/sluice/internal/emulate/llm"
	"github.com/aproorg/sluice/internal/rehearse"
)

// onThePage opens some of the saved chats in Chromium, and reads their answers there.
func (c *chaos) onThePage(t *testing.T, n int) {
	p := browse(t, c.w, 10*time.Minute)
	p.loginAs(personEmail, personPassword)
	for i := range min(n, len(c.saved)) {
		q := c.saved[i*len(c.saved)/n]
		p.do(chromedp.Navigate(c.w.ViewerURL + "/c/" + q.conversation))
		p.shows(opening, c.w.answers()[strings.Fields(q.text)[0]].Answer)
	}
}

// shows waits until the last answer on the page has a text.
func (p *tab) shows(limit time.Duration, text string) {
	p.t.Helper()
	p.within(limit, "the text "+text, fmt.Sprintf(`%s?.innerText.replace(/\s+/g, " ").includes(%q)`, answer, strings.Join(strings.Fields(text), " ")))
}

// TestBuiltStoppedAnswerOnThePage stops an answer, and looks at the page again
// later. A release that generates after the POST has stopped for good. Where the
// POST is the stream the page stops reading, of which Lambda tells nobody: the
// answer goes on, and is there as a whole when the page is loaded again.
func TestBuiltStoppedAnswerOnThePage(t *testing.T) {
	eachBuilt(t, func(t *testing.T, r facts.Release) {
		w := start(t, r, nil, nil)
		p := browse(t, w, 8*time.Minute)
		p.login()
		p.ask("warm [llm tokens=10 rate=20]")
		p.answered(opening, p.asked("warm"))
		p.ask("stop [llm tokens=150 rate=8]")
		request := p.asked("stop")
		begin := strings.Join(strings.Fields(request.Answer)[:5], " ")
		p.shows(opening, begin)
		p.do(chromedp.Click(chromedp.CSS(`button[aria-label="Stop generating"]`)))
		p.within(soon, "the end of the stream", `!`+stop)
		want, text := llm.Cut, begin
		if r.Design == facts.StreamsInPost {
			want, text = llm.Finished, request.Answer
		}
		if got := w.ended(t, "stop"); got.Outcome != want {
			t.Errorf("the model's answer is %s after %d words, want it %s", got.Outcome, got.Sent, want)
		}
		w.rest(t, func() {})
		p.do(chromedp.Reload())
		p.shows(opening, text)
		if r.Design == facts.GeneratesAfterPost && strings.Contains(p.text(answer), lastWords(request)) {
			t.Error("the page shows the whole of an answer that was stopped")
		}
	})
}

// TestBuiltKilledAnswerOnThePage kills the environment that generates an answer. Its page keeps what it has seen, stops
// waiting, and takes the next question; what was saved is there when it is loaded again.
func TestBuiltKilledAnswerOnThePage(t *testing.T) {
	eachBuilt(t, func(t *testing.T, r facts.Release) {
		if r.Design != facts.GeneratesAfterPost {
			t.Skip("the POST is the stream of this release, and an error is what its page sees")
		}
		w := start(t, r, nil, func(cfg *rehearse.Config) { remembering(cfg); cfg.Concurrency = everyday })
		p := browse(t, w, 12*time.Minute)
		p.login()
		p.ask("warm [llm tokens=10 rate=20]")
		p.answered(opening, p.asked("warm"))
		w.rest(t, func() {})
		p.ask("killed [llm tokens=2000 rate=8]")
		request := p.asked("killed")
		begin := strings.Join(strings.Fields(request.Answer)[:5], " ")
		p.shows(opening, begin)
		w.killGenerating(t)
		begun := time.Now()
		p.within(opening, "the end of the stream", `!`+stop)
		took := time.Since(begun)
		if w.clock.between(begun, begun.Add(took)) > 30*time.Second {
			t.Errorf("the page waited %v for a generation that was killed", took)
		}
		t.Logf("the page stopped waiting %v after the kill", took.Round(100*time.Millisecond))
		p.shows(soon, begin)
		p.do(chromedp.Reload())
		p.ready()
		p.within(opening, "the question", `document.body.innerText.includes("killed [llm")`)
		if w.savesStopped(t) {
			p.shows(soon, begin)
		}
		p.ask("next [llm tokens=10 rate=20]")
		p.answered(opening, p.asked("next"))
	})
}

func lastWords(r llm.Request) string {
	words := strings.Fields(r.Answer)
	return strings.Join(words[max(0, len(words)-4):], " ")
}
