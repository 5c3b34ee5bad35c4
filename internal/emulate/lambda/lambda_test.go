package lambda_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awslambda "github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"

	"github.com/aproorg/sluice/internal/emulate/lambda"
	"github.com/aproorg/sluice/internal/stack"
	"github.com/aproorg/sluice/internal/testkit"
	"github.com/aproorg/sluice/internal/timeline"
)

// world is an emulator behind a server, with what it has told the timeline.
type world struct {
	t      testing.TB
	em     *lambda.Emulator
	server *httptest.Server
	client *awslambda.Client

	mu     sync.Mutex
	events []timeline.Event
}

func (w *world) record(e timeline.Event) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.events = append(w.events, e)
}

func (w *world) all() []timeline.Event {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.events)
}

func (w *world) logs() []string {
	var lines []string
	for _, e := range w.all() {
		if e.Kind == timeline.Log {
			lines = append(lines, e.Note)
		}
	}
	return lines
}

// states lists the states of an environment in order.
func (w *world) states(env string) []timeline.State {
	var states []timeline.State
	for _, e := range w.all() {
		if e.Kind == timeline.EnvironmentState && e.Environment == env {
			states = append(states, e.State)
		}
	}
	return states
}

// eventually waits until ok, for at most 20 seconds, which machines at work may need.
func (w *world) eventually(what string, ok func() bool) {
	w.t.Helper()
	testkit.Wait(w.t, 20*time.Second, what, func() (string, bool) { return fmt.Sprintf("environments %+v", w.em.Environments()), ok() })
}

func (w *world) frozen() {
	w.t.Helper()
	w.eventually("every environment is frozen", func() bool {
		for _, e := range w.em.Environments() {
			if e.State != timeline.Frozen {
				return false
			}
		}
		return true
	})
}

func (w *world) logged(part string) {
	w.t.Helper()
	w.eventually("the log has "+part, func() bool {
		return slices.ContainsFunc(w.logs(), func(l string) bool { return strings.Contains(l, part) })
	})
}

// start runs the test binary as the function; change adapts the configuration.
func start(t testing.TB, change func(*lambda.Config)) *world {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t}
	cfg := lambda.Config{
		Function: stack.Function{FunctionName: "chat", MemorySize: 512, Timeout: 10 * time.Second},
		Process:  lambda.Process{Command: []string{self}, Env: []string{"TEST_RUNTIME=1", "PATH=" + os.Getenv("PATH")}},
		Record:   w.record,
	}
	if change != nil {
		change(&cfg)
	}
	if w.em, err = lambda.New(cfg); err != nil {
		t.Fatal(err)
	}
	w.server = httptest.NewServer(w.em)
	t.Cleanup(func() {
		w.server.Close()
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := w.em.Close(ctx); err != nil {
			t.Error(err)
		}
		if t.Failed() {
			logs := w.logs()
			for _, l := range logs[max(0, len(logs)-40):] {
				t.Log(l)
			}
		}
	})
	w.client = awslambda.New(awslambda.Options{
		Region: "eu-west-1", BaseEndpoint: aws.String(w.server.URL),
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "a", SecretAccessKey: "b"}, nil
		}),
		RetryMaxAttempts: 1, HTTPClient: testkit.OwnBodies{},
	})
	return w
}

func payload(e event) []byte {
	b, _ := json.Marshal(e)
	return b
}

// invoke is the buffered operation. The second result is the error document.
func (w *world) invoke(e event) (answer, failure string) {
	w.t.Helper()
	out, err := w.client.Invoke(w.t.Context(), &awslambda.InvokeInput{FunctionName: aws.String("chat"), Payload: payload(e)})
	if err != nil {
		w.t.Error(err)
		return "", err.Error()
	}
	if out.FunctionError != nil {
		return "", string(out.Payload)
	}
	return string(out.Payload), ""
}

// chunk is a part of a streamed answer and when it came.
type chunk struct {
	text string
	at   time.Time
}

func (w *world) stream(e event) ([]chunk, *types.InvokeWithResponseStreamCompleteEvent) {
	w.t.Helper()
	out, err := w.client.InvokeWithResponseStream(w.t.Context(), &awslambda.InvokeWithResponseStreamInput{FunctionName: aws.String("chat"), Payload: payload(e)})
	if err != nil {
		w.t.Fatal(err)
	}
	stream := out.GetStream()
	defer stream.Close()
	var chunks []chunk
	for event := range stream.Events() {
		switch event := event.(type) {
		case *types.InvokeWithResponseStreamResponseEventMemberPayloadChunk:
			chunks = append(chunks, chunk{string(event.Value.Payload), time.Now()})
		case *types.InvokeWithResponseStreamResponseEventMemberInvokeComplete:
			return chunks, &event.Value
		}
	}
	w.t.Fatal("the stream ended without InvokeComplete:", stream.Err())
	return nil, nil
}

