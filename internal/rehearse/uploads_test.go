package rehearse_test

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/chromedp/cdproto/fetch"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"

	"github.com/aproorg/sluice/internal/bootstrap/uploads"
	"github.com/aproorg/sluice/internal/chromiumtest"
	"github.com/aproorg/sluice/internal/emulate/lambda"
	"github.com/aproorg/sluice/internal/probe"
	"github.com/aproorg/sluice/internal/probe/description"
	"github.com/aproorg/sluice/internal/probe/report"
	"github.com/aproorg/sluice/internal/rehearse"
	"github.com/aproorg/sluice/internal/testkit"
	"github.com/aproorg/sluice/internal/timeline"
)

// uploadApp says what it was sent, as a web server reads it.
func uploadApp() int {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /health", func(http.ResponseWriter, *http.Request) {})
	mux.HandleFunc("GET /api/user", func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer ann" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		io.WriteString(w, `{"id":"ann"}`)
	})
	mux.HandleFunc("POST /api/files", func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer ann" {
			w.WriteHeader(http.StatusUnauthorized)
			io.WriteString(w, `{"message":"who are you?"}`)
			return
		}
		got, err := received(r)
		if err != nil {
			w.WriteHeader(http.StatusBadRequest)
			got["error"] = err.Error()
		}
		w.Header().Set("Content-Type", "application/json")
		json.NewEncoder(w).Encode(got)
	})
	mux.HandleFunc("POST /api/hang", func(_ http.ResponseWriter, r *http.Request) {
		n, _ := io.Copy(io.Discard, r.Body)
		fmt.Println("the app has", n, "bytes") // its log
		time.Sleep(time.Minute)
	})
	mux.HandleFunc("POST /api/fill", func(w http.ResponseWriter, r *http.Request) {
		f, err := os.Create("/tmp/" + r.URL.Query().Get("name"))
		if err == nil {
			mb, _ := strconv.ParseInt(r.URL.Query().Get("mb"), 10, 64)
			_, err = io.CopyN(f, zeros{}, mb<<20)
			err = errors.Join(err, f.Close())
		}
		fmt.Fprint(w, err)
	})
	if err := http.ListenAndServe("127.0.0.1:"+os.Getenv("PORT"), mux); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

func received(r *http.Request) (map[string]any, error) {
	sum := sha256.New()
	body := io.TeeReader(r.Body, sum)
	got := map[string]any{"type": r.Header.Get("Content-Type"), "length": r.ContentLength, "ticket": r.Header.Get("Sluice-Upload"), "other": r.Header.Get("X-Other")}
	var parts []string
	if media, rest, ok := strings.Cut(r.Header.Get("Content-Type"), "; boundary="); ok && media == "multipart/form-data" {
		for form := multipart.NewReader(body, rest); ; {
			part, err := form.NextRawPart()
			if err == io.EOF {
				break
			}
			if err != nil {
				return got, err
			}
			content := sha256.New()
			n, err := io.Copy(content, part)
			if err != nil {
				return got, err
			}
			parts = append(parts, fmt.Sprintf("%s %s %d %.6x", part.Header.Get("Content-Disposition"), part.Header.Get("Content-Type"), n, content.Sum(nil)))
		}
		got["type"] = media
	}
	_, err := io.Copy(io.Discard, body)
	got["parts"], got["sha256"] = parts, fmt.Sprintf("%x", sum.Sum(nil))
	return got, err
}

const uploadPage = `<!doctype html><html><head><meta charset=utf-8><title>uploads</title><script src="app.js"></script></head><body></body></html>`

// uploadScript sends by XMLHttpRequest as apps do, and notes every event.
const uploadScript = `
window.first = XMLHttpRequest.prototype.send.toString().includes('staging'); // our script ran before this one
const random = (n) => { const b = new Uint8Array(n); for (let i = 0; i < n; i += 65536) crypto.getRandomValues(b.subarray(i, Math.min(n, i + 65536))); return b; };
const hex = async (b) => [...new Uint8Array(await crypto.subtle.digest('SHA-256', b))].map((x) => x.toString(16).padStart(2, '0')).join('');
function xhr(body, { headers = {}, method = 'POST', url = '/api/files', timeout = 0, during = () => {} } = {}) {
  return new Promise((resolve) => {
    const x = new XMLHttpRequest();
    const events = [];
    const note = (where) => (e) => { events.push(where + e.type); if (e.type === 'progress') x.most = Math.max(x.most || 0, e.loaded / e.total); };
    for (const t of ['loadstart', 'progress', 'load', 'loadend', 'abort', 'error', 'timeout']) {
      x.upload.addEventListener(t, note('up.'));
      if (t !== 'progress') x.addEventListener(t, note(''));
    }
    x.open(method, url);
    x.timeout = timeout;
    for (const [n, v] of Object.entries({ Authorization: 'Bearer ann', 'X-Other': 'kept', ...headers })) if (v) x.setRequestHeader(n, v);
    x.onloadend = () => setTimeout(() => resolve({ status: x.status, text: x.responseText, events: events.filter((e, i) => e !== events[i - 1]), most: x.most, state: x.readyState }));
    x.send(body);
    during(x);
  });
}
const form = (file) => { const f = new FormData(); f.append('a "quoted"\nname', 'two\nlines'); f.append('file', file, 'ein "Bild"\n.png'); f.append('empty', ''); return f; };
`

