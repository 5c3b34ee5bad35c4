package relay

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aproorg/sluice/internal/bootstrap/httphead"
	"github.com/aproorg/sluice/internal/bootstrap/runtimeapi"
	"github.com/aproorg/sluice/internal/bootstrap/runtimeapi/runtimetest"
	"github.com/aproorg/sluice/internal/bootstrap/supervise"
	"github.com/aproorg/sluice/internal/testkit"
)

// startRelay serves one invocation after the other from a stub; the app is whatever listens at address, which was probed through ready.
func startRelay(t *testing.T, address string, change func(*Config)) *runtimetest.Server {
	t.Helper()
	stub, err := runtimetest.Start()
	if err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.NewTextHandler(t.Output(), nil))
	app := supervise.New(supervise.Config{
		Command: []string{"sleep", "600"}, Stdout: io.Discard, Stderr: io.Discard, Address: address, ReadyPath: "/",
		Attempts: 100, Interval: 20 * time.Millisecond, StopGrace: time.Second, Logger: log,
	})
	cfg := Config{API: runtimeapi.New(stub.Addr()), App: app, EventsPath: "/events", DeadlineMargin: time.Second, Logger: log}
	if change != nil {
		change(&cfg)
	}
	relay := New(cfg)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{}, 2)
	go func() { _ = app.Run(ctx); done <- struct{}{} }()
	go func() {
		defer func() { done <- struct{}{} }()
		for {
			inv, err := cfg.API.Next(ctx)
			if err != nil {
				return
			}
			if err := relay.Serve(ctx, inv); err != nil && ctx.Err() == nil {
				t.Error(err)
			}
		}
	}()
	t.Cleanup(func() { cancel(); stub.Close(); <-done; <-done })
	return stub
}

func ask(t *testing.T, stub *runtimetest.Server, method, path string, body []byte) (*runtimetest.Head, []byte) {
	t.Helper()
	event, err := json.Marshal(map[string]any{"httpMethod": method, "path": path, "multiValueHeaders": map[string][]string{"Host": {"h"}},
		"body": base64.StdEncoding.EncodeToString(body), "isBase64Encoded": true})
	if err != nil {
		t.Fatal(err)
	}
	inv := stub.Invoke(event, 20*time.Second)
	ctx, cancel := context.WithTimeout(t.Context(), 15*time.Second)
	defer cancel()
	if err := inv.Answered(ctx); err != nil {
		t.Fatal(err)
	}
	if inv.Failure != nil {
		t.Fatalf("%+v", inv.Failure)
	}
	head, err := runtimetest.ReadHead(inv.Body)
	if err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(inv.Body)
	if err != nil {
		t.Fatal(err)
	}
	return head, got
}

// rawApp answers the probe, and hands every other connection with its request read to serve.
func rawApp(t *testing.T, serve func(net.Conn, *http.Request)) string {
	t.Helper()
	return testkit.Accept(t, func(conn net.Conn) {
		req, err := http.ReadRequest(bufio.NewReader(conn))
		switch {
		case err != nil:
		case req.URL.Path == "/":
			fmt.Fprint(conn, "HTTP/1.1 204 No Content\r\n\r\n")
		default:
			serve(conn, req)
		}
	}).String()
}

func TestRequestIsNeverSentTwice(t *testing.T) {
	var seen atomic.Int32
	address := rawApp(t, func(net.Conn, *http.Request) { seen.Add(1) }) // reads and closes
	stub := startRelay(t, address, nil)
	for i, method := range []string{"POST", "GET"} {
		if head, _ := ask(t, stub, method, "/x", []byte("pay")); head.StatusCode != http.StatusBadGateway {
			t.Errorf("%s: status %d, want 502", method, head.StatusCode)
		}
		if n := seen.Load(); n != int32(i+1) {
			t.Errorf("the app saw %d requests, want %d", n, i+1)
		}
	}
}

func TestConnectionThatCannotBeMadeIsTriedAgain(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.Copy(w, r.Body) }))
	address := server.Listener.Addr().String()
	stub := startRelay(t, address, nil)
	ask(t, stub, "GET", "/", nil)
	server.Close()
	again := make(chan *httptest.Server, 1)
	time.AfterFunc(200*time.Millisecond, func() {
		l, err := net.Listen("tcp", address)
		if err != nil {
			t.Error(err)
			again <- nil
			return
		}
		s := &httptest.Server{Listener: l, Config: &http.Server{Handler: server.Config.Handler}}
		s.Start()
		again <- s
	})
	if head, body := ask(t, stub, "POST", "/", []byte("once")); head.StatusCode != 200 || string(body) != "once" {
		t.Errorf("status %d, body %q", head.StatusCode, body)
	}
	if s := <-again; s != nil {
		s.Close()
	}
}

