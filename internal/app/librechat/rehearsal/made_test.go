package rehearsal_test

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/aproorg/sluice/internal/app/librechat/facts"
	"github.com/aproorg/sluice/internal/rehearse"
	"github.com/aproorg/sluice/internal/testkit"
	"github.com/aproorg/sluice/internal/timeline"
)

// made are requests that make one of each thing that a person keeps in LibreChat.
var made = []step{
	{method: "POST", path: "/api/agents", body: `{"name":"Gardener","description":"knows herons","instructions":"Help.","provider":"Rehearsal","model":"rehearsal","tools":[],"model_parameters":{},"category":"general"}`, keep: "agent", from: "id"},
	{method: "GET", path: "/api/agents/{agent}"},
	{method: "GET", path: "/api/agents/{agent}/expanded"},
	{method: "POST", path: "/api/prompts", body: `{"prompt":{"type":"text","prompt":"Tell of herons"},"group":{"name":"tell","category":"write","oneliner":"tells"}}`, keep: "group", from: "prompt.groupId"},
	{method: "POST", path: "/api/presets", body: `{"presetId":null,"title":"the quiet one","endpoint":"Rehearsal","endpointType":"custom","model":"rehearsal"}`, keep: "preset", from: "presetId"},
	{method: "POST", path: "/api/memories", body: `{"key":"likes","value":"drinks green tea"}`},
	{method: "POST", path: "/api/share/{chat}", body: `{}`, keep: "share", from: "shareId"},
}

// TestBuiltMadeAndOpened opens in Chromium what a person has made.
func TestBuiltMadeAndOpened(t *testing.T) {
	eachBuilt(t, func(t *testing.T, r facts.Release) {
		w := start(t, r, nil, func(cfg *rehearse.Config) { remembering(cfg); cfg.Concurrency = everyday })
		person := newPerson(t, w.ViewerURL, r.Design)
		person.becomeFirst(t)
		q := person.ask(t.Context(), "share [llm tokens=10 every=10ms first=10ms]")
		if !q.final {
			t.Fatalf("chat: %v\n%s", q.err, w.refused())
		}
		kept := map[string]string{"chat": q.conversation}
		for _, s := range made {
			if status, body := s.take(t, person, kept); status >= 300 {
				t.Errorf("%s %s: %d %.300s", s.method, s.path, status, body)
			}
		}
		p := browse(t, w, 15*time.Minute)
		p.login()
		for _, d := range []day{
			{"agent's form", (*tab).makesAgent}, // before an agent is chosen, which the builder would show
			{"prompt's form", (*tab).makesPrompt},
			{"agent", func(p *tab) { p.chatsWithAgent(kept["agent"]) }},
			{"prompt", func(p *tab) {
				p.open("/c/new", "")
				p.follow("/d/prompts/" + kept["group"])
				p.reads("Tell of herons")
			}},
			{"share", func(p *tab) { p.open("/share/"+kept["share"], lastWords(w.asked(p.t, "share"))) }},
			{"preset", func(p *tab) {
				p.open("/c/new", "")
				p.do(chromedp.Click(chromedp.CSS("#presets-button")))
				p.reads("the quiet one")
			}},
			{"memory", func(p *tab) {
				p.open("/c/new", "")
				p.panel("Memories")
				p.reads("drinks green tea")
			}},
		} {
			t.Run(d.name, func(t *testing.T) { q := *p; q.t = t; d.run(&q) })
		}
		for _, failure := range w.failures() {
			if !strings.Contains(failure, "/api/mcp/servers") { // which rc1 answers so without Sluice too
				t.Errorf("%s", failure)
			}
		}
	})
}

// open shows a page with a text; no text is the chat, ready for a question. LibreChat's
// page forgets an agent's link where the API is slow, as in cold environments: after five
// seconds.
func (p *tab) open(path, text string) {
	p.t.Helper()
	for range 4 {
		p.do(chromedp.Navigate(p.w.ViewerURL + path))
		if text == "" {
			p.ready()
			return
		}
		if testkit.Until(2*soon, func() bool { return js[bool](p, onPage(text)) }) {
			return
		}
	}
	p.reads(text)
}

// follow goes to a path inside of the page, as a click does. A prompt's own link leads to a
// new chat where the page has no answer to /api/roles yet: at once in v0.8.6.
func (p *tab) follow(path string) {
	p.t.Helper()
	p.do(chromedp.Evaluate[chromedp.Void](fmt.Sprintf(`history.pushState({}, "", %q); dispatchEvent(new PopStateEvent("popstate"))`, path)))
}

