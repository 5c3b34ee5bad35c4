package bench

import (
	"fmt"
	"os/exec"
	"runtime"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/aproorg/sluice/internal/app/librechat/facts"
	"github.com/aproorg/sluice/internal/app/librechat/rehearsal"
	"github.com/aproorg/sluice/internal/chromiumtest"
	"github.com/aproorg/sluice/internal/emulate/lambda/sandbox/sandboxtest"
	"github.com/aproorg/sluice/internal/rehearse"
	"github.com/aproorg/sluice/internal/testkit"
)

// threeWays is a release whose environments start in each way, and one warm server.
type threeWays struct {
	onDemand, snapStart *rehearse.World
	server              string // `node server/index.js`, which is always there
	token               map[*rehearse.World]string
	serverToken         string
}

// newThreeWays skips the benchmark where there are no clones: environments that are
// started ahead and held measure nothing.
func newThreeWays(b *testing.B, r facts.Release) *threeWays {
	b.Helper()
	sandboxtest.NeedClones(b)
	var t threeWays
	var c *rehearsal.LibreChat
	t.onDemand, c = rehearseChat(b, r, rehearse.StartOnDemand)
	t.snapStart, _ = rehearseChat(b, r, rehearse.StartSnapStart)
	if s := t.snapStart.Snapshot; !s.Clones {
		b.Fatalf("%+v", *s)
	}
	server, err := c.Alone(b.Context(), rehearsal.AloneConfig{})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(server.Close)
	t.server = server.URL
	t.token = map[*rehearse.World]string{}
	for _, w := range []*rehearse.World{t.onDemand, t.snapStart} {
		t.token[w] = logIn(b, w.ViewerURL)
	}
	t.serverToken = logIn(b, t.server)
	page(b, t.server, t.serverToken) // it is warm now
	return &t
}

// BenchmarkLibreChatSnapStart compares environments that are clones of a snapshot with
// ones that start: until a first answer where none is there, until all answers of a
// page's 20 calls at once, and in memory. One warm server is the measure of what the
// calls themselves cost.
func BenchmarkLibreChatSnapStart(b *testing.B) {
	releases(b, func(b *testing.B, r facts.Release) {
		t := newThreeWays(b, r)
		var cold, restored, warm, coldPage, restoredPage, warmPage []time.Duration
		var ofClones, ofStarted []int64
		var environments int
		for b.Loop() {
			warm = append(warm, get(b, t.server+firstPath))
			warmPage = append(warmPage, page(b, t.server, t.serverToken))
			for range 3 {
				noneLeft(b, t.snapStart)
				restored = append(restored, get(b, t.snapStart.ViewerURL+firstPath))
			}
			took, all := burst(b, t.snapStart, t.token[t.snapStart])
			restoredPage, environments, ofClones = append(restoredPage, took), len(all), append(ofClones, all...)

			noneLeft(b, t.onDemand)
			cold = append(cold, get(b, t.onDemand.ViewerURL+firstPath))
			took, all = burst(b, t.onDemand, t.token[t.onDemand])
			coldPage, ofStarted = append(coldPage, took), append(ofStarted, all...)
		}
		b.ReportMetric(median(cold).Seconds(), "cold_s")
		b.ReportMetric(median(restored).Seconds(), "restore_s")
		b.ReportMetric(ratio(median(cold), median(restored)), "cold/restore")
		b.ReportMetric(median(coldPage).Seconds(), "cold_page_s")
		b.ReportMetric(median(restoredPage).Seconds(), "restore_page_s")
		b.ReportMetric(ratio(median(coldPage), median(restoredPage)), "cold/restore_page")
		// Twenty restores share the cores of this machine, where Lambda gives each its own.
		aim := 20/float64(runtime.NumCPU())*median(restored).Seconds() + 3*median(warmPage).Seconds()
		b.ReportMetric(aim, "aim_page_s")
		b.ReportMetric(median(warm).Seconds(), "one_server_s")
		b.ReportMetric(median(warmPage).Seconds(), "one_server_page_s")
		b.ReportMetric(float64(environments), "clones")
		b.ReportMetric(float64(median(ofClones))/(1<<20), "private_MB/clone")
		b.ReportMetric(float64(median(ofStarted))/(1<<20), "private_MB/environment")
		b.ReportMetric(float64(t.snapStart.Snapshot.Bytes)/(1<<20), "snapshot_MB")
		b.ReportMetric(0, "ns/op")
	})
}