func uploadWorld(t *testing.T, change ...func(*rehearse.Config)) *rehearse.World {
	t.Helper()
	executable, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cfg := rehearse.Config{
		App: rehearse.App{Name: "uploads", Command: []string{executable, "upload-app"}, ReadyPath: "/health", Uploads: &rehearse.Uploads{Authorize: "/api/user"}},
		Site: fstest.MapFS{
			"index.html": {Data: []byte(uploadPage)}, "app.js": {Data: []byte(uploadScript)},
		},
		Routes: []string{"/api/*"}, Listen: "127.0.0.1:0",
	}
	for _, c := range change {
		c(&cfg)
	}
	return start(t, cfg)
}

// TestUploadOverABadNetwork: what is lost on the way to S3 is sent again, and an environment that is gone when the
// request comes is no loss.
func TestUploadOverABadNetwork(t *testing.T) {
	ctx := chromiumtest.Start(t, 90*time.Second)
	w := uploadWorld(t)
	reachable := func(yes bool) {
		t.Helper()
		s3 := network.Conditions{URLPattern: "http://127.0.0.1:*/sluice-rehearsal-uploads/*", DownloadThroughput: -1, UploadThroughput: -1, Offline: !yes}
		if _, err := chromedp.Call(ctx, network.EmulateNetworkConditionsByRule, network.EmulateNetworkConditionsByRuleParams{MatchedNetworkConditions: []*network.Conditions{&s3}}); err != nil {
			t.Fatal(err)
		}
	}
	chromiumtest.Do(t, ctx, chromedp.Navigate(w.ViewerURL))
	reachable(false)
	chromiumtest.Evaluate[int](t, ctx, `(() => { const b = random(20e6); window.seen = []; (async () => {
		const sent = await xhr(new Blob([b]), { during: (x) => x.upload.addEventListener('progress', (e) => seen.push(e.loaded)) });
		window.result = JSON.stringify({ ...sent, sum: await hex(b) }) })(); return 0 })()`)
	chromiumtest.Do(t, ctx, chromedp.Poll[chromedp.Void](`seen.filter((n) => n === 0).length > 1`)) // it has begun anew
	for _, e := range w.Lambda.Environments() {
		w.Lambda.Kill(e.ID)
	}
	reachable(true)
	chromiumtest.Do(t, ctx, chromedp.Poll[chromedp.Void](`window.result`))
	var got sent
	if err := json.Unmarshal([]byte(chromiumtest.Evaluate[string](t, ctx, "result")), &got); err != nil {
		t.Fatal(err)
	}
	_ = json.Unmarshal([]byte(got.Text), &got.Got)
	if got.Status != 200 || got.Got.SHA256 != got.Sum {
		t.Errorf("%+v", got)
	}
}

// TestUploadWhoseEnvironmentEnds between the PUT and the request is sent to another one. If it ends while the app has the
// request, the page sees that, the app has it once, and the user's next attempt works.
func TestUploadWhoseEnvironmentEnds(t *testing.T) {
	ctx := chromiumtest.Start(t, 90*time.Second)
	arrived, goOn := make(chan struct{}), make(chan struct{})
	var first sync.Once
	w := uploadWorld(t, func(c *rehearse.Config) {
		c.App.Observe = func(distribution http.Handler) http.Handler {
			return http.HandlerFunc(func(out http.ResponseWriter, r *http.Request) {
				if r.Header.Get("Sluice-Upload") != "" { // it is between the PUT and the request
					first.Do(func() { close(arrived); <-goOn })
				}
				distribution.ServeHTTP(out, r)
			})
		}
	})
	kill := func() {
		t.Helper()
		all := w.Lambda.Environments()
		if len(all) != 1 {
			t.Errorf("%d environments", len(all))
		}
		for _, e := range all {
			w.Lambda.Kill(e.ID)
		}
		testkit.Wait(t, 20*time.Second, "they have ended", func() (string, bool) {
			return "", !slices.ContainsFunc(w.Lambda.Environments(), func(e lambda.EnvironmentInfo) bool { return e.ID == all[0].ID })
		})
	}
	const had = "the app has 7000000 bytes"
	logged := func() (n int) {
		events, _ := w.Recorder.Since(0)
		for _, e := range events {
			if e.Kind == timeline.Log && strings.Contains(e.Note, had) {
				n++
			}
		}
		return n
	}
	begin := func(path string) {
		t.Helper()
		chromiumtest.Evaluate[int](t, ctx, `(() => { window.result = ''; (async () => { const b = random(7e6); window.result = JSON.stringify({ ...await xhr(b, { url: '`+path+`' }), sum: await hex(b) }) })(); return 0 })()`)
	}
	end := func() (s sent) {
		t.Helper()
		chromiumtest.Do(t, ctx, chromedp.Poll[chromedp.Void](`window.result`))
		if err := json.Unmarshal([]byte(chromiumtest.Evaluate[string](t, ctx, "result")), &s); err != nil {
			t.Fatal(err)
		}
		_ = json.Unmarshal([]byte(s.Text), &s.Got)
		return s
	}
	chromiumtest.Do(t, ctx, chromedp.Navigate(w.ViewerURL))
	begin("/api/files")
	<-arrived
	kill()
	close(goOn)
	if got := end(); got.Status != 200 || got.Got.SHA256 != got.Sum {
		t.Errorf("killed between PUT and request: %+v", got)
	}
	begin("/api/hang")
	testkit.Wait(t, 20*time.Second, "the app has the request", func() (string, bool) { return "", logged() == 1 })
	kill()
	if got := end(); got.Status < 500 || logged() != 1 {
		t.Errorf("killed in the request: %+v, and the app had it %d times", got, logged())
	}
	begin("/api/files")
	if got := end(); got.Status != 200 || got.Got.SHA256 != got.Sum {
		t.Errorf("the next attempt: %+v", got)
	}
}

