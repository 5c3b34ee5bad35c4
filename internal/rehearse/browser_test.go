package rehearse_test

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

var screenshots = flag.String("screenshots", "", "write pictures of the pages to this directory")

// browser starts a Chromium that ends with the test.
func browser(t *testing.T) context.Context {
	t.Helper()
	if _, err := exec.LookPath("chromium"); err != nil {
		t.Skip("no Chromium here; to run this test: apt-get install chromium")
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.NoSandbox, chromedp.DisableGPU, chromedp.WindowSize(1440, 900),
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true),
		chromedp.UserDataDir(t.TempDir()))
	allocator, cancel := chromedp.NewExecAllocator(context.Background(), options...)
	t.Cleanup(cancel)
	tab, cancelTab := chromedp.NewContext(allocator)
	t.Cleanup(cancelTab)
	do(t, tab) // the first use starts the browser and may not have a timeout
	ctx, cancelTimeout := context.WithTimeout(tab, 40*time.Second)
	t.Cleanup(cancelTimeout)
	return ctx
}

func do(t *testing.T, ctx context.Context, steps ...chromedp.Action[chromedp.Void]) {
	t.Helper()
	if err := chromedp.Do(ctx, steps...); err != nil {
		t.Fatal(err)
	}
}

func evaluate[T any](t *testing.T, ctx context.Context, expression string) T {
	t.Helper()
	value, err := chromedp.Run(ctx, chromedp.Evaluate[T](expression))
	if err != nil {
		t.Fatalf("evaluate %s: %v", expression, err)
	}
	return value
}

func picture(t *testing.T, ctx context.Context, name string) {
	t.Helper()
	if *screenshots == "" {
		return
	}
	png, err := chromedp.Run(ctx, chromedp.CaptureScreenshot())
	if err == nil {
		err = os.WriteFile(filepath.Join(*screenshots, name+".png"), png, 0o644)
	}
	if err != nil {
		t.Fatalf("picture %s: %v", name, err)
	}
}

// A person opens the demo, logs in, chats and sees words come one by one; the
// timeline page shows the chat's stream, chunk by chunk, in its environment.
func TestChatIsSeenOnTheTimeline(t *testing.T) {
	ctx := browser(t)
	w := start(t, demoConfig(t))
	do(t, ctx, chromedp.Navigate(w.ViewerURL), chromedp.WaitVisible(chromedp.CSS("form.login input")),
		chromedp.SendKeys(chromedp.CSS("form.login input"), "Ada\r"), chromedp.WaitVisible(chromedp.CSS(".composer textarea")),
		chromedp.SendKeys(chromedp.CSS(".composer textarea"), "How does streaming work?\r"),
		chromedp.Poll[chromedp.Void](`document.querySelector(".answer .text")?.textContent.length > 20`))
	early := evaluate[int](t, ctx, `document.querySelector(".answer .text").textContent.length`)
	do(t, ctx, chromedp.WaitVisible(chromedp.CSS(".fate.good")))
	if full := evaluate[int](t, ctx, `document.querySelector(".answer .text").textContent.length`); full <= early {
		t.Errorf("the answer had %d characters at once", early)
	}
	picture(t, ctx, "demo")

	do(t, ctx, chromedp.Navigate(w.TimelineURL), chromedp.Poll[chromedp.Void](`timeline.model.total > 0`), chromedp.Sleep(500*time.Millisecond))
	picture(t, ctx, "timeline")
	const chat = `[...timeline.model.requests.values()].find((r) => r.path === "/api/chat")`
	if n := evaluate[int](t, ctx, chat+`.hops.cloudfront.chunks.length`); n < 10 {
		t.Errorf("the timeline shows %d chunks of the chat", n)
	}
	for _, hop := range []string{"cloudfront", "apigateway", "lambda"} {
		if !evaluate[bool](t, ctx, chat+`.hops.`+hop+`.firstByte !== null`) {
			t.Errorf("the timeline shows no first byte at %s", hop)
		}
	}
	if env := evaluate[string](t, ctx, chat+`.environment`); env == "" {
		t.Error("the timeline does not know which environment had the chat")
	}
	if text := evaluate[string](t, ctx, `document.querySelector("#alive").textContent`); text == "0" {
		t.Error("the timeline's head counts no environment")
	}

	// The button ends the environment, and the page shows it.
	do(t, ctx, chromedp.MouseClickXY(60, 145), chromedp.WaitVisible(chromedp.CSS("#details .actions .danger")))
	picture(t, ctx, "timeline-environment")
	do(t, ctx, chromedp.Click(chromedp.CSS("#details .actions .danger")),
		chromedp.Poll[chromedp.Void](`[...timeline.model.environments.values()].some((e) => e.spans.at(-1).state === "killed")`))
}

// A page's first calls at once are each a cold start; the timeline counts them
// and has a lane for each environment.
func TestBurstOfColdStartsIsSeen(t *testing.T) {
	const calls = 16
	ctx := browser(t)
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
	do(t, ctx, chromedp.Navigate(w.TimelineURL), chromedp.Poll[chromedp.Void](fmt.Sprintf(`timeline.model.coldStarts === %d`, calls)))
	do(t, ctx, chromedp.Sleep(time.Second))
	picture(t, ctx, "burst")
	if cost := evaluate[float64](t, ctx, `timeline.model.coldWorst`); cost <= 0 {
		t.Errorf("the worst cold start took %v ms", cost)
	}
	wg.Wait()
}
