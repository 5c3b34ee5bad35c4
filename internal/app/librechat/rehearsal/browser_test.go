package rehearsal_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/aproorg/sluice/internal/app/librechat/facts"
	"github.com/aproorg/sluice/internal/chromiumtest"
	"github.com/aproorg/sluice/internal/emulate/llm"
	"github.com/aproorg/sluice/internal/testkit"
	"github.com/aproorg/sluice/internal/timeline"
)

// tab is a page of LibreChat in a real browser.
type tab struct {
	t   *testing.T
	ctx context.Context
	w   *world
}

// browse starts a Chromium that ends with the test. limit bounds all that is done in it.
func browse(t *testing.T, w *world, limit time.Duration, more ...chromedp.ExecAllocatorOption) *tab {
	t.Helper()
	more = append([]chromedp.ExecAllocatorOption{chromedp.WindowSize(1300, 900), chromedp.Flag("lang", "en-US")}, more...)
	return &tab{t: t, ctx: chromiumtest.Open(t, limit, more...), w: w}
}

// refused are the requests that were not answered as a page wants it, for the
// reader of a failure.
func (w *world) refused() string {
	events, _ := w.Recorder.Since(0)
	path, steps := map[string]string{}, []string{}
	for _, e := range events {
		switch {
		case e.Kind == timeline.RequestStart && e.Hop == timeline.CloudFront:
			path[e.Request] = e.Method + " " + e.Path
		case e.Kind == timeline.RequestEnd && e.Hop == timeline.CloudFront && (e.Status >= 400 || e.Error != ""):
			steps = append(steps, fmt.Sprintf("%s %d %s %s", e.Time.Format("05.000"), e.Status, path[e.Request], e.Error))
			if e.Status >= 500 {
				steps = append(steps, w.story(e.Request))
			}
		case e.Kind == timeline.Limit:
			steps = append(steps, fmt.Sprintf("%s %s %s: %s", e.Time.Format("05.000"), e.Environment, path[e.Request], e.Note))
		}
	}
	return strings.Join(steps[max(0, len(steps)-40):], "\n")
}

// another is a second tab of the same browser.
func (p *tab) another() *tab {
	p.t.Helper()
	ctx, cancel := chromedp.NewContext(p.ctx)
	p.t.Cleanup(cancel)
	q := &tab{t: p.t, ctx: ctx, w: p.w}
	q.do()
	return q
}

func (p *tab) do(steps ...chromedp.Action[chromedp.Void]) {
	p.t.Helper()
	if err := chromedp.Do(p.ctx, steps...); err != nil {
		p.t.Fatalf("%v\nthe page: %.1500s", err, p.text("document.body"))
	}
}

// js evaluates an expression.
func js[T any](p *tab, expression string) T {
	p.t.Helper()
	value, err := chromedp.Run(p.ctx, chromedp.Evaluate[T](expression))
	if err != nil {
		p.t.Fatalf("evaluate %s: %v", expression, err)
	}
	return value
}

// text is what a person reads in an element.
func (p *tab) text(element string) string {
	value, err := chromedp.Run(p.ctx, chromedp.Evaluate[string](element+`?.innerText ?? ""`))
	if err != nil {
		return err.Error()
	}
	return value
}

// within waits until the expression is true.
func (p *tab) within(limit time.Duration, what, expression string) {
	p.t.Helper()
	came := testkit.Until(limit, func() bool {
		ok, err := chromedp.Run(p.ctx, chromedp.Evaluate[bool]("!!("+expression+")"))
		if p.ctx.Err() != nil {
			p.t.Fatalf("%s: %v", what, err)
		}
		return err == nil && ok
	})
	if !came { // the page is read only now: a look at each poll would disturb it
		chromiumtest.Picture(p.t, p.ctx, strings.ReplaceAll(p.t.Name(), "/", "_"))
		p.t.Fatalf("%s: not within %v; the page: %.1500s\nrefused: %s", what, limit, p.text("document.body"), p.w.refused())
	}
}

const (
	box    = `document.querySelector("#prompt-textarea")`
	answer = `[...document.querySelectorAll(".agent-turn")].at(-1)`
	stop   = `document.querySelector('button[aria-label="Stop generating"]')`
)

// opening is long: a page's first calls are cold starts, all at once. A page asks
// about 20 at a time; of fewer environments Lambda refuses some, and a page that is
// refused what it needs stays empty.
const (
	everyday = 24
	opening  = 4 * time.Minute
	soon     = 20 * time.Second
)

