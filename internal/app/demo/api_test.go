package demo_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/aproorg/sluice/internal/app/demo"
	"github.com/aproorg/sluice/internal/testkit"
)

// visitor talks to one or several processes of the app, as a browser behind a distribution would.
type visitor struct {
	t    *testing.T
	http *http.Client
}

func newVisitor(t *testing.T) visitor {
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return visitor{t, &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
}

func (v visitor) do(method, url, body string) *http.Response {
	v.t.Helper()
	req, err := http.NewRequestWithContext(v.t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		v.t.Fatal(err)
	}
	res, err := v.http.Do(req)
	if err != nil {
		v.t.Fatalf("%s %s: %v", method, url, err)
	}
	v.t.Cleanup(func() { res.Body.Close() })
	return res
}

func (v visitor) json(method, url, body string) (out map[string]any) {
	v.t.Helper()
	res := v.do(method, url, body)
	if err := json.NewDecoder(res.Body).Decode(&out); err != nil {
		v.t.Fatalf("%s %s: %d: %v", method, url, res.StatusCode, err)
	}
	return out
}

// sse reads events until the stream ends, or until stop says so.
func sse(t *testing.T, r io.Reader, stop func(name string, data map[string]any) bool) (text string, last string) {
	t.Helper()
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		field, value, _ := strings.Cut(lines.Text(), ": ")
		switch field {
		case "event":
			last = value
		case "data":
			var data map[string]any
			if err := json.Unmarshal([]byte(value), &data); err != nil {
				t.Fatalf("data %q: %v", value, err)
			}
			if s, ok := data["t"].(string); ok {
				text += s
			}
			if stop != nil && stop(last, data) {
				return text, last
			}
		}
	}
	return text, last
}

func process(t *testing.T, cfg demo.Config) *httptest.Server {
	t.Helper()
	app, err := demo.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(app)
	t.Cleanup(func() { server.CloseClientConnections(); server.Close(); app.Close() })
	return server
}

func (v visitor) logIn(url string) {
	v.t.Helper()
	res := v.do("POST", url+"/api/login", `{"name":"Ada"}`)
	if n := len(res.Header.Values("Set-Cookie")); res.StatusCode != 200 || n != 3 {
		v.t.Fatalf("login answered %d with %d cookies", res.StatusCode, n)
	}
}

func TestChatInOneRequest(t *testing.T) {
	app, v := process(t, demo.Config{TitleWork: 250 * time.Millisecond}), newVisitor(t)
	if res := v.do("POST", app.URL+"/api/chat", `{"chat":"c1","text":"hello"}`); res.StatusCode != 401 {
		t.Fatalf("a stranger's question got %d", res.StatusCode)
	}
	v.logIn(app.URL)
	ask := `{"chat":"c1","text":"what about streaming?","paceMs":1}`
	text, last := sse(t, v.do("POST", app.URL+"/api/chat", ask).Body, nil)
	if last != "done" || len(text) < 200 {
		t.Fatalf("the answer ended with %q after %d bytes", last, len(text))
	}
	if busy := v.do("GET", app.URL+"/busy", ""); busy.StatusCode != 503 {
		t.Errorf("right after the answer the app's busy path gives %d", busy.StatusCode)
	}
	again, _ := sse(t, v.do("POST", app.URL+"/api/chat", ask).Body, nil)
	if again != text {
		t.Error("the same question got another answer")
	}
	testkit.Wait(t, 5*time.Second, "the title", func() (string, bool) {
		title, _ := v.json("GET", app.URL+"/api/chats/c1", "")["title"].(map[string]any)
		return fmt.Sprint(title), title["text"] == "What about streaming" && title["frozenMs"] == nil
	})
	testkit.Wait(t, 5*time.Second, "rest", func() (string, bool) {
		status := v.do("GET", app.URL+"/busy", "").Status
		return status, status == "200 OK"
	})
	stranger := newVisitor(t)
	stranger.do("POST", app.URL+"/api/login", `{"name":"Eve"}`)
	if res := stranger.do("GET", app.URL+"/api/chats/c1", ""); res.StatusCode != 404 {
		t.Errorf("a stranger reads the chat: %d", res.StatusCode)
	}
	if res := stranger.do("POST", app.URL+"/api/chat", ask); res.StatusCode != 404 {
		t.Errorf("a stranger writes to the chat: %d", res.StatusCode)
	}
}