// serviceWorkers are others than LibreChat's, which looks at GETs alone.
var serviceWorkers = map[string]string{
	"that passes all on": `self.onfetch = (e) => { note(e); if (!e.request.url.endsWith('/seen')) e.respondWith(fetch(e.request)) };`,
	"that clones and caches": `self.onfetch = (e) => { note(e); if (!e.request.url.endsWith('/seen')) e.respondWith((async () => {
		const copy = e.request.clone(), cache = await caches.open('all'), kept = e.request.method === 'GET' && await cache.match(e.request);
		const answer = kept || await fetch(e.request);
		if (e.request.method === 'GET' && answer.ok) await cache.put(e.request, answer.clone());
		note({ request: { method: (await copy.arrayBuffer()).byteLength, url: copy.url } });
		return answer;
	})()) };`,
}

const anyServiceWorker = `
const seen = [];
const note = (e) => { const url = new URL(e.request.url); seen.push(e.request.method + ' ' + url.pathname.replace(/^\/sluice-rehearsal-uploads\/staging\/.*/, 'S3'));
	if (e.respondWith && url.pathname === '/seen') e.respondWith(new Response(JSON.stringify(seen))); };
self.oninstall = () => self.skipWaiting();
self.onactivate = (e) => e.waitUntil(self.clients.claim());
`

// TestUploadsBesideServiceWorkers that stand between the page and the network.
func TestUploadsBesideServiceWorkers(t *testing.T) {
	ctx := chromiumtest.Start(t, 90*time.Second)
	for name, worker := range serviceWorkers {
		w := uploadWorld(t, func(c *rehearse.Config) {
			c.Site.(fstest.MapFS)["sw.js"] = &fstest.MapFile{Data: []byte(anyServiceWorker + worker)}
		})
		chromiumtest.Do(t, ctx, chromedp.Navigate(w.ViewerURL))
		text, err := chromedp.Run(ctx, chromedp.Evaluate[string](`(async () => {
			const controlled = new Promise((resolve) => { navigator.serviceWorker.oncontrollerchange = resolve });
			await navigator.serviceWorker.register('/sw.js');
			await controlled;
			const b = random(9e6), done = [];
			done.push({ ...await xhr(form(new Blob([b]))), sum: await hex(b) });
			const r = await fetch('/api/files', { method: 'POST', body: b, headers: { Authorization: 'Bearer ann', 'X-Other': 'kept' } });
			done.push({ status: r.status, text: await r.text(), sum: await hex(b) });
			done.push(await xhr('small'));
			done.push(await xhr(random(30e6), { during: (x) => setTimeout(() => x.abort(), 30) }));
			return JSON.stringify({ done, seen: await (await fetch('/seen')).json() });
		})()`, chromedp.EvalAwaitPromise))
		var got struct {
			Done []sent
			Seen []string
		}
		if err == nil {
			err = json.Unmarshal([]byte(text), &got)
		}
		if err != nil || len(got.Done) != 4 {
			t.Fatalf("%s: %v %s", name, err, text)
		}
		for i := range got.Done {
			_ = json.Unmarshal([]byte(got.Done[i].Text), &got.Done[i].Got)
		}
		if form := got.Done[0]; form.Status != 200 || len(form.Got.Parts) != 3 || !strings.HasSuffix(form.Got.Parts[1], form.Sum[:12]) || form.Events[0] != "up.loadstart" || form.Events[len(form.Events)-1] != "loadend" {
			t.Errorf("%s: a form: %+v", name, form)
		}
		if fetched := got.Done[1]; fetched.Status != 200 || fetched.Got.SHA256 != fetched.Sum || fetched.Got.Other != "kept" {
			t.Errorf("%s: fetch: %+v", name, fetched)
		}
		if small, aborted := got.Done[2], got.Done[3]; small.Status != 200 || small.Got.Length != 5 || aborted.Status != 0 || aborted.State != 0 {
			t.Errorf("%s: small %+v, aborted %+v", name, small, aborted)
		}
		for _, want := range []string{"POST /_sluice/uploads", "PUT S3", "POST /api/files"} {
			if !slices.Contains(got.Seen, want) {
				t.Errorf("%s: the worker was not asked for %s: %q", name, want, got.Seen)
			}
		}
	}
}