func TestAnswersOfEveryForm(t *testing.T) {
	address := rawApp(t, func(conn net.Conn, req *http.Request) {
		fmt.Fprint(conn, map[string]string{
			"/hints":     "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
			"/old":       "HTTP/1.0 200 OK\r\n\r\nok",
			"/trailers":  "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X\r\n\r\n2\r\nok\r\n0\r\nX: 1\r\n\r\n",
			"/switch":    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n",
			"/garbage":   "what is it\r\n\r\n",
			"/duplicate": "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nok",
			"/nul":       "HTTP/1.1 200 OK\r\nX: a\x00\xffb\r\n\r\n",
			"/eight":     strings.Repeat("HTTP/1.1 103 Early Hints\r\n\r\n", 8) + "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
			"/many":      strings.Repeat("HTTP/1.1 103 Early Hints\r\n\r\n", 9) + "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
			"/large":     "HTTP/1.1 200 OK\r\nX: " + strings.Repeat("x", httphead.Max) + "\r\n\r\n",
			"/early":     "HTTP/1.1 413 Content Too Large\r\nContent-Length: 2\r\n\r\nok",
		}[req.URL.Path])
	})
	stub := startRelay(t, address, nil)
	for path, want := range map[string]int{"/hints": 200, "/old": 200, "/trailers": 200, "/switch": 502, "/garbage": 502, "/eight": 200} {
		head, body := ask(t, stub, "GET", path, nil)
		if head.StatusCode != want || want == 200 && string(body) != "ok" {
			t.Errorf("%s: status %d, body %q; want %d", path, head.StatusCode, body, want)
		}
	}
	// An app that lives and answers what cannot be passed on is not waited for, and its client is told what was wrong.
	for path, want := range map[string]string{"/switch": "(101)", "/garbage": "malformed HTTP", "/duplicate": "multiple Content-Length",
		"/nul": "malformed MIME header", "/many": "more than 8 informational", "/large": "passes 65536 bytes"} {
		var head *runtimetest.Head
		var body []byte
		took := time.Hour
		for range 3 { // on a machine under load, one is quick
			begun := time.Now()
			head, body = ask(t, stub, "GET", path, nil)
			took = min(took, time.Since(begun))
		}
		var doc struct{ Message string }
		if err := json.Unmarshal(body, &doc); err != nil || head.StatusCode != 502 || !strings.Contains(doc.Message, want) {
			t.Errorf("%s: status %d, body %q, %v; want %s", path, head.StatusCode, body, err, want)
		}
		if took >= endPause {
			t.Errorf("%s: took %v", path, took)
		}
	}
	// An app that does not read an upload to its end still gets its answer through.
	if head, _ := ask(t, stub, "POST", "/early", make([]byte, 1<<20)); head.StatusCode != 413 && head.StatusCode != 502 {
		t.Errorf("early answer: status %d", head.StatusCode)
	}
}

// TestEchoLargerThanBuffers: an app that answers while it reads does not block the request.
func TestEchoLargerThanBuffers(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_ = http.NewResponseController(w).EnableFullDuplex()
		_, _ = io.Copy(w, r.Body)
	}))
	defer server.Close()
	stub := startRelay(t, server.Listener.Addr().String(), nil)
	body := bytes.Repeat([]byte("0123456789abcdef"), 256<<10)
	if head, got := ask(t, stub, "POST", "/", body); head.StatusCode != 200 || !bytes.Equal(got, body) {
		t.Errorf("status %d, %d bytes of %d", head.StatusCode, len(got), len(body))
	}
}

func TestBufferedMode(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/big" {
			_, _ = w.Write(make([]byte, maxBuffered+1))
			return
		}
		_, _ = io.WriteString(w, "héllo")
	}))
	defer server.Close()
	stub := startRelay(t, server.Listener.Addr().String(), func(c *Config) { c.Buffered = true })
	for path, want := range map[string]string{"/": `{"statusCode":200`, "/big": `{"statusCode":502`} {
		inv := stub.Invoke([]byte(`{"httpMethod":"GET","path":"`+path+`"}`), time.Minute)
		if err := inv.Answered(t.Context()); err != nil {
			t.Fatal(err)
		}
		doc, _ := io.ReadAll(inv.Body)
		if !json.Valid(doc) || !strings.HasPrefix(string(doc), want) || path == "/" && !strings.Contains(string(doc), `"body":"héllo"`) {
			t.Errorf("%s: %.200s", path, doc)
		}
	}
}

// TestRefusedError: an error that the Runtime API does not take (4xx) is no reason to end the runtime; its own failure (5xx) is.
func TestRefusedError(t *testing.T) {
	for status, fatal := range map[int]bool{400: false, 403: false, 413: false, 500: true} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "no", status) }))
		app := supervise.New(supervise.Config{
			Command: []string{"/no/such/program"}, Stdout: io.Discard, Stderr: io.Discard, Address: "127.0.0.1:1", Logger: slog.New(slog.DiscardHandler),
		})
		_ = app.Run(t.Context())
		relay := New(Config{API: runtimeapi.New(strings.TrimPrefix(server.URL, "http://")), App: app, EventsPath: "/events", Logger: slog.New(slog.DiscardHandler)})
		for name, event := range map[string]string{"an app that has not started": `{"httpMethod":"GET","path":"/"}`, "a bad event": `{`, "another event": `{}`} {
			err := relay.Serve(t.Context(), &runtimeapi.Invocation{ID: "1", Deadline: time.Now().Add(time.Minute), Payload: []byte(event)})
			if (err != nil) != fatal {
				t.Errorf("%s, %d: %v", name, status, err)
			}
		}
		server.Close()
	}
}