func TestStartedStreamIsReadResumedAndStoppedThroughOtherProcesses(t *testing.T) {
	dir := t.TempDir()
	var apps []string
	for i := range 3 {
		apps = append(apps, process(t, demo.Config{StateDir: dir, Environment: fmt.Sprint("env-", i), TitleWork: 50 * time.Millisecond}).URL)
	}
	v := newVisitor(t)
	v.logIn(apps[0])
	start := v.json("POST", apps[0]+"/api/chat/start", `{"chat":"c2","text":"cold start?","paceMs":5}`)
	stream := fmt.Sprint("/api/chat/stream/", start["streamId"])
	pieces := 0
	first, _ := sse(t, v.do("GET", apps[1]+stream, "").Body, func(string, map[string]any) bool { pieces++; return pieces == 20 })
	rest, last := sse(t, v.do("GET", apps[2]+stream+"?after=19", "").Body, nil)
	if last != "done" {
		t.Fatalf("the resumed stream ended with %q", last)
	}
	whole, _ := sse(t, v.do("GET", apps[1]+stream, "").Body, nil)
	if diff := cmp.Diff(whole, first+rest); diff != "" {
		t.Errorf("reading in two parts lost something (-whole +parts):\n%s", diff)
	}
	testkit.Wait(t, 5*time.Second, "the title, seen by another process", func() (string, bool) {
		chat := v.json("GET", apps[2]+"/api/chats/c2", "")
		return fmt.Sprint(chat), chat["title"] != nil
	})

	start = v.json("POST", apps[1]+"/api/chat/start", `{"chat":"c2","text":"more","paceMs":200}`)
	v.do("POST", apps[0]+"/api/chat/stop/"+fmt.Sprint(start["streamId"]), "")
	stopped := false
	sse(t, v.do("GET", apps[2]+"/api/chat/stream/"+fmt.Sprint(start["streamId"]), "").Body,
		func(_ string, data map[string]any) bool { stopped = data["stopped"] == true; return false })
	if !stopped {
		t.Error("the stop asked of another process had no effect")
	}
	if res := newVisitor(t).do("GET", apps[0]+stream, ""); res.StatusCode != 401 {
		t.Errorf("a stranger reads the stream: %d", res.StatusCode)
	}
}

func TestBadInputIsNamed(t *testing.T) {
	app, v := process(t, demo.Config{}), newVisitor(t)
	v.logIn(app.URL)
	for _, c := range []struct{ method, path, body, want string }{
		{"POST", "/api/login", `{"name":" "}`, "name must"},
		{"POST", "/api/login", `{`, "not the JSON"},
		{"POST", "/api/chat", `{"chat":"../x","text":"a"}`, `chat "../x"`},
		{"POST", "/api/chat", `{"chat":"x","text":""}`, "text has 0 bytes"},
		{"POST", "/api/chat", `{"chat":"x","text":"a","paceMs":-1}`, "paceMs -1"},
		{"POST", "/api/chat/start", `{"chat":"x","text":"a","silenceS":901}`, "silenceS 901"},
		{"GET", "/api/chat/stream/..%2f..%2fetc", "", "there is no stream"},
		{"GET", "/api/download?bytes=-1", "", `bytes="-1"`},
		{"GET", "/api/probe/sse?interval=x", "", `interval="x"`},
		{"GET", "/api/probe/error/200", "", "not from 400 to 599"},
		{"GET", "/api/work?ms=x", "", `ms="x"`},
		{"GET", "/api/none", "", "there is no GET /api/none"},
	} {
		got := v.json(c.method, app.URL+c.path, c.body)
		if s, _ := got["error"].(string); !strings.Contains(s, c.want) {
			t.Errorf("%s %s %s answered %v, want %q in it", c.method, c.path, c.body, got, c.want)
		}
	}
}

