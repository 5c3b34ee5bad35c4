package rehearsal_test

import (
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"

	"github.com/aproorg/sluice/internal/app/librechat/facts"
	"github.com/aproorg/sluice/internal/rehearse"
)

// TestExpiredTokenBuilt: an access token that has expired in an open page is renewed unseen, and without a session to renew it
// from the page shows the login. A release that streams in the POST gives the question up, without Sluice too, and shows the login once
// it is loaded again.
func TestExpiredTokenBuilt(t *testing.T) {
	const life = 20 * time.Second
	eachBuilt(t, func(t *testing.T, r facts.Release) {
		w := start(t, r, map[string]string{"SESSION_EXPIRY": "20000"}, func(c *rehearse.Config) { c.Concurrency = everyday })
		p := browse(t, w, 8*time.Minute)
		p.login()
		time.Sleep(life + 2*time.Second) // the token expires by the app's clock
		begun := time.Now()
		p.ask("after the expiry [llm tokens=5 rate=50 first=1ms]")
		p.answered(opening, p.asked("after the expiry"))
		t.Logf("answered %s after a token had expired", time.Since(begun).Round(100*time.Millisecond))

		time.Sleep(5 * time.Second) // the title's call renews nothing any more
		if _, err := chromedp.Call(p.ctx, network.ClearBrowserCookies, cdp.Empty{}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(life + 2*time.Second) // and the next one
		begun = time.Now()
		p.ask("without a session")
		if r.Design == facts.StreamsInPost {
			p.within(time.Minute, "the end of waiting", `!document.querySelector('[data-testid="stop-button"], [aria-label="Stop generating"]')`)
			p.do(chromedp.Reload())
		}
		p.within(time.Minute, "the login", `location.pathname.startsWith("/login")`)
		t.Logf("the login is shown %s after a question without a session", time.Since(begun).Round(100*time.Millisecond))
	})
}
