package page_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/aproorg/sluice/internal/chromiumtest"
)

// drawnText is a text on a canvas with its box.
type drawnText struct {
	Text                     string
	Left, Right, Top, Bottom float64
}

func (a drawnText) overlaps(b drawnText) bool {
	return a.Left < b.Right && b.Left < a.Right && a.Top < b.Bottom && b.Top < a.Bottom
}

// textsOf records every text that the canvas of a panel shows in one frame.
const textsOf = `((canvas) => new Promise((resolve) => {
	const proto = CanvasRenderingContext2D.prototype;
	const { fillText, clearRect } = proto;
	let texts = [];
	proto.clearRect = function (...box) {
		if (this.canvas === canvas) texts = []; // a frame begins
		clearRect.apply(this, box);
	};
	proto.fillText = function (text, x, y, ...more) {
		const m = this.measureText(text);
		if (this.canvas === canvas && text) texts.push({ Text: text, Left: x - m.actualBoundingBoxLeft, Right: x + m.actualBoundingBoxRight,
			Top: y - m.actualBoundingBoxAscent, Bottom: y + m.actualBoundingBoxDescent });
		fillText.call(this, text, x, y, ...more);
	};
	requestAnimationFrame(() => requestAnimationFrame(() => {
		Object.assign(proto, { fillText, clearRect });
		resolve(texts);
	}));
}))`

func checkTexts(t *testing.T, tab context.Context, panel string, mustShow ...string) {
	t.Helper()
	texts, err := chromedp.Run(tab, chromedp.Evaluate[[]drawnText](textsOf+`(document.querySelector("`+panel+` canvas.rows"))`, chromedp.EvalAwaitPromise))
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for i, a := range texts {
		seen[a.Text] = true
		for _, b := range texts[:i] {
			if a.overlaps(b) {
				t.Errorf("%s: %q (%.0f to %.0f) and %q (%.0f to %.0f) overlap", panel, b.Text, b.Left, b.Right, a.Text, a.Left, a.Right)
			}
		}
	}
	for _, text := range mustShow {
		if !seen[text] {
			t.Errorf("%s shows no %q, only %d other texts", panel, text, len(texts))
		}
	}
}

// Texts lie beside one another, and the page is as wide as the window.
func TestPageFitsItsWindow(t *testing.T) {
	for _, width := range []int{1280, 390} {
		t.Run(fmt.Sprint(width), func(t *testing.T) {
			tab := chromiumtest.Start(t, 25*time.Second)
			picture := func(name string) { chromiumtest.Picture(t, tab, fmt.Sprintf("timeline-%d-%s", width, name)) }
			chromiumtest.Prefer(t, tab, "light")
			chromiumtest.Do(t, tab, chromedp.EmulateViewport(int64(width), 844), chromedp.Navigate(serve(t, 6)),
				chromedp.Poll[chromedp.Void](`timeline.model.total > 0`))
			// A method as long as they come.
			chromiumtest.Do(t, tab, chromedp.Evaluate[chromedp.Void](`(() => {
				const { model } = timeline;
				const request = { request: "options", hop: "cloudfront", t: model.begin + 1000 };
				model.apply({ ...request, kind: "request.start", method: "OPTIONS", path: "/api/files/images/a-name-that-is-long" });
				model.apply({ ...request, kind: "request.end", t: request.t + 5, status: 204, note: "Hit from cloudfront" });
			})()`), chromedp.Click(chromedp.CSS("#all")))
			picture("all")
			checkTexts(t, tab, "#environments", "env-1", "frozen")
			checkTexts(t, tab, "#requests", "502", "POST")
			chromiumtest.Do(t, tab, chromedp.Click(chromedp.CSS(`[data-filter="site"]`)))
			picture("site")
			answered := []string{"200", "204"}
			if width > 640 {
				answered = append(answered, "OPTIONS", "edge cache", "S3")
			}
			checkTexts(t, tab, "#requests", answered...)
			chromiumtest.Do(t, tab, chromedp.Click(chromedp.CSS(`[data-filter="api"]`)), chromedp.Evaluate[chromedp.Void](clickOn("/api/agents/chat")),
				chromedp.WaitVisible(chromedp.CSS("#details table")))
			picture("details")
			if wide := chromiumtest.Evaluate[int](t, tab, `document.documentElement.scrollWidth`); wide > width {
				t.Errorf("the page is %d px wide in a window of %d", wide, width)
			}
			if right := chromiumtest.Evaluate[float64](t, tab, `document.querySelector("#details").getBoundingClientRect().right`); right > float64(width) {
				t.Errorf("the details reach to %.0f px in a window of %d", right, width)
			}
		})
	}
}
