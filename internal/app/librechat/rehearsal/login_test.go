package rehearsal_test

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/aproorg/sluice/internal/app/librechat/facts"
	"github.com/aproorg/sluice/internal/rehearse"
	"github.com/aproorg/sluice/internal/testkit"
	"github.com/aproorg/sluice/internal/timeline"
)

// TestBuiltLoginStartsEnvironments is a first visit to an idle function: how many
// environments the page of the login and the login itself start, and what each
// call waited for, all read from the timeline. The browser speaks HTTP/2, as it
// does with CloudFront: with HTTP/1.1 it asks for six things at once at most.
func TestBuiltLoginStartsEnvironments(t *testing.T) {
	eachBuilt(t, func(t *testing.T, r facts.Release) {
		w := start(t, r, nil, func(cfg *rehearse.Config) { remembering(cfg); cfg.Concurrency = 40 })
		front := testkit.HTTP2Front(t, w.ViewerURL)
		p := browse(t, w, 6*time.Minute, chromedp.Flag("ignore-certificate-errors", true))
		p.do(chromedp.Navigate(front + "/login"))
		p.within(opening, "the form", `document.querySelector('input[name="email"]')`)
		time.Sleep(2 * time.Second) // what the page asks for behind the form
		before := w.seen()
		begun := time.Now()
		p.logIn()
		t.Logf("the chat is open %v after the password", time.Since(begun).Round(time.Millisecond))
		time.Sleep(3 * time.Second) // what the chat asks for once it is open
		all := w.seen()
		report(t, "the login page", before)
		report(t, "the login", all[len(before):])
		judgeLogin(t, all)
	})
}

// logIn fills the form in that is open.
func (p *tab) logIn() {
	p.t.Helper()
	p.do(chromedp.SendKeys(chromedp.CSS(`input[name="email"]`), facts.UserEmail),
		chromedp.SendKeys(chromedp.CSS(`input[name="password"]`), facts.UserPassword+"\r"))
	p.ready()
}

// seen are the requests that reached the function and have ended, in the order of
// their ends.
func (w *world) seen() []timeline.Request {
	var tally timeline.Tally
	var out []timeline.Request
	events, _ := w.Recorder.Since(0)
	for _, e := range events {
		if r, ended := tally.Add(e); ended && r.Environment != "" {
			out = append(out, r)
		}
	}
	return out
}

func report(t *testing.T, what string, requests []timeline.Request) {
	t.Helper()
	requests = slices.SortedFunc(slices.Values(requests), func(a, b timeline.Request) int { return a.Start.Compare(b.Start) })
	var lines strings.Builder
	cold := 0
	for _, r := range requests {
		if r.Cold > 0 {
			cold++
		}
		fmt.Fprintf(&lines, "\n%6d ms %-6s %3d %-5s %-50.50s total %6d ms, cold %6d ms %v", r.Start.Sub(requests[0].Start).Milliseconds(), r.Environment, r.Status,
			r.Method, r.Path, r.Total.Milliseconds(), r.Cold.Milliseconds(), r.Steps)
	}
	t.Logf("%s: %d calls, at most %d at once, started %d environments%s", what, len(requests), atOnce(requests), cold, lines.String())
}

// atOnce is the most requests that were under way at a moment.
func atOnce(requests []timeline.Request) int {
	type edge struct {
		at   time.Time
		step int
	}
	var edges []edge
	for _, r := range requests {
		edges = append(edges, edge{r.Start, 1}, edge{r.Start.Add(r.Total), -1})
	}
	slices.SortFunc(edges, func(a, b edge) int { return cmp.Or(a.at.Compare(b.at), a.step-b.step) })
	now, most := 0, 0
	for _, e := range edges {
		now += e.step
		most = max(most, now)
	}
	return most
}

// judgeLogin: no call is cut off, environments start, and each start tells its steps.
func judgeLogin(t *testing.T, requests []timeline.Request) {
	t.Helper()
	cold := 0
	for _, r := range requests {
		if r.Status >= 502 || r.Error != "" { // v0.8.2-rc1 itself answers /api/mcp/servers with 500
			t.Errorf("%s %s: status %d %s", r.Method, r.Path, r.Status, r.Error)
		}
		if r.Cold == 0 {
			continue
		}
		cold++
		for _, step := range []string{"secrets", "environment", "configuration", "spawn", "require", "listen", "ready"} {
			if !slices.ContainsFunc(r.Steps, func(s timeline.Step) bool { return s.Name == step }) {
				t.Errorf("%s %s waited %v for %s, of whose start no step %s is known: %v", r.Method, r.Path, r.Cold, r.Environment, step, r.Steps)
			}
		}
	}
	if cold == 0 {
		t.Error("no call waited for an environment to start, though none was there")
	}
}
