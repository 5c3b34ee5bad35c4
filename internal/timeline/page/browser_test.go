package page_test

import (
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/aproorg/sluice/internal/chromiumtest"
	"github.com/aproorg/sluice/internal/timeline"
	"github.com/aproorg/sluice/internal/timeline/page"
)

func serve(t *testing.T, environments int) string {
	t.Helper()
	recorder := timeline.NewRecorder(0)
	newSynthetic(recorder).day(time.Now(), environments)
	server := httptest.NewServer(page.New(page.Config{
		Recorder: recorder,
		Info:     page.Info{Title: "demo", ViewerURL: "http://127.0.0.1:8080", MemorySize: 1024, Concurrency: 50},
		Recycle:  func(string) error { return nil },
		Kill:     func(string) error { return nil },
	}))
	t.Cleanup(func() {
		server.CloseClientConnections() // the browser's feed would keep it open
		server.Close()
	})
	return server.URL
}

func TestPageDrawsARehearsal(t *testing.T) {
	for _, test := range []struct {
		name         string
		environments int
		scheme       string
	}{
		{"few", 6, "light"},
		{"forty", 40, "dark"},
	} {
		t.Run(test.name, func(t *testing.T) {
			ctx := chromiumtest.Start(t, 25*time.Second)
			url := serve(t, test.environments)
			chromiumtest.Prefer(t, ctx, test.scheme)
			chromiumtest.Do(t, ctx, chromedp.Navigate(url), chromedp.Poll[chromedp.Void](`timeline.model.total > 0`), chromedp.Sleep(600*time.Millisecond))
			chromiumtest.Picture(t, ctx, test.name)
			if n := chromiumtest.Evaluate[int](t, ctx, `timeline.model.environments.size`); n != test.environments+1 {
				t.Errorf("the page knows %d environments, want %d", n, test.environments+1)
			}
			if n := chromiumtest.Evaluate[int](t, ctx, `timeline.model.coldStarts`); n != test.environments {
				t.Errorf("the page counts %d cold starts, want %d", n, test.environments)
			}
			if text := chromiumtest.Evaluate[string](t, ctx, `document.querySelector("#cold-cost").textContent`); !strings.Contains(text, "worst") {
				t.Errorf("cold starts cost %q", text)
			}
			// A click in a lane opens the details of what is under it.
			chromiumtest.Do(t, ctx, chromedp.MouseClickXY(60, 142), chromedp.WaitVisible("#details"))
			if text := chromiumtest.Evaluate[string](t, ctx, `document.querySelector("#details h3").textContent`); !strings.HasPrefix(text, "env-") {
				t.Errorf("a click on the first lane opened %q", text)
			}
			if text := chromiumtest.Evaluate[string](t, ctx, `document.querySelector("#details .say").textContent`); !regexp.MustCompile(`Steps: secrets 30 ms, listen [\d.]+ m?s\.$`).MatchString(text) {
				t.Errorf("of its start it says %q", text)
			}
			chromiumtest.Picture(t, ctx, test.name+"-environment")
			// What a person holds in the details stays while they are drawn anew.
			chromiumtest.Do(t, ctx, chromedp.Evaluate[chromedp.Void](`
				window.held = { button: document.querySelector("#details .actions button"), text: document.querySelector("#details .lede").firstChild };
				held.button.focus();
				getSelection().selectAllChildren(held.text.parentNode);`), chromedp.Sleep(1200*time.Millisecond))
			if !chromiumtest.Evaluate[bool](t, ctx, `document.activeElement === held.button && held.text.isConnected && getSelection().toString() !== ""`) {
				t.Error("details that are drawn anew drop the focus or the selection")
			}
			chromiumtest.Do(t, ctx, chromedp.Click(chromedp.CSS("#stores")))
			if text := chromiumtest.Evaluate[string](t, ctx, `document.querySelector("#details pre").textContent`); !strings.Contains(text, "$lookup") {
				t.Errorf("the stores' reports are %q", text)
			}
			chromiumtest.Do(t, ctx, chromedp.KeyEvent("\x1b"), chromedp.WaitNotVisible("#details"),
				chromedp.Click(`[data-filter="api"]`), chromedp.Evaluate[chromedp.Void](clickOn("/api/agents/chat")), chromedp.WaitVisible("#details table"))
			if text := chromiumtest.Evaluate[string](t, ctx, `document.querySelector("#details").textContent`); !strings.Contains(text, "Pauses between chunks") {
				t.Errorf("the details of a stream say %q", text)
			}
			chromiumtest.Picture(t, ctx, test.name+"-request")
			chromiumtest.Do(t, ctx, chromedp.Click(`#details .actions button`), chromedp.Sleep(150*time.Millisecond))
			if chromiumtest.Evaluate[bool](t, ctx, `timeline.view.live`) {
				t.Error("the page runs on after a zoom to a request")
			}
			chromiumtest.Picture(t, ctx, test.name+"-zoomed")
		})
	}
}

