package emulatetest

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"

	"github.com/aproorg/sluice/internal/emulate/emulatetest/testfunction"
)

// Function is a Lambda function that runs package testfunction, with a timeout
// of 3 s and 128 MB of memory, in an emulator or on AWS.
type Function struct {
	Client *lambda.Client
	Name   string
}

// Lambda is what an InvokeWithResponseStream and Invoke client may rely on. Every
// case holds on AWS too, or the emulator is wrong.
func Lambda(t *testing.T, f Function) {
	t.Run("answer", f.answer)
	t.Run("headers of next", f.next)
	t.Run("cadence", f.cadence)
	t.Run("buffered answer to a streaming invocation", f.bufferedStream)
	t.Run("error before the response", f.invocationError)
	t.Run("error in the middle", f.middle)
	t.Run("crash", f.crash)
	t.Run("timeout", f.timeout)
	t.Run("too large", f.tooLarge)
	t.Run("refusals", f.refusals)
	t.Run("log", f.log)
	t.Run("states of the runtime", f.phases)
	t.Run("concurrency", f.concurrency)
	t.Run("tmp survives a crash", f.tmp)
}

func (f Function) invoke(t *testing.T, e testfunction.Event) *lambda.InvokeOutput {
	t.Helper()
	payload, _ := json.Marshal(e)
	out, err := f.Client.Invoke(t.Context(), &lambda.InvokeInput{FunctionName: &f.Name, Payload: payload, LogType: types.LogTypeTail})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// piece is a part of a streamed answer and when it came.
type piece struct {
	text string
	at   time.Time
}

func (f Function) stream(t *testing.T, e testfunction.Event) ([]piece, types.InvokeWithResponseStreamCompleteEvent) {
	t.Helper()
	payload, _ := json.Marshal(e)
	// smithy-go 1.28.8 has one buffer for the streams of a client, and its reader may outlive Close: each stream has a client.
	options := f.Client.Options()
	options.Protocol = nil
	out, err := lambda.New(options).InvokeWithResponseStream(t.Context(), &lambda.InvokeWithResponseStreamInput{FunctionName: &f.Name, Payload: payload})
	if err != nil {
		t.Fatal(err)
	}
	stream := out.GetStream()
	defer stream.Close()
	var pieces []piece
	for event := range stream.Events() {
		switch event := event.(type) {
		case *types.InvokeWithResponseStreamResponseEventMemberPayloadChunk:
			pieces = append(pieces, piece{string(event.Value.Payload), time.Now()})
		case *types.InvokeWithResponseStreamResponseEventMemberInvokeComplete:
			return pieces, event.Value
		}
	}
	t.Fatalf("the stream ended without InvokeComplete: %v", stream.Err())
	return nil, types.InvokeWithResponseStreamCompleteEvent{}
}

func text(pieces []piece) string {
	var b strings.Builder
	for _, p := range pieces {
		b.WriteString(p.text)
	}
	return b.String()
}

func (f Function) answer(t *testing.T) {
	out := f.invoke(t, testfunction.Event{Text: "hello"})
	if string(out.Payload) != `{"text":"hello"}` || out.StatusCode != 200 || out.FunctionError != nil || aws.ToString(out.ExecutedVersion) != "$LATEST" {
		t.Errorf("%d %s %s", out.StatusCode, out.Payload, aws.ToString(out.FunctionError))
	}
}

func (f Function) next(t *testing.T) {
	var h http.Header
	if err := json.Unmarshal(f.invoke(t, testfunction.Event{Do: "headers"}).Payload, &h); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"Request-Id", "Deadline-Ms", "Invoked-Function-Arn", "Trace-Id"} {
		if h.Get("Lambda-Runtime-"+name) == "" && h.Get("Lambda-Runtime-Aws-"+name) == "" {
			t.Errorf("no header %s", name)
		}
	}
	if !strings.Contains(h.Get("Lambda-Runtime-Invoked-Function-Arn"), ":function:") {
		t.Errorf("ARN %s", h.Get("Lambda-Runtime-Invoked-Function-Arn"))
	}
}

func (f Function) cadence(t *testing.T) {
	pieces, end := f.stream(t, testfunction.Event{Do: "stream", N: 5, Millis: 200, Text: "x "})
	if text(pieces) != "0 x 1 x 2 x 3 x 4 x " || end.ErrorCode != nil {
		t.Errorf("%q, error %s", text(pieces), aws.ToString(end.ErrorCode))
	}
	if len(pieces) != 5 || pieces[4].at.Sub(pieces[0].at) < 600*time.Millisecond {
		t.Errorf("%d pieces at once", len(pieces))
	}
}

func (f Function) bufferedStream(t *testing.T) {
	pieces, end := f.stream(t, testfunction.Event{Text: "whole"})
	if text(pieces) != `{"text":"whole"}` || end.ErrorCode != nil {
		t.Errorf("%q, error %s", text(pieces), aws.ToString(end.ErrorCode))
	}
}

func (f Function) invocationError(t *testing.T) {
	out := f.invoke(t, testfunction.Event{Do: "error"})
	if out.StatusCode != 200 || out.FunctionError == nil || !strings.Contains(string(out.Payload), `"errorMessage":"no"`) {
		t.Errorf("%d %s %s", out.StatusCode, aws.ToString(out.FunctionError), out.Payload)
	}
	if _, end := f.stream(t, testfunction.Event{Do: "error"}); end.ErrorCode == nil {
		t.Error("a stream without ErrorCode")
	}
}

func (f Function) middle(t *testing.T) {
	pieces, end := f.stream(t, testfunction.Event{Do: "stream-error", N: 2, Millis: 50})
	if text(pieces) != "0 1 " || end.ErrorCode == nil {
		t.Errorf("%q, error %s", text(pieces), aws.ToString(end.ErrorCode))
	}
}