// onPage tells whether a text is on the page, in a field too.
func onPage(text string) string {
	return fmt.Sprintf(`((document.body?.innerText ?? "") + [...document.querySelectorAll("input, textarea")].map((f) => f.value).join(" ")).replace(/\s+/g, " ").includes(%q)`,
		strings.Join(strings.Fields(text), " "))
}

func (p *tab) reads(text string) {
	p.t.Helper()
	p.within(soon, "the text "+text, onPage(text))
}

// chatsWithAgent opens an agent by its link, and has it answer.
func (p *tab) chatsWithAgent(id string) {
	p.t.Helper()
	p.open("/c/new?agent_id="+id, "Gardener")
	p.ready()
	p.ask("agent [llm tokens=10 rate=20]")
	p.answered(opening, p.asked("agent"))
}

// makesAgent fills in the form of the agent builder, and has the new agent answer.
func (p *tab) makesAgent() {
	p.t.Helper()
	p.open("/c/new", "")
	p.panel("Agent Builder")
	p.do(chromedp.SendKeys(chromedp.CSS(`form[aria-label="Agent configuration form"] #name`), "Miller"))
	p.press("Select a model")
	p.press("Select a provider")
	p.press("Rehearsal")
	p.press("Select a model")
	p.press("rehearsal")
	p.press("Back to builder")
	begun := time.Now()
	p.press("Create")
	id := p.agentSince(begun)
	p.open("/c/new?agent_id="+id, "Miller")
	p.ready()
	p.ask("miller [llm tokens=10 rate=20]")
	p.answered(opening, p.asked("miller"))
}

// agentSince is the id of the first agent that the page asks for from then on.
func (p *tab) agentSince(begun time.Time) (id string) {
	p.t.Helper()
	path := regexp.MustCompile(`^/api/agents/(agent_[\w-]+)`)
	testkit.Wait(p.t, soon, "the page to ask for its new agent", func() (string, bool) {
		events, _ := p.w.Recorder.Since(0)
		for _, e := range events {
			if m := path.FindStringSubmatch(e.Path); m != nil && e.Time.After(begun) {
				id = m[1]
				break
			}
		}
		return "", id != ""
	})
	return id
}

// makesPrompt fills in the form of a prompt, and sees it kept.
func (p *tab) makesPrompt() {
	p.t.Helper()
	const name = `document.querySelector("#prompt-name")`
	p.open("/c/new", "")
	for range 3 { // where the page has no answer to /api/roles yet, it goes back to the chat
		p.follow("/d/prompts/new")
		if testkit.Until(soon/2, func() bool { return js[bool](p, "!!"+name) }) {
			break
		}
	}
	if !js[bool](p, "!!"+name) { // from v0.8.7 on it is a dialog
		p.panel("Prompts")
		p.press("Create Prompt")
		p.within(soon, "the form", name)
	}
	p.do(chromedp.SendKeys(chromedp.CSS("#prompt-name"), "weigh"),
		chromedp.SendKeys(chromedp.CSS("form:has(#prompt-name) textarea"), "Weigh the flour twice"))
	p.press("Create Prompt")
	p.within(opening, "the page of the prompt", `/\/prompts\/[0-9a-f]{24}$/.test(location.pathname)`)
	p.reads("Weigh the flour twice")
}

// press clicks the button or the option of this text, or else of this label, once it
// can be clicked.
func (p *tab) press(name string) {
	p.t.Helper()
	button := fmt.Sprintf(`((all) => all.findLast((b) => b.innerText.trim() === %[1]q) ?? all.findLast((b) => b.getAttribute("aria-label") === %[1]q))(
		[...document.querySelectorAll("button, [role=option]")].filter((b) => !b.disabled && b.checkVisibility()))`, name)
	p.within(soon, "the button "+name, button)
	p.do(chromedp.Evaluate[chromedp.Void](button + `.click()`))
}

// panel opens one of the panels beside the chat.
func (p *tab) panel(name string) {
	p.t.Helper()
	button := fmt.Sprintf(`[...document.querySelectorAll("button")].find((b) => b.getAttribute("aria-label") === %[1]q || b.innerText.trim() === %[1]q)`, name)
	p.within(opening, "the button "+name, button)
	p.do(chromedp.Evaluate[chromedp.Void](button + `.click()`))
}

// failures are the requests that were answered with an error of the server.
func (w *world) failures() []string {
	events, _ := w.Recorder.Since(0)
	path, failed := map[string]string{}, []string{}
	for _, e := range events {
		switch {
		case e.Kind == timeline.RequestStart && e.Hop == timeline.CloudFront:
			path[e.Request] = e.Method + " " + e.Path
		case e.Kind == timeline.RequestEnd && e.Hop == timeline.CloudFront && e.Status >= 500:
			failed = append(failed, fmt.Sprintf("%d %s", e.Status, path[e.Request]))
		}
	}
	return failed
}