// TestRequestsOfAWorker: a dedicated worker has no script, and its requests are as they are without uploads.
func TestRequestsOfAWorker(t *testing.T) {
	ctx := chromiumtest.Start(t, 90*time.Second)
	w := uploadWorld(t, func(c *rehearse.Config) {
		c.Site.(fstest.MapFS)["worker.js"] = &fstest.MapFile{Data: []byte(`onmessage = async (e) => {
			const r = await fetch('/api/files', { method: 'POST', body: new Uint8Array(e.data), headers: { Authorization: 'Bearer ann' } });
			postMessage({ status: r.status, text: await r.text() });
		};`)}
	})
	chromiumtest.Do(t, ctx, chromedp.Navigate(w.ViewerURL))
	for size, want := range map[string]int{"1e6": 200, "7e6": 413} {
		text, err := chromedp.Run(ctx, chromedp.Evaluate[string](`new Promise((resolve) => { const w = new Worker('/worker.js'); w.onmessage = (e) => resolve(JSON.stringify(e.data)); w.postMessage(`+size+`) })`, chromedp.EvalAwaitPromise))
		var got sent
		if err == nil {
			err = json.Unmarshal([]byte(text), &got)
		}
		if err != nil || got.Status != want {
			t.Errorf("%s bytes: %d %.200s, %v, want %d", size, got.Status, got.Text, err, want)
		}
	}
}

// spoiled stands before the distribution, and can answer for a ticket's request in its place, or change the answer.
type spoiled struct {
	http.Handler
	mu    sync.Mutex
	spoil func(http.ResponseWriter, *http.Request, http.Handler)
}

func (s *spoiled) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/" { // a strict policy, which has the bucket
		w.Header().Set("Content-Security-Policy", "default-src 'none'; script-src 'self'; connect-src 'self' http://127.0.0.1:*")
	}
	s.mu.Lock()
	spoil := s.spoil
	s.mu.Unlock()
	if spoil == nil || r.URL.Path != "/_sluice/uploads" {
		s.Handler.ServeHTTP(w, r)
		return
	}
	spoil(w, r, s.Handler)
}

func (s *spoiled) by(spoil func(http.ResponseWriter, *http.Request, http.Handler)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.spoil = spoil
}

// expire gives a ticket that was good for an hour, an hour and a half ago.
func expire(t *testing.T, secret string) func(http.ResponseWriter, *http.Request, http.Handler) {
	return func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		answer := httptest.NewRecorder()
		next.ServeHTTP(answer, r)
		var offer map[string]any
		var ticket uploads.Ticket
		err := json.Unmarshal(answer.Body.Bytes(), &offer)
		if sealed, ok := offer["ticket"].(string); err == nil && ok {
			payload, _, _ := strings.Cut(sealed, ".")
			data, _ := base64.RawURLEncoding.DecodeString(payload)
			err = json.Unmarshal(data, &ticket)
		}
		key, other := uploads.NewKey(secret)
		if err != nil || other != nil {
			t.Error(err, other, answer.Body)
			return
		}
		ticket.Expires = time.Now().Add(-time.Minute).Unix()
		if offer["ticket"], err = key.Seal(ticket); err != nil {
			t.Error(err)
		}
		w.Header().Set("Content-Type", "application/json")
		json.NewEncoder(w).Encode(offer)
	}
}

