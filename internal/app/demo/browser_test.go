package demo_test

import (
	"context"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/aproorg/sluice/internal/app/demo"
	"github.com/aproorg/sluice/internal/chromiumtest"
)

// tab is a browser tab in a test: each method fails the test with what it was about to do.
type tab struct {
	t   *testing.T
	ctx context.Context
	url string
}

// openTab starts Chromium, or skips.
func openTab(t *testing.T, url string) tab {
	t.Helper()
	return tab{t, chromiumtest.Start(t, 5*time.Minute, chromedp.WindowSize(1280, 820)), url}
}

func (b tab) do(what string, steps ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, 20*time.Second)
	defer cancel()
	if err := chromedp.Do(ctx, steps...); err != nil {
		b.shot("failed")
		b.t.Fatalf("%s: %v", what, err)
	}
}

func (b tab) open(path string, ready chromedp.CSS) {
	b.t.Helper()
	b.do("open "+path, chromedp.Navigate(b.url+path), chromedp.WaitVisible(ready))
}

func (b tab) text(sel chromedp.CSS) string {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, 10*time.Second)
	defer cancel()
	s, err := chromedp.Run(ctx, chromedp.Text(sel))
	if err != nil {
		b.t.Fatalf("read %s: %v", sel, err)
	}
	return s
}

// wait waits until a JavaScript expression is true.
func (b tab) wait(expression string) {
	b.t.Helper()
	b.do("wait for "+expression, func(ctx context.Context, t *chromedp.Target) (v chromedp.Void, err error) {
		_, err = chromedp.Poll[bool](expression)(ctx, t)
		return v, err
	})
}

func eval[T any](b tab, expression string) T {
	b.t.Helper()
	return chromiumtest.Evaluate[T](b.t, b.ctx, expression)
}

func (b tab) shot(name string) { chromiumtest.Picture(b.t, b.ctx, name) }

// standalone serves the page and its API in this process.
func standalone(t *testing.T, cfg demo.Config) string {
	t.Helper()
	app, err := demo.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(demo.Standalone(demo.Site(), app))
	t.Cleanup(func() { server.CloseClientConnections(); server.Close(); app.Close() })
	return server.URL
}
