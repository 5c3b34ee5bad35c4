package clients

import (
	"context"
	"encoding/json"
	"net/http/httptest"
	"os"
	"strings"
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

// event is what a test asks of the function, in each language the same.
type event struct {
	Do     string `json:"do,omitempty"`
	Text   string `json:"text,omitempty"`
	N      int    `json:"n,omitempty"`
	Millis int    `json:"ms,omitempty"`
}

// function is one that runs in the emulator.
type function struct {
	options awslambda.Options
	client  *awslambda.Client
}

// start runs a function until the end of the test, and prints its log where it fails.
func start(t *testing.T, process lambda.Process, extensions ...lambda.Extension) function {
	t.Helper()
	f, _ := startAs(t, nil, process, extensions...)
	return f
}

// startAs does so with SnapStart, if it is not nil; the version is not published.
func startAs(t *testing.T, snapStart *lambda.SnapStart, process lambda.Process, extensions ...lambda.Extension) (function, *lambda.Emulator) {
	t.Helper()
	logs := make(chan string, 1000)
	em, err := lambda.New(lambda.Config{
		Function: stack.Function{FunctionName: "client", MemorySize: 1024, Timeout: 20 * time.Second},
		Process:  process, Extensions: extensions, Concurrency: 1, Queue: true, SnapStart: snapStart,
		Record: func(e timeline.Event) {
			if e.Kind == timeline.Log {
				select {
				case logs <- e.Note:
				default:
				}
			}
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(em)
	t.Cleanup(func() {
		server.Close()
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := em.Close(ctx); err != nil {
			t.Error(err)
		}
		for t.Failed() && len(logs) > 0 {
			t.Log(<-logs)
		}
	})
	options := awslambda.Options{
		Region: "eu-west-1", BaseEndpoint: aws.String(server.URL), RetryMaxAttempts: 1, HTTPClient: testkit.OwnBodies{},
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "a", SecretAccessKey: "b"}, nil
		}),
	}
	return function{options, awslambda.New(options)}, em
}

// invoke returns the answer, and the kind of error that it is, if it is one.
func (f function) invoke(t *testing.T, e any) (answer, failure string) {
	t.Helper()
	payload, _ := json.Marshal(e)
	out, err := f.client.Invoke(t.Context(), &awslambda.InvokeInput{FunctionName: aws.String("client"), Payload: payload})
	if err != nil {
		t.Fatal(err)
	}
	return string(out.Payload), aws.ToString(out.FunctionError)
}

// piece is a part of a streamed answer and when it came.
type piece struct {
	text string
	at   time.Time
}

func (f function) stream(t *testing.T, e any) ([]piece, types.InvokeWithResponseStreamCompleteEvent) {
	t.Helper()
	payload, _ := json.Marshal(e)
	client := awslambda.New(f.options) // smithy-go's event streams of one client share a buffer
	out, err := client.InvokeWithResponseStream(t.Context(), &awslambda.InvokeWithResponseStreamInput{FunctionName: aws.String("client"), Payload: payload})
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
	t.Fatal("the stream ended without InvokeComplete:", stream.Err())
	return nil, types.InvokeWithResponseStreamCompleteEvent{}
}

// text is the whole answer, without the metadata that some clients always put before it.
func text(pieces []piece) string {
	var b strings.Builder
	for _, p := range pieces {
		b.WriteString(p.text)
	}
	if _, body, ok := strings.Cut(b.String(), "\x00\x00\x00\x00\x00\x00\x00\x00"); ok {
		return body
	}
	return b.String()
}

// answers are what every client does alike.
func (f function) answers(t *testing.T) {
	for range 3 { // cold, and thawed
		got, failure := f.invoke(t, event{Do: "echo", Text: "å"})
		var echo event
		if err := json.Unmarshal([]byte(got), &echo); err != nil || failure != "" || echo.Text != "å" {
			t.Errorf("echo: %s %s", got, failure)
		}
	}
	if got, failure := f.invoke(t, event{Do: "error"}); failure != "Unhandled" || !strings.Contains(got, `"errorMessage":"no"`) && !strings.Contains(got, `"errorMessage": "no"`) {
		t.Errorf("error: %s %s", got, failure)
	}
	if got, failure := f.invoke(t, event{Do: "echo", Text: "after the error"}); failure != "" || !strings.Contains(got, "after the error") {
		t.Errorf("echo: %s %s", got, failure)
	}
}

// cadence: a streamed answer comes as it is written, to an invoker who asks for that.
func (f function) cadence(t *testing.T) {
	pieces, end := f.stream(t, event{Do: "stream", N: 4, Millis: 250, Text: "word "})
	if got := text(pieces); got != "0 word 1 word 2 word 3 word " || end.ErrorCode != nil {
		t.Fatalf("%q, error %q", got, aws.ToString(end.ErrorCode))
	}
	if spread := pieces[len(pieces)-1].at.Sub(pieces[0].at); spread < 400*time.Millisecond {
		t.Errorf("%d pieces within %s: the answer was held back", len(pieces), spread)
	}
}

// TestGo: its streams carry no response mode header.
func TestGo(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	f := start(t, lambda.Process{Command: []string{self}, Env: []string{goVariable + "=1", "PATH=" + os.Getenv("PATH")}})
	f.answers(t)
	f.cadence(t)
	pieces, end := f.stream(t, event{Do: "stream-error", N: 2, Text: "word ", Millis: 10})
	if got := text(pieces); got != "0 word 1 word " || aws.ToString(end.ErrorCode) != "errorString" || !strings.Contains(aws.ToString(end.ErrorDetails), "in the middle") {
		t.Errorf("error in the middle: %q, then %q %q", got, aws.ToString(end.ErrorCode), aws.ToString(end.ErrorDetails))
	}
	// Who asks for no stream gets what came, and no word of the error: the trailers do not count there.
	if got, failure := f.invoke(t, event{Do: "stream-error", N: 2, Text: "word "}); got != "0 word 1 word " || failure != "" {
		t.Errorf("error in the middle of a buffered answer: %q %s", got, failure)
	}
	// 7 MB: too much for a buffer, and not for a stream.
	big := event{Do: "stream", N: 7, Text: strings.Repeat("x", 1<<20)}
	if got, failure := f.invoke(t, big); failure != "Unhandled" || got != `{"errorMessage":"Response payload size exceeded maximum allowed payload size (6291556 bytes).","errorType":"Function.ResponseSizeTooLarge"}` {
		t.Errorf("7 MB in a buffer: %.200s %s", got, failure)
	}
	if pieces, end := f.stream(t, big); len(text(pieces)) != 7*(1<<20+2) || end.ErrorCode != nil {
		t.Errorf("7 MB as a stream: %d bytes, error %q", len(text(pieces)), aws.ToString(end.ErrorCode))
	}
	if pieces, end := f.stream(t, event{Do: "stream-exit", N: 2, Text: "word ", Millis: 50}); text(pieces) != "0 word 1 word " || aws.ToString(end.ErrorCode) != "Runtime.ExitError" {
		t.Errorf("exit in the middle: %q, then %q", text(pieces), aws.ToString(end.ErrorCode))
	}
	if got, failure := f.invoke(t, event{Do: "panic"}); failure != "Unhandled" || !strings.Contains(got, "of the handler") {
		t.Errorf("panic: %s %s", got, failure)
	}
	f.answers(t)
}