// TestUploadsThatFailInAPage: the page's request ends with a status and words that it can show.
func TestUploadsThatFailInAPage(t *testing.T) {
	ctx := chromiumtest.Open(t, 3*time.Minute)
	front := &spoiled{}
	w := uploadWorld(t, func(c *rehearse.Config) {
		c.App.Observe = func(distribution http.Handler) http.Handler { front.Handler = distribution; return front }
		c.App.Uploads.Secret = "TICKETS"
		c.App.Env = map[string]string{"TICKETS": "a secret that all environments have", "SLUICE_UPLOAD_LIMIT": "50MB"}
	})
	chromiumtest.Do(t, ctx, chromedp.Navigate(w.ViewerURL))

	// S3 answers with these statuses, one after the other.
	var statuses []int64
	var mu sync.Mutex
	if err := chromedp.Listen(ctx, func(event any) {
		paused, ok := event.(*fetch.EventRequestPaused)
		if !ok {
			return
		}
		go func() {
			mu.Lock()
			status := int64(0)
			if len(statuses) > 0 && paused.Request.Method == http.MethodPut {
				status, statuses = statuses[0], statuses[1:]
			}
			mu.Unlock()
			var err error
			if status == 0 {
				_, err = chromedp.Call(ctx, fetch.ContinueRequest, fetch.ContinueRequestParams{RequestID: paused.RequestID})
			} else {
				_, err = chromedp.Call(ctx, fetch.FulfillRequest, fetch.FulfillRequestParams{RequestID: paused.RequestID, ResponseCode: status,
					ResponseHeaders: []*fetch.HeaderEntry{{Name: "Access-Control-Allow-Origin", Value: "*"}}})
			}
			if err != nil && ctx.Err() == nil {
				t.Error(err)
			}
		}()
	}); err != nil {
		t.Fatal(err)
	}
	if _, err := chromedp.Call(ctx, fetch.Enable, fetch.EnableParams{Patterns: []*fetch.RequestPattern{{URLPattern: "*/sluice-rehearsal-uploads/*"}}}); err != nil {
		t.Fatal(err)
	}

	for _, c := range []struct {
		name   string
		s3     []int64
		spoil  func(http.ResponseWriter, *http.Request, http.Handler)
		send   string
		status int
		says   string
	}{
		{name: "S3 refuses", s3: []int64{403}, status: 502, says: "did not get to S3"},
		{name: "S3 fails and recovers", s3: []int64{503, 500}, status: 200},
		{name: "S3 fails for good", s3: []int64{503, 503, 503, 503, 503}, status: 502, says: "did not get to S3"},
		{name: "the ticket has expired", spoil: expire(t, "a secret that all environments have"), status: 410, says: "expired"},
		{name: "no paths of uploads", spoil: func(w http.ResponseWriter, _ *http.Request, _ http.Handler) {
			w.Header().Set("Content-Type", "text/html")
			w.WriteHeader(http.StatusForbidden)
			io.WriteString(w, "<html>This distribution is not configured to allow the HTTP request method</html>")
		}, status: 413, says: "Too Long"},
		{name: "the ticket's request fails", spoil: func(w http.ResponseWriter, _ *http.Request, _ http.Handler) {
			w.WriteHeader(http.StatusServiceUnavailable)
		}, status: 409, says: "Send the file again"},
		{name: "larger than the limit", send: "random(51e6)", status: 413, says: "SLUICE_UPLOAD_LIMIT"},
	} {
		mu.Lock()
		statuses = c.s3
		mu.Unlock()
		front.by(c.spoil)
		if c.send == "" {
			c.send = "random(7e6)"
		}
		text, err := chromedp.Run(ctx, chromedp.Evaluate[string](`(async () => JSON.stringify(await xhr(`+c.send+`)))()`, chromedp.EvalAwaitPromise))
		var got sent
		if err == nil {
			err = json.Unmarshal([]byte(text), &got)
		}
		if err != nil || got.Status != c.status || !strings.Contains(got.Text, c.says) {
			t.Errorf("%s: %d %.200s, %v, want %d %q", c.name, got.Status, got.Text, err, c.status, c.says)
		}
	}
}

// TestProtocolByCurl runs the three calls of docs/uploads.md as they stand there.
func TestProtocolByCurl(t *testing.T) {
	for _, tool := range []string{"curl", "jq"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("%s is not here: apt-get install curl jq", tool)
		}
	}
	doc, err := os.ReadFile("../../docs/uploads.md")
	if err != nil {
		t.Fatal(err)
	}
	_, protocol, _ := strings.Cut(string(doc), "## The protocol")
	protocol, _, _ = strings.Cut(protocol, "\n| ")
	_, protocol, _ = strings.Cut(protocol, "\n    ")
	w := uploadWorld(t)
	dir := t.TempDir()
	const head, foot = "--x\r\nContent-Disposition: form-data; name=\"file\"; filename=\"f\"\r\n\r\n", "\r\n--x--\r\n"
	body := head + strings.Repeat("b", 31457280-len(head)-len(foot)) + foot
	if err := os.WriteFile(filepath.Join(dir, "body.bin"), []byte(body), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "sh", "-ec", strings.ReplaceAll(protocol, "https://chat.example.com", w.ViewerURL))
	cmd.Dir, cmd.Env = dir, append(os.Environ(), "TOKEN=ann")
	out, err := cmd.CombinedOutput()
	var got struct{ SHA256, Type string }
	if err != nil || json.Unmarshal(out, &got) != nil || got.SHA256 != fmt.Sprintf("%x", sha256.Sum256([]byte(body))) || got.Type != "multipart/form-data" {
		t.Errorf("%s\ngave %.500s, %v", protocol, out, err)
	}
}