func (f Function) crash(t *testing.T) {
	out := f.invoke(t, testfunction.Event{Do: "exit", N: 3})
	if out.FunctionError == nil || !strings.Contains(string(out.Payload), "exit status 3") || !strings.Contains(string(out.Payload), "Runtime.ExitError") {
		t.Errorf("%s", out.Payload)
	}
	f.answer(t)
}

func (f Function) timeout(t *testing.T) {
	begin := time.Now()
	out := f.invoke(t, testfunction.Event{Do: "sleep", Millis: 20_000})
	if took := time.Since(begin); out.FunctionError == nil || !strings.Contains(string(out.Payload), "Task timed out after 3.00 seconds") || took > 10*time.Second {
		t.Errorf("%s after %s", out.Payload, took)
	}
	f.answer(t)
}

func (f Function) tooLarge(t *testing.T) {
	var large *types.RequestTooLargeException
	_, err := f.Client.Invoke(t.Context(), &lambda.InvokeInput{FunctionName: &f.Name, Payload: []byte(`"` + strings.Repeat("x", 7<<20) + `"`)})
	if !errors.As(err, &large) {
		t.Errorf("7 MB in: %v", err)
	}
	out := f.invoke(t, testfunction.Event{Do: "big", N: 7 << 20})
	if out.FunctionError == nil || !strings.Contains(string(out.Payload), "Function.ResponseSizeTooLarge") {
		t.Errorf("7 MB out: %.200s", out.Payload)
	}
	if pieces, end := f.stream(t, testfunction.Event{Do: "stream", N: 70, Text: strings.Repeat("x", 100<<10)}); end.ErrorCode != nil || len(text(pieces)) < 70*100<<10 {
		t.Errorf("7 MB streamed: %d bytes, %s", len(text(pieces)), aws.ToString(end.ErrorCode))
	}
}

func (f Function) refusals(t *testing.T) {
	var missing *types.ResourceNotFoundException
	if _, err := f.Client.Invoke(t.Context(), &lambda.InvokeInput{FunctionName: aws.String(f.Name + "-that-is-not")}); !errors.As(err, &missing) {
		t.Errorf("another function: %v", err)
	}
	var content *types.InvalidRequestContentException
	if _, err := f.Client.Invoke(t.Context(), &lambda.InvokeInput{FunctionName: &f.Name, Payload: []byte("{")}); !errors.As(err, &content) {
		t.Errorf("not JSON: %v", err)
	}
	out, err := f.Client.Invoke(t.Context(), &lambda.InvokeInput{FunctionName: &f.Name, InvocationType: types.InvocationTypeDryRun})
	if err != nil || out.StatusCode != 204 {
		t.Errorf("dry run: %v", err)
	}
}

func (f Function) log(t *testing.T) {
	out := f.invoke(t, testfunction.Event{})
	log := decode(t, aws.ToString(out.LogResult))
	for _, part := range []string{"START RequestId: ", "END RequestId: ", "REPORT RequestId: ", "\tBilled Duration: ", "\tMax Memory Used: "} {
		if !strings.Contains(log, part) {
			t.Errorf("no %q in %q", part, log)
		}
	}
}

// phases calls the Runtime API out of turn.
func (f Function) phases(t *testing.T) {
	for request, status := range map[string]string{
		"POST 2018-06-01/runtime/invocation/nobody/response": "400 ",
		"POST 2018-06-01/runtime/init/error":                 "403 ",
	} {
		if out := f.invoke(t, testfunction.Event{Do: "raw", Text: request}); !strings.HasPrefix(string(out.Payload), status) {
			t.Errorf("%s: %s", request, out.Payload)
		}
	}
	if out := f.invoke(t, testfunction.Event{Do: "twice"}); string(out.Payload) != "1" {
		t.Errorf("two responses: %s", out.Payload)
	}
}

// concurrency: two invocations at once are in two environments.
func (f Function) concurrency(t *testing.T) {
	streams := make([]string, 2)
	var wg sync.WaitGroup
	for i := range streams {
		wg.Go(func() {
			var vars []string
			f.invoke(t, testfunction.Event{Do: "sleep", Millis: 1000})
			_ = json.Unmarshal(f.invoke(t, testfunction.Event{Do: "env", Millis: 500}).Payload, &vars)
			for _, v := range vars {
				if s, ok := strings.CutPrefix(v, "AWS_LAMBDA_LOG_STREAM_NAME="); ok {
					streams[i] = s
				}
			}
		})
	}
	wg.Wait()
	if streams[0] == streams[1] || streams[0] == "" {
		t.Errorf("both ran in %q", streams[0])
	}
}

// tmp: a crash takes the runtime, not the files. Which environment gets an
// invocation is the service's choice, so it may take some attempts to hit the
// same one three times.
func (f Function) tmp(t *testing.T) {
	for range 5 {
		path := fmt.Sprintf("/tmp/kept-%d", time.Now().UnixNano())
		if out := f.invoke(t, testfunction.Event{Do: "write", Path: path}); string(out.Payload) != `"<nil>"` {
			t.Fatalf("%s", out.Payload)
		}
		time.Sleep(200 * time.Millisecond) // the environment comes to rest; a service under this contract need not tell when
		f.invoke(t, testfunction.Event{Do: "exit", N: 1})
		time.Sleep(200 * time.Millisecond) // its runtime starts again
		if out := f.invoke(t, testfunction.Event{Do: "read", Path: path}); string(out.Payload) == `"1 false"` {
			return
		}
	}
	t.Error("the file is gone")
}

func decode(t *testing.T, s string) string {
	t.Helper()
	b, err := base64.StdEncoding.DecodeString(s)
	if err != nil {
		t.Error(err)
	}
	return string(b)
}
