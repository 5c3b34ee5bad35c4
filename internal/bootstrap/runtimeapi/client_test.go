package runtimeapi

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-lambda-go/lambda"

	"github.com/aproorg/sluice/internal/bootstrap/runtimeapi/runtimetest"
	"github.com/aproorg/sluice/internal/testkit"
)

func TestMain(m *testing.M) {
	if os.Getenv("SLUICE_TEST_LAMBDA_GO") != "" {
		lambda.Start(func(_ context.Context, e events.APIGatewayProxyRequest) (*events.APIGatewayProxyStreamingResponse, error) {
			if e.Path == "/fail" {
				return nil, errors.New("no such thing")
			}
			return &events.APIGatewayProxyStreamingResponse{StatusCode: 200, Headers: map[string]string{"A": "1"}, Body: strings.NewReader("path " + e.Path)}, nil
		})
	}
	os.Exit(m.Run())
}

func startStub(t *testing.T) *runtimetest.Server {
	t.Helper()
	s, err := runtimetest.Start()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	t.Cleanup(func() {
		for _, problem := range s.Problems() {
			t.Error(problem)
		}
	})
	return s
}

func answered(t *testing.T, inv *runtimetest.Invocation) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if err := inv.Answered(ctx); err != nil {
		t.Fatal(err)
	}
}

// TestEventWithoutEnd: an event that passes the limit fails alone, whether its length is known or not, and the rest of it is not read.
func TestEventWithoutEnd(t *testing.T) {
	for name, length := range map[string]string{"chunked": "", "announced": "1099511627776"} {
		failed := make(chan string, 1)
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodPost {
				failed <- r.URL.Path
				w.WriteHeader(http.StatusAccepted)
				return
			}
			w.Header().Set("Lambda-Runtime-Deadline-Ms", "1")
			w.Header().Set("Lambda-Runtime-Aws-Request-Id", "large")
			if length != "" {
				w.Header().Set("Content-Length", length)
			}
			for piece := make([]byte, 64<<10); ; {
				if _, err := w.Write(piece); err != nil {
					return
				}
			}
		}))
		client := New(server.Listener.Addr().String())
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		for range 2 {
			inv, err := client.Next(ctx)
			if err != nil || inv.TooLarge == nil || inv.Payload != nil || inv.ID != "large" {
				t.Fatalf("%s: %+v, %v", name, inv, err)
			}
			if err := client.Fail(ctx, inv.ID, Failure{Type: "A.B"}); err != nil || <-failed != "/2018-06-01/runtime/invocation/large/error" {
				t.Errorf("%s: %v", name, err)
			}
		}
		cancel()
		server.Close()
	}
}

func TestNextAndStream(t *testing.T) {
	stub := startStub(t)
	client := New(stub.Addr())
	sent := stub.Invoke([]byte(`{"a":1}`), time.Minute)
	got, err := client.Next(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if got.ID != sent.ID || string(got.Payload) != `{"a":1}` || time.Until(got.Deadline) > time.Minute || time.Until(got.Deadline) < 55*time.Second {
		t.Errorf("invocation %+v", got)
	}

	body, feed := io.Pipe()
	result := make(chan error)
	go func() { result <- client.Stream(t.Context(), got.ID, "x/y", body) }()
	for _, piece := range []string{"one", "two"} { // each is seen before the next is written
		_, _ = io.WriteString(feed, piece)
		answered(t, sent)
		buf := make([]byte, 16)
		if n, err := sent.Body.Read(buf); err != nil || string(buf[:n]) != piece {
			t.Errorf("read %q, %v; want %q", buf[:n], err, piece)
		}
	}
	feed.CloseWithError(&Failure{Type: "Test.Broke", Message: "in the middle"})
	if _, err := io.ReadAll(sent.Body); err != nil {
		t.Error(err)
	}
	if err := <-result; err != nil {
		t.Error(err)
	}
	if mode := sent.Header.Get("Lambda-Runtime-Function-Response-Mode"); mode != "streaming" {
		t.Errorf("mode %q", mode)
	}
	if sent.Trailer.Get("Lambda-Runtime-Function-Error-Type") != "Test.Broke" || sent.Trailer.Get("Lambda-Runtime-Function-Error-Body") == "" {
		t.Errorf("trailers %v", sent.Trailer)
	}
}

func TestStatusErrors(t *testing.T) {
	status := http.StatusRequestEntityTooLarge
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "no", status) }))
	defer server.Close()
	client := New(strings.TrimPrefix(server.URL, "http://"))
	var got *StatusError
	if err := client.Respond(t.Context(), "1", "a/b", []byte("x")); !errors.As(err, &got) || got.Fatal() || got.Status != status {
		t.Errorf("error %v", err)
	}
	status = http.StatusInternalServerError
	if _, err := client.Next(t.Context()); !errors.As(err, &got) || !got.Fatal() {
		t.Errorf("error %v", err)
	}
}