// TestRoomOfTmp: /tmp is as large as the function's ephemeral storage, and what does not fit there is refused before any of it is sent.
func TestRoomOfTmp(t *testing.T) {
	ctx := chromiumtest.Start(t, 90*time.Second)
	w := uploadWorld(t)
	setting := "ephemeral_storage"
	if missing := strings.Join(w.Lambda.Missing(), "\n"); strings.Contains(missing, "no disk") || strings.Contains(missing, "not Linux") {
		setting = "SLUICE_UPLOAD_LIMIT"
	}
	chromiumtest.Do(t, ctx, chromedp.Navigate(w.ViewerURL))
	send := func(mb int) (s sent) {
		t.Helper()
		text, err := chromedp.Run(ctx, chromedp.Evaluate[string](fmt.Sprintf(`(async () => { const mb = random(1 << 20); return JSON.stringify(await xhr(new Blob(Array(%d).fill(mb)))) })()`, mb), chromedp.EvalAwaitPromise))
		if err == nil {
			err = json.Unmarshal([]byte(text), &s)
		}
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	fill := func(name string, mb int) string {
		t.Helper()
		resp, err := http.Post(fmt.Sprintf("%s/api/fill?name=%s&mb=%d", w.ViewerURL, name, mb), "", nil)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		said, _ := io.ReadAll(resp.Body)
		return string(said)
	}
	const toS3 = `performance.getEntriesByType('resource').filter((e) => e.name.includes('/staging/')).length`
	if got := send(700); got.Status != 413 || !strings.Contains(got.Text, "734.0 MB") || !strings.Contains(got.Text, setting) || chromiumtest.Evaluate[int](t, ctx, toS3) != 0 {
		t.Errorf("700 MiB: %d %.200s, %d requests to S3", got.Status, got.Text, chromiumtest.Evaluate[int](t, ctx, toS3))
	}
	if setting != "ephemeral_storage" {
		return
	}
	if got := fill("a", 600); !strings.Contains(got, "no space left on device") {
		t.Errorf("600 MiB in a /tmp of 512: %s", got)
	}
	if got := send(5); got.Status != 413 || !strings.Contains(got.Text, "room for 0.0 MB") {
		t.Errorf("5 MiB where /tmp is full: %d %.200s", got.Status, got.Text)
	}
	if got := fill("a", 400); got != "<nil>" {
		t.Errorf("400 MiB: %s", got)
	}
	if got := send(50); got.Status != 200 {
		t.Errorf("50 MiB beside 400: %d %.200s", got.Status, got.Text)
	}
}

// TestUploadsOfTwoTabs at the same time do not meet.
func TestUploadsOfTwoTabs(t *testing.T) {
	first := chromiumtest.Start(t, 90*time.Second)
	second, cancel := chromedp.NewContext(first)
	t.Cleanup(cancel)
	w := uploadWorld(t)
	for _, tab := range []context.Context{first, second} {
		chromiumtest.Do(t, tab, chromedp.Navigate(w.ViewerURL))
		chromiumtest.Evaluate[int](t, tab, `(() => { const all = [9e6, 8e6].map(async (n) => { const b = random(n); return { ...await xhr(new Blob([b])), sum: await hex(b) } });
			Promise.all(all).then((done) => { window.result = JSON.stringify(done) }); return 0 })()`)
	}
	for _, tab := range []context.Context{first, second} {
		chromiumtest.Do(t, tab, chromedp.Poll[chromedp.Void](`window.result`))
		var got []sent
		if err := json.Unmarshal([]byte(chromiumtest.Evaluate[string](t, tab, "result")), &got); err != nil {
			t.Fatal(err)
		}
		for _, s := range got {
			_ = json.Unmarshal([]byte(s.Text), &s.Got)
			if s.Status != 200 || s.Got.SHA256 != s.Sum {
				t.Errorf("%+v", s)
			}
		}
	}
}

// TestUploadsAreVerified from outside, and say that they are off where they are.
func TestUploadsAreVerified(t *testing.T) {
	d := description.Description{App: "uploads", Site: &description.Site{}, Upload: &description.Upload{CountField: "length", DigestField: "sha256",
		Request: description.Request{Path: "/api/files", Header: map[string]string{"Authorization": "Bearer ann"}}}}
	for _, c := range []struct {
		name   string
		change func(*rehearse.Config)
		status report.Status
		says   string
	}{
		{"on", func(*rehearse.Config) {}, report.Pass, "arrived whole"},
		{"off", func(c *rehearse.Config) { c.App.Uploads = nil }, report.Skip, "uploads are off"},
		{"no right", func(c *rehearse.Config) { c.App.Uploads.Authorize = "/api/none" }, report.Fail, "no ticket for 20 MB: 403"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := uploadWorld(t, c.change)
			got, err := probe.Run(t.Context(), w.ViewerURL, d, probe.Options{Quick: true})
			if err != nil {
				t.Fatal(err)
			}
			row := func(name string) (found report.Result) {
				t.Helper()
				i := slices.IndexFunc(got.Results, func(r report.Result) bool { return r.Name == name })
				if i < 0 {
					t.Fatalf("no row %q in %+v", name, got.Results)
				}
				return got.Results[i]
			}
			if r := row("20 MB by way of S3"); r.Status != c.status || !strings.Contains(r.Detail, c.says) {
				t.Errorf("%+v, want %s %q", r, c.status, c.says)
			}
			if r := row("request of 7 MB"); !strings.Contains(r.Detail, "refused with 413") {
				t.Errorf("%+v", r)
			}
			if c.status != report.Pass {
				return
			}
			var tally timeline.Tally
			var parts []string
			events, _ := w.Recorder.Since(0)
			for _, e := range events {
				if r, ended := tally.Add(e); ended && r.Part.Number > 0 {
					parts = append(parts, fmt.Sprintf("%d %s %s %d", r.Part.Number, r.Part.Name, r.Method, r.Part.Bytes))
				}
			}
			if got := strings.Join(parts, ", "); got != "1 ticket POST 0, 1 put PUT 0, 1 request POST 20971520" {
				t.Errorf("the timeline has %s", got)
			}
		})
	}
}

// sent is what a page saw of a request.
type sent struct {
	Status int
	Text   string
	Events []string
	Most   float64
	State  int
	Name   string // of an exception
	Sum    string // SHA-256 of what was sent

	Got struct {
		Type, Ticket, Other, SHA256 string
		Length                      int
		Parts                       []string
	} `json:"-"`
}

