package rehearse_test

import (
	"fmt"
	"io"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/aproorg/sluice/internal/chromiumtest"
)

// A person opens the demo, logs in, chats and sees words come one by one; the
// timeline page shows the chat's stream, chunk by chunk, in its environment.
func TestChatIsSeenOnTheTimeline(t *testing.T) {
	ctx := chromiumtest.Start(t, 40*time.Second)
	w := start(t, demoConfig(t))
	chromiumtest.Do(t, ctx, chromedp.Navigate(w.ViewerURL), chromedp.WaitVisible(chromedp.CSS("form.login input")),
		chromedp.SendKeys(chromedp.CSS("form.login input"), "Ada\r"), chromedp.WaitVisible(chromedp.CSS(".composer textarea")),
		chromedp.SendKeys(chromedp.CSS(".composer textarea"), "How does streaming work?\r"),
		chromedp.Poll[chromedp.Void](`document.querySelector(".answer .text")?.textContent.length > 20`))
	early := chromiumtest.Evaluate[int](t, ctx, `document.querySelector(".answer .text").textContent.length`)
	chromiumtest.Do(t, ctx, chromedp.WaitVisible(chromedp.CSS(".fate.good")))
	if full := chromiumtest.Evaluate[int](t, ctx, `document.querySelector(".answer .text").textContent.length`); full <= early {
		t.Errorf("the answer had %d characters at once", early)
	}
	chromiumtest.Picture(t, ctx, "demo")

	chromiumtest.Do(t, ctx, chromedp.Navigate(w.TimelineURL), chromedp.Poll[chromedp.Void](`timeline.model.total > 0`), chromedp.Sleep(500*time.Millisecond))
	chromiumtest.Picture(t, ctx, "timeline")
	const chat = `[...timeline.model.requests.values()].find((r) => r.path === "/api/chat")`
	if n := chromiumtest.Evaluate[int](t, ctx, chat+`.hops.cloudfront.chunks.length`); n < 10 {
		t.Errorf("the timeline shows %d chunks of the chat", n)
	}
	for _, hop := range []string{"cloudfront", "apigateway", "lambda"} {
		if !chromiumtest.Evaluate[bool](t, ctx, chat+`.hops.`+hop+`.firstByte !== null`) {
			t.Errorf("the timeline shows no first byte at %s", hop)
		}
	}
	if env := chromiumtest.Evaluate[string](t, ctx, chat+`.environment`); env == "" {
		t.Error("the timeline does not know which environment had the chat")
	}
	if text := chromiumtest.Evaluate[string](t, ctx, `document.querySelector("#alive").textContent`); text == "0" {
		t.Error("the timeline's head counts no environment")
	}

	// The button ends the environment, and the page shows it.
	chromiumtest.Do(t, ctx, chromedp.MouseClickXY(60, 145), chromedp.WaitVisible(chromedp.CSS("#details .actions .danger")))
	chromiumtest.Picture(t, ctx, "timeline-environment")
	chromiumtest.Do(t, ctx, chromedp.Click(chromedp.CSS("#details .actions .danger")),
		chromedp.Poll[chromedp.Void](`[...timeline.model.environments.values()].some((e) => e.spans.at(-1).state === "killed")`))
}

// A page's first calls at once are each a cold start; the timeline counts them
// and has a lane for each environment.
func TestBurstOfColdStartsIsSeen(t *testing.T) {
	const calls = 16
	ctx := chromiumtest.Start(t, 40*time.Second)
	w := start(t, demoConfig(t))
	c := visitor(t)
	var wg sync.WaitGroup
	for n := range calls {
		wg.Go(func() {
			res, err := c.Get(fmt.Sprintf("%s/api/probe/sse?events=%d&interval=60", w.ViewerURL, 20+3*n))
			if err == nil {
				_, err = io.Copy(io.Discard, res.Body)
				res.Body.Close()
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
	chromiumtest.Do(t, ctx, chromedp.Navigate(w.TimelineURL), chromedp.Poll[chromedp.Void](fmt.Sprintf(`timeline.model.coldStarts === %d`, calls)))
	chromiumtest.Do(t, ctx, chromedp.Sleep(time.Second))
	chromiumtest.Picture(t, ctx, "burst")
	if cost := chromiumtest.Evaluate[float64](t, ctx, `timeline.model.coldWorst`); cost <= 0 {
		t.Errorf("the worst cold start took %v ms", cost)
	}
	wg.Wait()
}
