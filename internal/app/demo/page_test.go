package demo_test

import (
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/aproorg/sluice/internal/app/demo"
	"github.com/aproorg/sluice/internal/chromiumtest"
)

const composer = chromedp.CSS(".composer textarea")

func (b tab) logIn() {
	b.t.Helper()
	b.open("/", "form.login input")
	b.do("log in", chromedp.SendKeys(chromedp.CSS("form.login input"), "Ada\r"), chromedp.WaitVisible(chromedp.CSS(".welcome h1")))
}

// fits checks that what lies in a box neither leaves it nor hides a part of its own text.
func (b tab) fits(box, within string) {
	b.t.Helper()
	script := `(([box, within]) => [...document.querySelectorAll(box + " " + within)].filter((e) => {
		const own = e.getBoundingClientRect(), outer = e.closest(box).getBoundingClientRect();
		return own.right > outer.right + 1 || e.scrollWidth > e.clientWidth + 1;
	}).map((e) => e.textContent))(["` + box + `", "` + within + `"])`
	if out := eval[[]string](b, script); len(out) > 0 {
		b.t.Errorf("%s: %d of %s do not fit: %q", box, len(out), within, out)
	}
}

func TestPageStreamsAnAnswerAndShowsItsTitle(t *testing.T) {
	b := openTab(t, standalone(t, demo.Config{Environment: "env-blue", TitleWork: 300 * time.Millisecond}))
	b.logIn()
	b.shot("welcome")
	b.do("ask", chromedp.SendKeys(composer, "How does streaming work?\r"))
	b.wait(`document.querySelectorAll('.answer rect').length > 12`)
	early := b.text(".answer .text")
	b.shot("streaming")
	b.do("wait for the end", chromedp.WaitNotPresent(chromedp.CSS("[aria-busy]")))
	full, numbers := b.text(".answer .text"), b.text(".numbers")
	if early == "" || len(early) >= len(full) {
		t.Errorf("the page showed %d bytes while the answer came and %d after: it did not stream", len(early), len(full))
	}
	b.do("wait for the title", chromedp.WaitVisible(chromedp.CSS(".fate.good")))
	b.shot("answered")
	if fate := b.text(".fate"); !strings.Contains(fate, "How does streaming work") || !strings.Contains(numbers, "longest gap") {
		t.Errorf("title line %q, numbers %q", fate, numbers)
	}
	b.open(eval[string](b, "location.pathname"), ".answer .text p")
	if again := b.text(".answer .text"); again != full {
		t.Errorf("after a reload the answer is %q, it was %q", again, full)
	}
}

func TestPageReadsAStartedStreamAndStopsIt(t *testing.T) {
	b := openTab(t, standalone(t, demo.Config{Environment: "env-red"}))
	b.logIn()
	b.do("start a slow answer and stop it",
		chromedp.SetValue(chromedp.CSS("select[name=mode]"), "started"),
		chromedp.SetValue(chromedp.CSS("select[name=pace]"), "100"),
		chromedp.Evaluate[chromedp.Void](`for (const s of document.querySelectorAll('select')) s.dispatchEvent(new Event('change'))`),
		chromedp.SendKeys(composer, "limits\r"),
		chromedp.WaitVisible(chromedp.CSS(".answer .text p")),
		chromedp.Click(chromedp.CSS(".send.stop")),
		chromedp.WaitNotPresent(chromedp.CSS("[aria-busy]")))
	if text := b.text(".answer .text"); len(text) == 0 || len(text) > 400 {
		t.Errorf("a stopped answer has %d bytes", len(text))
	}
}

func TestPagesWorkOnAPhoneAndInTheDark(t *testing.T) {
	b := openTab(t, standalone(t, demo.Config{Environment: "2026/11/23/[$LATEST]5f1c8b7d9e", TitleWork: 50 * time.Millisecond}))
	b.logIn()
	b.open("/about", ".hops")
	b.shot("about")
	b.open("/lab", ".cards")
	b.do("twenty calls", chromedp.Click(chromedp.CSS(".card button")), chromedp.WaitVisible(chromedp.CSS(".card .result")))
	b.shot("lab")
	b.fits(".dots", ".dot")
	chromiumtest.Prefer(t, b.ctx, "dark")
	b.do("become a phone", chromedp.EmulateViewport(390, 844))
	for _, path := range []string{"/", "/about", "/lab", "/nowhere"} {
		b.open(path, "main h1")
		b.shot("phone-" + strings.Trim(path, "/"))
		if wide := eval[int](b, `document.documentElement.scrollWidth`); wide > 390 {
			t.Errorf("%s is %d px wide on a phone of 390", path, wide)
		}
	}
	b.open("/", composer)
	b.fits(".options", "select")
	b.do("ask", chromedp.SendKeys(composer, "What is frozen?"), chromedp.Click(chromedp.CSS(".send")), chromedp.WaitVisible(chromedp.CSS(".fate.good")))
	b.shot("phone-chat")
	b.do("open the list of chats", chromedp.Click(chromedp.CSS("#menu")), chromedp.WaitVisible(chromedp.CSS("#side .new")), chromedp.Sleep(300*time.Millisecond))
	b.shot("phone-menu")
	b.open("/lab", ".cards")
	b.do("twenty calls in the dark", chromedp.Click(chromedp.CSS(".card button")), chromedp.WaitVisible(chromedp.CSS(".card .result")))
	b.shot("phone-lab-dark")
	b.do("become wide", chromedp.EmulateViewport(1280, 820))
	b.shot("dark-chat")
}