func TestLargeRequestsOfAPage(t *testing.T) {
	ctx := chromiumtest.Start(t, 90*time.Second)
	w := uploadWorld(t)
	chromiumtest.Do(t, ctx, chromedp.Navigate(w.ViewerURL))
	if !chromiumtest.Evaluate[bool](t, ctx, "window.first") {
		t.Error("the page's own script ran before the one for uploads")
	}
	do := func(script string) (s sent) {
		t.Helper()
		text, err := chromedp.Run(ctx, chromedp.Evaluate[string](`(async () => { try { return JSON.stringify(await (async () => {`+script+`})()) } catch (e) { return JSON.stringify({name: e.name, text: String(e)}) } })()`, chromedp.EvalAwaitPromise))
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal([]byte(text), &s); err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		_ = json.Unmarshal([]byte(s.Text), &s.Got)
		return s
	}
	same := func(what string, a, b []string) {
		t.Helper()
		if len(a) == 0 || strings.Join(a, "\n") != strings.Join(b, "\n") {
			t.Errorf("%s:\n%q\nwant\n%q", what, a, b)
		}
	}

	small := do(`const b = random(1000); return { ...await xhr(form(new Blob([b]))) }`)
	large := do(`const b = random(9e6); return { ...await xhr(form(new Blob([b], {type: 'image/png'}))), sum: await hex(b) }`)
	if small.Status != 200 || large.Status != 200 || large.Got.Type != "multipart/form-data" || large.Got.Other != "kept" || large.Got.Length < 9e6 || large.Got.Ticket != "" {
		t.Errorf("%+v\n%+v", small, large)
	}
	same("events", large.Events, []string{"up.loadstart", "up.progress", "up.load", "up.loadend", "loadstart", "load", "loadend"})
	if large.Most != 1 {
		t.Errorf("the progress came to %v", large.Most)
	}
	names := func(parts []string) (out []string) {
		for _, p := range parts {
			out = append(out, p[:strings.LastIndex(p[:strings.LastIndex(p, " ")], " ")])
		}
		return out
	}
	want := names(small.Got.Parts)
	if len(want) == 3 {
		want[1] = strings.Replace(want[1], "application/octet-stream", "image/png", 1)
	}
	same("the browser's own form and ours", names(large.Got.Parts), want)
	if len(large.Got.Parts) != 3 || !strings.HasSuffix(large.Got.Parts[1], large.Sum[:12]) {
		t.Errorf("the file arrived as %v, want %s", large.Got.Parts, large.Sum)
	}

	for name, script := range map[string]string{
		"xhr Blob":      `const b = random(5e6); return { ...await xhr(new Blob([b], {type: 'text/csv'})), sum: await hex(b) }`,
		"xhr buffer":    `const b = random(5e6); return { ...await xhr(b.buffer), sum: await hex(b) }`,
		"xhr view":      `const b = random(6e6).subarray(1e6); return { ...await xhr(b, {headers: {'Content-Type': 'x/y'}}), sum: await hex(b) }`,
		"xhr string":    `const s = 'ü'.repeat(3e6); return { ...await xhr(s), sum: await hex(new TextEncoder().encode(s)) }`,
		"fetch":         `const b = random(5e6); const r = await fetch('/api/files', {method: 'post', body: b, headers: {Authorization: 'Bearer ann', 'X-Other': 'kept'}}); return { status: r.status, text: await r.text(), sum: await hex(b) }`,
		"fetch Request": `const b = random(5e6); const r = await fetch(new Request('/api/files', {method: 'POST', body: b, headers: {Authorization: 'Bearer ann', 'X-Other': 'kept', 'Content-Type': 'text/csv'}})); return { status: r.status, text: await r.text(), sum: await hex(b) }`,
		"below a base":  `const base = document.createElement('base'); base.href = '/api/'; document.head.append(base); const b = random(5e6); try { return { ...await xhr(b, {url: 'files'}), sum: await hex(b) } } finally { base.remove() }`,
		"120 MB":        `const b = random(120e6); return { ...await xhr(new Blob([b])), sum: await hex(b) }`,
	} {
		kind := map[string]string{"xhr Blob": "text/csv", "fetch Request": "text/csv", "xhr view": "x/y", "xhr string": "text/plain;charset=UTF-8"}[name]
		if got := do(script); got.Status != 200 || got.Got.SHA256 != got.Sum || got.Got.Other != "kept" || got.Got.Type != kind || got.Got.Length < 5e6 {
			t.Errorf("%s: %+v", name, got)
		}
	}

	if got := do(`const asked = () => performance.getEntriesByName(location.origin + '/_sluice/uploads').length, before = asked();
		const got = await xhr(random(5e6), {url: location.origin.replace('127.0.0.1', 'localhost') + '/api/files'}); return {...got, text: String(asked() - before)}`); got.Status != 0 || got.Text != "0" {
		t.Errorf("to another origin: %+v", got)
	}
	for name, request := range map[string]string{
		"with keepalive":    `new Request('/api/files', {method: 'POST', body: 'x', keepalive: true, headers: {Authorization: 'Bearer ann'}})`,
		"to another origin": `new Request('http://localhost:1/', {method: 'POST', body: random(5e6)})`,
	} {
		if got := do(`const r = ` + request + `; let read = false; r.clone = () => { read = true; return Request.prototype.clone.call(r) };
			await fetch(r).catch(() => 0); return {text: String(read)}`); got.Text != "false" {
			t.Errorf("the body of a Request %s is read: %+v", name, got)
		}
	}
	if got := do(`return await xhr(random(5e6), {headers: {Authorization: ''}})`); got.Status != 401 || !strings.Contains(got.Text, "Sign in") {
		t.Errorf("signed out: %+v", got)
	}
	if got := do(`return await xhr(random(30e6), {during: (x) => x.upload.addEventListener('progress', () => x.abort(), {once: true})})`); got.Status != 0 || got.State != 0 ||
		strings.Join(got.Events, " ") != "up.loadstart up.progress up.abort up.loadend abort loadend" {
		t.Errorf("aborted: %+v", got)
	}
	if got := do(`return await xhr(random(30e6), {during: (x) => x.upload.addEventListener('progress', () => { x.open('POST', '/api/files'); x.setRequestHeader('Authorization', 'Bearer ann'); x.send('small') }, {once: true})})`); got.Status != 200 ||
		got.Got.Length != len("small") || got.State != 4 || strings.Contains(strings.Join(got.Events, " "), "error") {
		t.Errorf("opened again: %+v", got)
	}
	if got := do(`return await xhr(random(30e6), {during: (x) => { x.upload.addEventListener('progress', () => x.abort(), {once: true}); x.addEventListener('abort', () => x.open('POST', '/api/files'), {once: true}) }})`); got.State != 1 {
		t.Errorf("opened again by who hears of the abort: %+v", got)
	}
	if got := do(`return await xhr(random(60e6), {timeout: 30})`); got.Status != 0 || !strings.Contains(strings.Join(got.Events, " "), "up.timeout up.loadend timeout loadend") {
		t.Errorf("timed out: %+v", got)
	}
	for _, async := range []string{"undefined", "null", "0", "''", "false"} { // as WebIDL makes a boolean of it
		if got := do(`const x = new XMLHttpRequest(); x.open('POST', '/api/files', ` + async + `); x.setRequestHeader('Authorization', 'Bearer ann'); x.send('small'); return {state: x.readyState, status: x.status, text: x.responseText}`); got.State != 4 || got.Got.Length != 5 {
			t.Errorf("open(…, %s) is not synchronous: %+v", async, got)
		}
	}
	for _, async := range []string{"", ", true", ", 1", ", 'no'", ", true, undefined, null"} {
		if got := do(`const x = new XMLHttpRequest(); x.open('POST', '/api/files'` + async + `); x.setRequestHeader('Authorization', 'Bearer ann'); const b = random(5e6); x.send(b); const state = x.readyState;
			await new Promise((resolve) => { x.onloadend = resolve }); return {state, status: x.status, text: x.responseText, sum: await hex(b)}`); got.State != 1 || got.Status != 200 || got.Got.SHA256 != got.Sum {
			t.Errorf("open(…%s): %+v", async, got)
		}
	}
	if got := do(`const x = new XMLHttpRequest(), errors = []; for (const a of [[], ['POST'], ['P T', '/'], ['POST', 'http://[']]) try { x.open(...a) } catch (e) { errors.push(e.name) } return {text: errors.join()}`); got.Text != "TypeError,TypeError,SyntaxError,SyntaxError" {
		t.Errorf("what open refuses: %+v", got)
	}
	if got := do(`const x = new XMLHttpRequest(), seen = [], real = () => Object.getOwnPropertyDescriptor(XMLHttpRequest.prototype, 'timeout').get.call(x);
		const send = (b) => new Promise((resolve) => { x.open('POST', '/api/files'); x.setRequestHeader('Authorization', 'Bearer ann'); x.onload = () => { seen.push(x.timeout, real()); resolve() }; x.send(b) });
		x.timeout = 60000; await send(random(5e6)); await send('small'); return {text: seen.map((ms) => ms === 60000 ? 'all' : ms > 0 && ms < 60000 ? 'less' : ms).join()}`); got.Text != "all,less,all,all" {
		t.Errorf("the timeout that a page sees and the one that is left: %+v", got)
	}
	if got := do(`return await xhr(random(60e6), {timeout: 60000, during: (x) => x.upload.addEventListener('progress', () => { x.timeout = 1 }, {once: true})})`); got.Status != 0 || !strings.Contains(strings.Join(got.Events, " "), "up.timeout up.loadend timeout loadend") {
		t.Errorf("a timeout that is set in the middle: %+v", got)
	}
	if got := do(`const c = new AbortController(); setTimeout(() => c.abort(), 30); const r = await fetch('/api/files', {method: 'POST', body: random(60e6), signal: c.signal}); return {status: r.status}`); got.Name != "AbortError" {
		t.Errorf("aborted fetch: %+v", got)
	}
	if got := do(`const x = new XMLHttpRequest(); x.open('POST', '/api/files'); x.send(random(5e6)); try { x.send() } finally { x.abort() }`); got.Name != "InvalidStateError" {
		t.Errorf("sent twice: %+v", got)
	}
}
