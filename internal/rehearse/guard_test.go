package rehearse_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/aproorg/sluice/internal/chromiumtest"
	"github.com/aproorg/sluice/internal/emulate/s3"
	"github.com/aproorg/sluice/internal/rehearse"
	"github.com/aproorg/sluice/internal/rehearse/stores"
	"github.com/aproorg/sluice/internal/testkit"
	"github.com/aproorg/sluice/internal/timeline"
)

// guarded is a rehearsal with stores, at work once, so that all of its servers listen.
func guarded(t *testing.T) (*rehearse.World, *stores.Stores) {
	t.Helper()
	s, err := stores.Start(t.Context(), stores.Config{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	if err := s.PutSecrets(map[string]string{"/a/secret": "hunter2"}); err != nil {
		t.Fatal(err)
	}
	s.S3.Bucket("private")
	if err := s.S3.Put("private", "a.txt", strings.NewReader("hunter2"), s3.Metadata{}); err != nil {
		t.Fatal(err)
	}
	cfg := demoConfig(t)
	cfg.Stores = s
	w := start(t, cfg)
	get(t, visitor(t), w.ViewerURL+"/health")
	return w, s
}

// listening are the ports that this process listens on, from the kernel.
func listening(t *testing.T) []int {
	t.Helper()
	own := map[string]bool{}
	files, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Skip("finds sockets in /proc; run it on Linux")
	}
	for _, f := range files {
		if to, err := os.Readlink("/proc/self/fd/" + f.Name()); err == nil {
			own[strings.TrimSuffix(strings.TrimPrefix(to, "socket:["), "]")] = true
		}
	}
	var ports []int
	for _, table := range []string{"/proc/self/net/tcp", "/proc/self/net/tcp6"} {
		text, _ := os.ReadFile(table) // a kernel without IPv6 has but one
		for line := range strings.Lines(string(text)) {
			fields := strings.Fields(line)
			if len(fields) < 10 || fields[3] != "0A" || !own[fields[9]] {
				continue
			}
			_, port, _ := strings.Cut(fields[1], ":")
			n, err := hex.DecodeString(port)
			if err != nil || len(n) != 2 {
				t.Fatal(line)
			}
			ports = append(ports, int(n[0])<<8|int(n[1]))
		}
	}
	slices.Sort(ports)
	return slices.Compact(ports)
}

// invocations counts what environments were given.
func invocations(w *rehearse.World) (n int) {
	events, _ := w.Recorder.Since(0)
	for _, e := range events {
		if e.Kind == timeline.Invoke {
			n++
		}
	}
	return n
}

func port(t *testing.T, url string) int {
	t.Helper()
	n, err := strconv.Atoi(url[strings.LastIndex(url, ":")+1:])
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// TestNoServerAnswersForeigners sends to every port that a rehearsal listens on what a page of another site and another user could
// send: under names that resolve here, across origins, unsigned, half signed, and in the protocols of the others. Nothing is
// invoked, written or given away.
func TestNoServerAnswersForeigners(t *testing.T) {
	w, s := guarded(t)
	viewer, page := port(t, w.ViewerURL), port(t, w.TimelineURL)
	ports := listening(t)
	if len(ports) < 10 { // viewer, timeline, origin, gateway, Lambda, the Runtime API, Mongo and its database, Redis, S3, SSM, the model
		t.Fatalf("found %v: the test counts wrongly", ports)
	}
	before := invocations(w)
	lambdaPath := "/2015-03-31/functions/" + w.Stack.Function.FunctionName + "/invocations"
	if w.Stack.Function.FunctionName == "" {
		lambdaPath = "/2015-03-31/functions/function/invocations"
	}
	targets := []string{"GET /", "POST /", "POST " + lambdaPath, "POST /live/health", "GET /live/health", "GET /2018-06-01/runtime/invocation/next",
		"POST /2018-06-01/runtime/init/error", "POST /2020-01-01/extension/register", "GET /private/a.txt", "PUT /private/b.txt", "DELETE /private/a.txt", "GET /sluice-rehearsal-site/index.html",
		"GET /v1/models", "POST /v1/chat/completions", "POST /environments/env-1/kill", "OPTIONS /", "POST /events"}
	heads := map[string]string{
		"rebinding":      "Host: evil.example:%d\r\n",
		"a near miss":    "Host: localhost.evil.example:%d\r\n",
		"another origin": "Host: 127.0.0.1:%d\r\nOrigin: http://evil.example\r\nSec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: no-cors\r\n",
		"unsigned":       "Host: 127.0.0.1:%d\r\n",
		"half signed":    "Host: 127.0.0.1:%d\r\nAuthorization: AWS4-HMAC-SHA256 Credential=AKIAX/20260101/eu-west-1/s3/aws4_request, SignedHeaders=host, Signature=0\r\n",
		"a WebSocket":    "Host: 127.0.0.1:%d\r\nOrigin: http://evil.example\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n",
	}
	runtimeAPI := map[string]bool{"GET /2018-06-01/runtime/invocation/next": true, "POST /2018-06-01/runtime/init/error": true, "POST /2020-01-01/extension/register": true, "GET /v1/models": true, "POST /v1/chat/completions": true}
	var attacks sync.WaitGroup
	defer attacks.Wait()
	atOnce := make(chan struct{}, 64)
	for _, p := range ports {
		for what, head := range heads {
			for _, target := range targets {
				public := p == viewer && what != "rebinding" && what != "a near miss" || p == page && strings.HasPrefix(target, "GET ") && !strings.Contains(head, "evil.example:")
				program := what == "unsigned" || what == "half signed" // the Runtime API and the model take programs of this machine
				if public || program && (runtimeAPI[target] || p == page) {
					continue
				}
				attacks.Go(func() {
					atOnce <- struct{}{}
					defer func() { <-atOnce }()
					answer := exchange(p, target+" HTTP/1.1\r\n"+fmt.Sprintf(head, p)+"X-Amz-Target: AmazonSSM.GetParameter\r\nContent-Type: text/plain\r\nContent-Length: 43\r\n\r\n"+`{"Name":"/a/secret","WithDecryption":true } `)
					status, _, _ := strings.Cut(strings.TrimPrefix(answer, "HTTP/1.1 "), " ")
					if n, err := strconv.Atoi(status); strings.HasPrefix(answer, "HTTP/1.1 ") && (err != nil || n < 400) || strings.Contains(answer, "hunter2") {
						t.Errorf("port %d, %s, %s:\n%.300s", p, target, what, answer)
					}
				})
			}
		}
	}
	attacks.Wait()
	// An inline command of Redis in a body, as pages have sent it to other databases.
	for _, p := range ports {
		exchange(p, "POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 100\r\n\r\n*3\r\n$3\r\nSET\r\n$1\r\na\r\n$1\r\nb\r\nSET a b\r\nFLUSHALL\r\n")
	}
	if answer := exchange(port(t, s.RedisURI()), "*2\r\n$3\r\nGET\r\n$1\r\na\r\n"); !strings.HasPrefix(answer, "-NOAUTH") {
		t.Errorf("Redis without a password: %q", answer)
	}
	if n := invocations(w); n != before+countGateway(w) {
		t.Errorf("%d invocations, %d before", n, before)
	}
	if res, body := get(t, visitor(t), w.ViewerURL+"/health"); res.StatusCode != http.StatusOK {
		t.Errorf("afterwards: %s %s", res.Status, body)
	}
}

// countGateway are invocations that came by the gateway's address, which is public on AWS, too: there the origin secret guards.
func countGateway(w *rehearse.World) (n int) {
	events, _ := w.Recorder.Since(0)
	for _, e := range events {
		fromGateway := func(o timeline.Event) bool { return o.Hop == timeline.APIGateway && o.Request == e.Request }
		if e.Kind == timeline.Invoke && directly(events, e.Request) && slices.ContainsFunc(events, fromGateway) {
			n++
		}
	}
	return n
}

// exchange sends text to a port and returns the beginning of the answer.
func exchange(port int, text string) string {
	conn, err := net.DialTimeout("tcp", fmt.Sprintf("127.0.0.1:%d", port), time.Second)
	if err != nil {
		return ""
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(2 * time.Second))
	_, _ = io.WriteString(conn, text)
	var b bytes.Buffer
	r := bufio.NewReader(conn)
	_, _ = io.CopyN(&b, r, 1) // waits
	rest := make([]byte, 4096)
	_ = conn.SetDeadline(time.Now().Add(100 * time.Millisecond)) // the body follows the head at once
	n, _ := io.ReadFull(r, rest)
	b.Write(rest[:n])
	return b.String()
}

// attack is a page that tries what a browser lets a page do to ports of this machine.
const attack = `<!doctype html><body><script>
async function attack(bases, paths) {
	const body = JSON.stringify({Name: "/a/secret", WithDecryption: true});
	const seen = [];
	const tell = (what, text) => { if (/hunter2|invocation|<!doctype html/i.test(text)) seen.push(what + ": " + text.slice(0, 80)); };
	const tries = [];
	for (const base of bases) {
		for (const path of paths) {
			const url = base + path;
			for (const method of ["GET", "POST"]) {
				tries.push(fetch(url, {method, mode: "no-cors", credentials: "include", body: method === "POST" ? body : undefined}).then(async (r) => tell(method + " " + url, await r.text())));
				tries.push(fetch(url, {method, mode: "cors", headers: {"X-Amz-Target": "AmazonSSM.GetParameter", "Authorization": "AWS4-HMAC-SHA256 x"}, body: method === "POST" ? body : undefined}).then(async (r) => tell("cors " + method + " " + url, await r.text())));
			}
			tries.push(fetch(url, {method: "PUT", mode: "cors", body}));
			navigator.sendBeacon(url, body);
			const form = document.createElement("form"), frame = document.createElement("iframe");
			frame.name = "f" + Math.random(); form.target = frame.name; form.action = url; form.method = "POST"; form.enctype = "text/plain";
			const field = document.createElement("input"); field.name = body; form.append(field);
			document.body.append(frame, form); form.submit();
			tries.push(new Promise((done) => { const s = new WebSocket(url.replace("http", "ws")); s.onopen = () => { seen.push("ws " + url); done(); }; s.onerror = s.onclose = done; }));
			tries.push(new Promise((done) => { const i = new Image(); i.onload = i.onerror = done; i.src = url; }));
		}
	}
	await Promise.race([Promise.allSettled(tries), new Promise((done) => setTimeout(done, 15000))]); // some servers wait for more
	return seen;
}
</script>`

// TestForeignPageReachesNothing is the same from a page in Chromium: one of another port, which a browser calls the same site, and
// one whose name resolves to this machine.
func TestForeignPageReachesNothing(t *testing.T) {
	ctx := chromiumtest.Open(t, 90*time.Second, chromedp.Flag("host-resolver-rules", "MAP evil.example 127.0.0.1"),
		chromedp.Flag("disable-features", "LocalNetworkAccessChecks,BlockInsecurePrivateNetworkRequests")) // the guards hold without the browser's own
	w, s := guarded(t)
	foreign := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
		rw.Header().Set("Content-Type", "text/html")
		_, _ = io.WriteString(rw, attack)
	}))
	t.Cleanup(func() { foreign.CloseClientConnections(); foreign.Close() })
	viewer, own := port(t, w.ViewerURL), port(t, foreign.URL)
	var bases []string
	for _, p := range listening(t) {
		if p == viewer || p == own || p == port(t, w.TimelineURL) {
			continue // public by design; its own; held by its own tests
		}
		bases = append(bases, fmt.Sprintf(`"http://127.0.0.1:%d"`, p), fmt.Sprintf(`"http://evil.example:%d"`, p))
	}
	name := w.Stack.Function.FunctionName
	if name == "" {
		name = "function"
	}
	paths := `["/", "/2015-03-31/functions/` + name + `/invocations", "/2018-06-01/runtime/invocation/next", "/private/a.txt", "/live/health", "/v1/chat/completions"]`
	before := invocations(w)
	for _, origin := range []string{foreign.URL, fmt.Sprintf("http://evil.example:%d", own)} {
		chromiumtest.Do(t, ctx, chromedp.Navigate(origin))
		var seen []string
		if seen = awaited(t, ctx, "attack(["+strings.Join(bases, ",")+"], "+paths+")"); len(seen) > 0 {
			t.Errorf("a page of %s has seen %q", origin, seen)
		}
	}
	if n := invocations(w); n != before+countGateway(w) {
		t.Errorf("%d invocations, %d before", n, before)
	}
	if n := len(s.Model.Requests()); n > 0 {
		t.Errorf("the model was asked %d times", n)
	}
	events, _ := w.Recorder.Since(0)
	for _, e := range events {
		preflight := func(o timeline.Event) bool { return o.Request == e.Request && o.Method == http.MethodOptions } // the plan's own answer
		if e.Kind == timeline.RequestEnd && e.Hop == timeline.APIGateway && e.Status < 400 && directly(events, e.Request) && !slices.ContainsFunc(events, preflight) {
			t.Errorf("the gateway answered %+v", e)
		}
	}
	testkit.Wait(t, 20*time.Second, "the app to answer a viewer", func() (string, bool) {
		res, body := get(t, visitor(t), w.ViewerURL+"/health")
		return body, res.StatusCode == http.StatusOK
	})
}