func TestProbeRoutesAnswerAsTheySay(t *testing.T) {
	app, v := process(t, demo.Config{}), newVisitor(t)
	for path, status := range map[string]int{"/health": 200, "/api/probe/empty": 204, "/api/probe/redirect": 302, "/api/probe/error/404": 404, "/api/probe/error/503": 503} {
		if res := v.do("GET", app.URL+path, ""); res.StatusCode != status {
			t.Errorf("%s answered %d, want %d", path, res.StatusCode, status)
		}
	}
	req, _ := http.NewRequest("GET", app.URL+"/api/probe/etag", nil)
	req.Header.Set("If-None-Match", `"demo-1"`)
	if res, err := v.http.Do(req); err != nil || res.StatusCode != 304 {
		t.Errorf("etag: %v %v", res, err)
	}
	res := v.do("GET", app.URL+"/api/download?bytes=100001", "")
	h := sha256.New()
	n, err := io.Copy(h, res.Body)
	want := "sha-256=:" + base64.StdEncoding.EncodeToString(h.Sum(nil)) + ":"
	if err != nil || n != 100001 || res.Header.Get("Repr-Digest") != want {
		t.Errorf("download: %d bytes, %v, digest %s, want %s", n, err, res.Header.Get("Repr-Digest"), want)
	}
	echo := v.json("POST", app.URL+"/api/probe/echo?a=1&a=%2F", "four")
	if echo["bytes"] != 4.0 || echo["uri"] != "/api/probe/echo?a=1&a=%2F" {
		t.Errorf("echo: %v", echo)
	}
}

func TestRunEndsStreamsWithinTheGrace(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	addr, ended := make(chan string, 1), make(chan error, 1)
	go func() {
		ended <- demo.Run(ctx, demo.Config{Grace: 100 * time.Millisecond, Listening: func(a string) { addr <- a }})
	}()
	url, v := "http://"+<-addr, newVisitor(t)
	v.logIn(url)
	res := v.do("POST", url+"/api/chat", `{"chat":"c","text":"x","paceMs":300}`)
	stopped := time.Time{}
	_, last := sse(t, res.Body, func(name string, _ map[string]any) bool {
		if name == "piece" && stopped.IsZero() {
			stopped = time.Now()
			stop()
		}
		return false
	})
	if err := <-ended; err != nil || last != "error" {
		t.Errorf("Run returned %v, and the stream ended with %q", err, last)
	}
	if took := time.Since(stopped); took > time.Second {
		t.Errorf("it took %s to stop", took)
	}
}

func TestCrashIsHandedToTheOwner(t *testing.T) {
	crashed := make(chan bool, 1)
	app := process(t, demo.Config{Crash: func() { crashed <- true }})
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	req, _ := http.NewRequestWithContext(ctx, "POST", app.URL+"/api/crash", bytes.NewReader(nil))
	go http.DefaultClient.Do(req)
	select {
	case <-crashed:
	case <-ctx.Done():
		t.Fatal("nothing crashed")
	}
}

func TestConfigFrom(t *testing.T) {
	env := map[string]string{"PORT": "3080", "DEMO_STATE_DIR": "/tmp/x", "AWS_LAMBDA_LOG_STREAM_NAME": "a/b", "DEMO_TITLE_WORK": "2s"}
	got, err := demo.ConfigFrom(func(k string) string { return env[k] })
	want := demo.Config{Port: 3080, StateDir: "/tmp/x", Environment: "a/b", TitleWork: 2 * time.Second}
	if err != nil || got.Port != want.Port || got.StateDir != want.StateDir || got.Environment != want.Environment || got.TitleWork != want.TitleWork {
		t.Errorf("got %+v, %v", got, err)
	}
	for k, v := range map[string]string{"PORT": "x", "DEMO_TITLE_WORK": "-1s"} {
		if _, err := demo.ConfigFrom(func(name string) string { return map[string]string{k: v}[name] }); err == nil || !strings.Contains(err.Error(), k) {
			t.Errorf("%s=%s gives %v", k, v, err)
		}
	}
}