// TestPageShowsAnUploadAsOne: the calls of an upload are one row, and the details list them.
func TestPageShowsAnUploadAsOne(t *testing.T) {
	ctx := chromiumtest.Start(t, 40*time.Second)
	recorder := timeline.NewRecorder(0)
	server := httptest.NewServer(page.New(page.Config{Recorder: recorder, Info: page.Info{Title: "demo"}}))
	t.Cleanup(func() { server.CloseClientConnections(); server.Close() })
	now := time.Now().Add(-4 * time.Second)
	record := func(after int, e timeline.Event) {
		e.Time = now.Add(time.Duration(after) * time.Millisecond)
		recorder.Record(e)
	}
	call := func(id string, begin, end int, hops []timeline.Hop, method, path string, upload timeline.Event) {
		for _, hop := range hops {
			start := timeline.Event{Kind: timeline.RequestStart, Request: id, Hop: hop, Method: method, Path: path}
			if hop == timeline.S3 {
				start.Upload = upload.Upload
			}
			record(begin, start)
		}
		if upload.Note != "" {
			upload.Kind, upload.Hop, upload.Request = timeline.Upload, timeline.CloudFront, id
			record(begin+1, upload)
		}
		for i := range hops {
			record(end, timeline.Event{Kind: timeline.RequestEnd, Request: id, Hop: hops[len(hops)-1-i], Status: 200, Bytes: 15 << 20})
		}
	}
	toApp, toS3 := []timeline.Hop{timeline.CloudFront, timeline.APIGateway, timeline.Lambda}, []timeline.Hop{timeline.S3}
	call("a", 0, 90, toApp, "POST", "/_sluice/uploads", timeline.Event{Upload: "staging/k", Note: timeline.UploadTicket})
	call("b", 100, 900, toS3, "PUT", "/bucket/staging/k?partNumber=1", timeline.Event{Upload: "staging/k"})
	call("c", 100, 1200, toS3, "PUT", "/bucket/staging/k?partNumber=2", timeline.Event{Upload: "staging/k"})
	call("d", 1250, 2000, toApp, "POST", "/api/files", timeline.Event{Upload: "staging/k", Note: timeline.UploadRequest})
	call("e", 2100, 2200, toApp, "GET", "/api/files", timeline.Event{})
	chromiumtest.Do(t, ctx, chromedp.Navigate(server.URL), chromedp.Poll[chromedp.Void](`timeline.model.total > 4`), chromedp.Sleep(600*time.Millisecond))
	rows, err := chromedp.Run(ctx, chromedp.Evaluate[string](`import("./requests.js").then(({ visibleRequests }) =>
		visibleRequests(timeline.model, timeline.view, { show: "all", text: "" }, timeline.model.end).map((r) => r.method + " " + r.path).join(", "))`, chromedp.EvalAwaitPromise))
	if rows != "GET /api/files, POST /api/files" {
		t.Errorf("the rows are %q, %v", rows, err)
	}
	chromiumtest.Do(t, ctx, chromedp.Evaluate[chromedp.Void](`(() => {
		const canvas = document.querySelector("#requests canvas"), box = canvas.getBoundingClientRect();
		const at = { clientX: box.left + 100, clientY: box.top + 24 + 12, pointerId: 1, bubbles: true };
		canvas.setPointerCapture = () => {};
		canvas.dispatchEvent(new PointerEvent("pointerdown", at));
		canvas.dispatchEvent(new PointerEvent("pointerup", at));
	})()`), chromedp.WaitVisible(chromedp.CSS("#details table.calls")))
	chromiumtest.Picture(t, ctx, "upload")
	text := chromiumtest.Evaluate[string](t, ctx, `document.querySelector("#details").innerText`)
	for _, want := range []string{"One upload of 3", "in 4 calls and 2.00 s", "ticket", "PUT to S3", "POST /api/files"} {
		if !strings.Contains(text, want) {
			t.Errorf("the details have no %q: %.600s", want, text)
		}
	}
	chromiumtest.Do(t, ctx, chromedp.Click(chromedp.CSS(`#details table.calls tr[data-request="b"]`)))
	chromiumtest.Do(t, ctx, chromedp.Poll[chromedp.Void](`document.querySelector("#details h3").innerText.includes("partNumber=1")`))
}