func TestInvoke(t *testing.T) {
	w := start(t, nil)
	if got, _ := w.invoke(event{Do: "echo", Text: "hello"}); got != `{"do":"echo","text":"hello"}` {
		t.Errorf("got %s", got)
	}
	w.frozen()
	got, _ := w.invoke(event{Do: "headers"})
	var h http.Header
	if err := json.Unmarshal([]byte(got), &h); err != nil {
		t.Fatal(err)
	}
	if arn := h.Get("Lambda-Runtime-Invoked-Function-Arn"); arn != "arn:aws:lambda:eu-west-1:123456789012:function:chat" {
		t.Errorf("ARN %q", arn)
	}
	if !strings.HasPrefix(h.Get("Lambda-Runtime-Trace-Id"), "Root=1-") || h.Get("Lambda-Runtime-Deadline-Ms") == "" {
		t.Errorf("headers %v", h)
	}
	w.frozen()
	want := []timeline.State{timeline.Init, timeline.Busy, timeline.Draining, timeline.Frozen, timeline.Busy, timeline.Draining, timeline.Frozen}
	if got := w.states("env-1"); !slices.Equal(got, want) {
		t.Errorf("states %v, want %v", got, want)
	}
	w.logged("runtime starts")
	w.logged("status 202")
	w.logged("Init Duration: ")
}

func TestStream(t *testing.T) {
	w := start(t, nil)
	w.invoke(event{}) // warm
	chunks, end := w.stream(event{Do: "stream", N: 5, Millis: 100, Text: "word"})
	if end.ErrorCode != nil {
		t.Errorf("error %s", *end.ErrorCode)
	}
	if len(chunks) != 5 {
		t.Fatalf("%d chunks: %v", len(chunks), chunks)
	}
	for i, c := range chunks {
		if c.text != fmt.Sprintf("%d word", i) {
			t.Errorf("chunk %d is %q", i, c.text)
		}
		if i > 0 {
			if gap := c.at.Sub(chunks[i-1].at); gap < 50*time.Millisecond || gap > 200*time.Millisecond {
				t.Errorf("chunk %d came %s after the one before", i, gap)
			}
		}
	}
}

func TestStreamErrors(t *testing.T) {
	w := start(t, nil)
	for _, c := range []struct {
		do         string
		chunks     int
		code, part string
	}{
		{"stream-error", 2, "Function.Broken", "in the middle"},
		{"error", 0, "Function.Bad", `"errorMessage":"no"`},
		{"stream-exit", 2, "Runtime.ExitError", "exit status 3"},
		{"mode", 0, "Runtime.InvalidResponseModeHeader", ""},
		{"stream", 2, "", ""},
	} {
		chunks, end := w.stream(event{Do: c.do, N: 2, Millis: 20})
		if len(chunks) != c.chunks || aws.ToString(end.ErrorCode) != c.code || !strings.Contains(aws.ToString(end.ErrorDetails), c.part) {
			t.Errorf("%s: %d chunks, %s, %s", c.do, len(chunks), aws.ToString(end.ErrorCode), aws.ToString(end.ErrorDetails))
		}
	}
}

func TestRefusals(t *testing.T) {
	w := start(t, nil)
	var notFound *types.ResourceNotFoundException
	_, err := w.client.Invoke(t.Context(), &awslambda.InvokeInput{FunctionName: aws.String("other")})
	if !errors.As(err, &notFound) {
		t.Errorf("another function: %v", err)
	}
	var content *types.InvalidRequestContentException
	_, err = w.client.Invoke(t.Context(), &awslambda.InvokeInput{FunctionName: aws.String("chat"), Payload: []byte("{")})
	if !errors.As(err, &content) {
		t.Errorf("not JSON: %v", err)
	}
	var large *types.RequestTooLargeException
	_, err = w.client.Invoke(t.Context(), &awslambda.InvokeInput{FunctionName: aws.String("chat"), Payload: bytes.Repeat([]byte("1"), 6<<20+101)})
	if !errors.As(err, &large) {
		t.Errorf("too large: %v", err)
	}
	var value *types.InvalidParameterValueException
	_, err = w.client.Invoke(t.Context(), &awslambda.InvokeInput{FunctionName: aws.String("chat"), InvocationType: types.InvocationTypeEvent})
	if !errors.As(err, &value) {
		t.Errorf("asynchronous: %v", err)
	}
	out, err := w.client.Invoke(t.Context(), &awslambda.InvokeInput{FunctionName: aws.String("chat"), InvocationType: types.InvocationTypeDryRun})
	if err != nil || out.StatusCode != 204 {
		t.Errorf("dry run: %v %v", out, err)
	}
	resp, err := http.Get(w.server.URL + "/2015-03-31/functions")
	if err != nil || resp.StatusCode != 404 {
		t.Errorf("unknown operation: %v %v", resp, err)
	}
	resp.Body.Close()
	if n := len(w.em.Environments()); n != 0 {
		t.Errorf("%d environments were started", n)
	}
}

func TestRequestID(t *testing.T) {
	w := start(t, nil)
	req, _ := http.NewRequest("POST", w.server.URL+"/2021-11-15/functions/"+w.em.ARN()+"/response-streaming-invocations", strings.NewReader(`{}`))
	req.Header.Set(lambda.RequestHeader, "req-77")
	req.Header.Set("X-Amzn-Trace-Id", "Root=1-abc")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	io.Copy(io.Discard, resp.Body)
	resp.Body.Close()
	if resp.Header.Get("Content-Type") != "application/vnd.amazon.eventstream" || resp.Header.Get("X-Amzn-Requestid") == "" {
		t.Errorf("headers %v", resp.Header)
	}
	kinds := map[timeline.Kind]int{}
	for _, e := range w.all() {
		if e.Request == "req-77" {
			kinds[e.Kind]++
		}
	}
	for _, k := range []timeline.Kind{timeline.RequestStart, timeline.Invoke, timeline.RequestFirstByte, timeline.RequestChunk, timeline.RequestEnd} {
		if kinds[k] != 1 {
			t.Errorf("%d events %s", kinds[k], k)
		}
	}
}