// burst is the time of a page's calls to an idle function, and what each environment that
// answered has to itself, in bytes. None is left after it.
func burst(b *testing.B, w *rehearse.World, token string) (took time.Duration, own []int64) {
	b.Helper()
	noneLeft(b, w)
	took = page(b, w.ViewerURL, token)
	explain(b, w)
	settled(b, w)
	for _, m := range memories(w) {
		own = append(own, m.Own)
	}
	noneLeft(b, w)
	return took, own
}

// BenchmarkLibreChatLogin is the time in Chromium from the password to a chat that takes
// a question, with no environment there, as on a function that was idle: with ones that
// start, with clones of a snapshot, and with one warm server.
func BenchmarkLibreChatLogin(b *testing.B) {
	if _, err := exec.LookPath("chromium"); err != nil {
		b.Skip("Chromium is not here: make deps")
	}
	releases(b, func(b *testing.B, r facts.Release) {
		t := newThreeWays(b, r)
		var cold, restored, warm []time.Duration
		for b.Loop() {
			warm = append(warm, passwordToChat(b, t.server, func() {}))
			restored = append(restored, passwordToChat(b, t.snapStart.ViewerURL, func() { noneLeft(b, t.snapStart) }))
			cold = append(cold, passwordToChat(b, t.onDemand.ViewerURL, func() { noneLeft(b, t.onDemand) }))
		}
		b.ReportMetric(median(cold).Seconds(), "on_demand_s")
		b.ReportMetric(median(restored).Seconds(), "snapstart_s")
		b.ReportMetric(median(warm).Seconds(), "one_server_s")
		b.ReportMetric(ratio(median(cold), median(restored)), "on_demand/snapstart")
		b.ReportMetric(ratio(median(restored), median(warm)), "snapstart/one_server")
		b.ReportMetric(0, "ns/op")
	})
}

// passwordToChat logs in by the form, in a browser that has never been there. idle ends
// the environments that the form's own page started.
func passwordToChat(b *testing.B, url string, idle func()) time.Duration {
	b.Helper()
	tab := chromiumtest.Open(b, 6*time.Minute, chromedp.Flag("ignore-certificate-errors", true), chromedp.Flag("lang", "en-US"))
	chromiumtest.Do(b, tab, chromedp.Navigate(testkit.HTTP2Front(b, url)+"/login"))
	shown := func(what, expression string) {
		testkit.Wait(b, 3*time.Minute, what, func() (string, bool) {
			ok, err := chromedp.Run(tab, chromedp.Evaluate[bool]("!!("+expression+")"))
			return fmt.Sprint(ok, err), ok && err == nil
		})
	}
	shown("the form", `document.querySelector('input[name="password"]')`)
	time.Sleep(2 * time.Second) // what the page asks for behind the form
	idle()
	chromiumtest.Do(b, tab, chromedp.SendKeys(chromedp.CSS(`input[name="email"]`), facts.UserEmail),
		chromedp.SendKeys(chromedp.CSS(`input[name="password"]`), facts.UserPassword))
	begun := time.Now()
	chromiumtest.Do(b, tab, chromedp.SendKeys(chromedp.CSS(`input[name="password"]`), "\r"))
	shown("the chat", `document.querySelector("#prompt-textarea:not([disabled])")`)
	took := time.Since(begun)
	chromiumtest.Picture(b, tab, "login")
	chromiumtest.Close(b, tab)
	return took
}