// directly reports whether a request came to the gateway round the distribution.
func directly(events []timeline.Event, request string) bool {
	return !slices.ContainsFunc(events, func(e timeline.Event) bool { return e.Hop == timeline.CloudFront && e.Request == request })
}

// awaited is what a promise in the page becomes.
func awaited(t *testing.T, ctx context.Context, expression string) []string {
	t.Helper()
	chromiumtest.Do(t, ctx, chromedp.Evaluate[chromedp.Void](`window.result = undefined; `+expression+`.then((r) => { window.result = r; }); undefined`),
		chromedp.Poll[chromedp.Void](`window.result !== undefined`, chromedp.WithPollingTimeout(40*time.Second)))
	return chromiumtest.Evaluate[[]string](t, ctx, `window.result`)
}

// TestNamesOfTheSite: under a name of another site nobody reads the app of a loopback address; the plan's own names are the site's.
func TestNamesOfTheSite(t *testing.T) {
	cfg := demoConfig(t)
	w := start(t, cfg)
	p := port(t, w.ViewerURL)
	for host, want := range map[string]int{"127.0.0.1": 200, "localhost": 200, "LOCALHOST.": 200, "x.localhost": 200, "d111111abcdef8.cloudfront.net": 200,
		"evil.example": 403, "localhost.evil.example": 403, "127.0.0.1.evil.example": 403, "": 403, "a@127.0.0.1": 403} {
		answer := exchange(p, "GET / HTTP/1.1\r\nConnection: close\r\nHost: "+host+"\r\n\r\n")
		if !strings.HasPrefix(answer, fmt.Sprintf("HTTP/1.1 %d ", want)) && !(want == 403 && strings.HasPrefix(answer, "HTTP/1.1 400 ")) {
			t.Errorf("Host %q: %.60q, want %d", host, answer, want)
		}
	}
}