// TestStubSpeaksWithLambdaGo runs AWS's own client against the stub: what the stub understands is then not ours alone.
func TestStubSpeaksWithLambdaGo(t *testing.T) {
	stub := startStub(t)
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(exe)
	cmd.Env = append(os.Environ(), "SLUICE_TEST_LAMBDA_GO=1", "AWS_LAMBDA_RUNTIME_API="+stub.Addr())
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }()

	inv := stub.Invoke([]byte(`{"httpMethod":"GET","path":"/x"}`), time.Minute)
	answered(t, inv)
	head, err := runtimetest.ReadHead(inv.Body)
	if err != nil || head.StatusCode != 200 || head.HTTPHeader().Get("A") != "1" {
		t.Errorf("head %+v, %v", head, err)
	}
	if body, err := io.ReadAll(inv.Body); err != nil || string(body) != "path /x" {
		t.Errorf("body %q, %v", body, err)
	}
	inv = stub.Invoke([]byte(`{"path":"/fail"}`), time.Minute)
	answered(t, inv)
	if inv.Failure == nil || inv.Failure.Message != "no such thing" {
		t.Errorf("failure %+v", inv.Failure)
	}
}

// TestBounds: a peer that never ends what it says is given up, for every read has a limit.
func TestBounds(t *testing.T) {
	for name, head := range map[string]string{
		"a head without end": "HTTP/1.1 200 OK\r\n",
		"a line without end": "HTTP/1.1 200 OK\r\nX: ",
		"a large event":      "HTTP/1.1 200 OK\r\nLambda-Runtime-Deadline-Ms: 1\r\nContent-Length: 16777217\r\n\r\n",
		"an endless event":   "HTTP/1.1 200 OK\r\nLambda-Runtime-Deadline-Ms: 1\r\n\r\n",
		"an endless answer":  "HTTP/1.1 202 Accepted\r\n\r\n",
	} {
		piece := "A: b\r\n"
		if name == "a line without end" {
			piece = "x"
		}
		client := New(endlessPeer(t, head, strings.Repeat(piece, 10_000)))
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		calls := map[string]func() error{
			"next":    func() error { _, err := client.Next(ctx); return err },
			"respond": func() error { return client.Respond(ctx, "1", "a/b", nil) },
			"stream":  func() error { return client.Stream(ctx, "1", "a/b", strings.NewReader("x")) },
			"fail":    func() error { return client.Fail(ctx, "1", Failure{}) },
			"register": func() error {
				_, err := client.RegisterExtension(ctx, "x")
				return err
			},
		}
		for call, do := range calls {
			if err := do(); err == nil || ctx.Err() != nil {
				t.Errorf("%s, %s: %v", name, call, err)
			}
		}
	}
}

// endlessPeer answers every request with head, and with piece for ever.
func endlessPeer(t *testing.T, head, piece string) string {
	t.Helper()
	return testkit.Accept(t, func(conn net.Conn) {
		req, err := http.ReadRequest(bufio.NewReader(conn))
		if err != nil {
			return
		}
		_, _ = io.Copy(io.Discard, req.Body)
		_, err = io.WriteString(conn, head)
		for err == nil {
			_, err = io.WriteString(conn, piece)
		}
	}).String()
}