func (p *tab) login() { p.t.Helper(); p.loginAs(facts.UserEmail, facts.UserPassword) }

func (p *tab) loginAs(email, password string) {
	p.t.Helper()
	p.do(chromedp.Navigate(p.w.ViewerURL + "/login"))
	p.within(opening, "the form", `document.querySelector('input[name="email"]')`)
	p.do(chromedp.SendKeys(chromedp.CSS(`input[name="email"]`), email),
		chromedp.SendKeys(chromedp.CSS(`input[name="password"]`), password+"\r"))
	p.ready()
}

// ready waits until a question can be asked.
func (p *tab) ready() {
	p.t.Helper()
	p.within(opening, "the chat", box+` && !`+box+`.disabled`)
}

func (p *tab) ask(question string) {
	p.t.Helper()
	p.do(chromedp.SendKeys(chromedp.CSS("#prompt-textarea"), question))
	p.within(opening, "the send button", `document.querySelector('#send-button:not([disabled])') ?? document.querySelector('[data-testid="send-button"]:not([disabled])')`)
	p.do(chromedp.Click(chromedp.CSS(`[data-testid="send-button"]`)))
}

// answered waits for the whole answer of a request to the model.
func (p *tab) answered(limit time.Duration, r llm.Request) {
	p.t.Helper()
	words := strings.Fields(r.Answer)
	last := strings.Join(words[max(0, len(words)-3):], " ")
	p.within(limit, "the whole answer", fmt.Sprintf(`%s?.innerText.replace(/\s+/g, " ").includes(%q)`, answer, last))
	p.within(soon, "the end of the stream", `!`+stop)
}

// asked is the model's record of a question, once it has come to it.
func (p *tab) asked(question string) llm.Request {
	p.t.Helper()
	defer func() {
		if p.t.Failed() {
			chromiumtest.Picture(p.t, p.ctx, strings.ReplaceAll(p.t.Name(), "/", "_"))
			page := p.text("document.body")
			p.t.Logf("the end of the page: %s\nrefused: %s", page[max(0, len(page)-1500):], p.w.refused())
		}
	}()
	return p.w.asked(p.t, question)
}

func (w *world) asked(t *testing.T, question string) llm.Request {
	t.Helper()
	var found llm.Request
	testkit.Wait(t, opening, fmt.Sprintf("the question %q at the model", question), func() (string, bool) {
		all := w.chat.Stores.Model.Requests()
		i := slices.IndexFunc(all, func(r llm.Request) bool { return !r.Title && strings.Contains(r.Question, question) })
		if i >= 0 {
			found = all[i]
		}
		return fmt.Sprintf("%d other requests", len(all)), i >= 0
	})
	return found
}

// ended is the record of a question to which the model has given its last word.
func (w *world) ended(t *testing.T, question string) llm.Request {
	t.Helper()
	var last llm.Request
	testkit.Wait(t, opening, fmt.Sprintf("the end of the answer to %q", question), func() (string, bool) {
		last = w.asked(t, question)
		return fmt.Sprintf("%+v", last), last.Outcome != llm.Running
	})
	return last
}

// TestBuiltAnswersOutliveTheirReadersColdStart kills what is warm after the POST,
// so that the stream is read by an environment that starts when the answer has ended.
func TestBuiltAnswersOutliveTheirReadersColdStart(t *testing.T) {
	eachBuilt(t, func(t *testing.T, r facts.Release) {
		if r.Design != facts.GeneratesAfterPost {
			t.Skip("the POST is the stream of this release")
		}
		w := start(t, r, nil, nil)
		p := browse(t, w, 6*time.Minute)
		p.login()
		for n := range 2 { // the second is in the same conversation, whose stream has the same name
			question := fmt.Sprintf("quick %d", n)
			w.onlyOne(t)
			p.ask(question + " [llm tokens=12 rate=50 first=1ms]")
			p.answered(opening, w.asked(t, question))
		}
	})
}

// onlyOne recycles all environments but one.
func (w *world) onlyOne(t *testing.T) {
	t.Helper()
	testkit.Wait(t, soon, "a single environment", func() (string, bool) {
		ids := w.environments()
		for _, id := range ids[min(1, len(ids)):] {
			w.Lambda.Recycle(id)
		}
		return fmt.Sprintf("%v", ids), len(ids) <= 1
	})
}