// clickOn clicks the row of the first ended request with a path.
func clickOn(path string) string {
	return `(() => {
		const canvas = document.querySelector("#requests canvas");
		const box = canvas.getBoundingClientRect();
		const api = [...timeline.model.requests.values()].filter((r) => r.hops.apigateway).sort((a, b) => b.start - a.start);
		const row = api.findIndex((r) => r.path === "` + path + `" && r.end !== null);
		document.querySelector("#requests .scroll").scrollTop = row * 24;
		const y = box.top + row * 24 - document.querySelector("#requests .scroll").scrollTop + 12;
		const at = { clientX: box.left + 100, clientY: y, pointerId: 1, bubbles: true };
		canvas.setPointerCapture = () => {};
		canvas.dispatchEvent(new PointerEvent("pointerdown", at));
		canvas.dispatchEvent(new PointerEvent("pointerup", at));
	})()`
}

// A page that has been open for long keeps a bounded part of what it saw.
func TestModelIsBounded(t *testing.T) {
	ctx := chromiumtest.Start(t, 25*time.Second)
	chromiumtest.Do(t, ctx, chromedp.Navigate(serve(t, 2)), chromedp.Poll[chromedp.Void](`timeline.model.total > 0`))
	got := chromiumtest.Evaluate[[]int](t, ctx, `(() => {
		const model = timeline.model;
		const total = model.total;
		for (let i = 0; i < 9000; i++) {
			const id = "r" + i, env = "env-" + (100 + (i >> 2)), t = model.end + 1;
			model.apply({ t, kind: "request.start", request: id, hop: "cloudfront", method: "GET", path: "/" });
			model.apply({ t, kind: "environment.state", environment: env, state: i % 4 ? "busy" : "init" });
			model.apply({ t, kind: "invoke", request: id, environment: env });
			model.apply({ t: t + 1, kind: "request.end", request: id, hop: "cloudfront", status: 200 });
			model.apply({ t: t + 1, kind: "environment.state", environment: env, state: i % 4 === 3 ? "killed" : "frozen" });
		}
		for (let i = 0; i < 9000; i++) model.apply({ t: model.end, kind: "log", environment: "env-1", note: "x" });
		return [model.total - total, model.requests.size, model.environments.size, model.environments.get("env-1").logs.length];
	})()`)
	if got[0] != 9000 || got[1] > 4001 || got[2] > 501 || got[3] > 200 {
		t.Errorf("9000 requests of 2250 environments: counted %d, kept %d requests, %d environments, %d lines", got[0], got[1], got[2], got[3])
	}
	chromiumtest.Picture(t, ctx, "bounded")
}

// TestPageShowsNoSecrets: a request with a token is on the page in a real browser, and its token is not.
func TestPageShowsNoSecrets(t *testing.T) {
	ctx := chromiumtest.Start(t, 40*time.Second)
	recorder := timeline.NewRecorder(0)
	server := httptest.NewServer(page.New(page.Config{Recorder: recorder, Info: page.Info{Title: "demo"}}))
	t.Cleanup(func() { server.CloseClientConnections(); server.Close() })
	recorder.Record(timeline.Event{Kind: timeline.RequestStart, Request: "r", Hop: timeline.CloudFront, Method: "GET", Path: "/oauth/cb?code=hunter2&page=1"})
	recorder.Record(timeline.Event{Kind: timeline.RequestEnd, Request: "r", Hop: timeline.CloudFront, Status: 200, Error: "ask /r?token=hunter2"})
	chromiumtest.Do(t, ctx, chromedp.Navigate(server.URL), chromedp.Poll[chromedp.Void](`timeline.model.total > 0`))
	shown := chromiumtest.Evaluate[string](t, ctx, `JSON.stringify([...timeline.model.requests.values()]) + document.documentElement.outerHTML`)
	if strings.Contains(shown, "hunter2") || !strings.Contains(shown, "code=[redacted]&page=1") {
		t.Errorf("the page has %.600s", shown)
	}
}
