package apigateway

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws/protocol/eventstream"

	"github.com/aproorg/sluice/internal/stack"
	"github.com/aproorg/sluice/internal/timeline"
)

func newRecorder() *httptest.ResponseRecorder { return httptest.NewRecorder() }

// lambdaFunc is Lambda without a network, so that time can be faked: it answers
// with the stream that the function writes, when the function writes it.
type lambdaFunc func(ctx context.Context, chunk func(string))

func (f lambdaFunc) RoundTrip(r *http.Request) (*http.Response, error) {
	reader, writer := io.Pipe()
	stop := context.AfterFunc(r.Context(), func() { writer.CloseWithError(context.Cause(r.Context())) })
	enc := eventstream.NewEncoder()
	send := func(name, payload string) {
		var b bytes.Buffer
		m := eventstream.Message{Payload: []byte(payload)}
		m.Headers.Set(":message-type", eventstream.StringValue("event"))
		m.Headers.Set(":event-type", eventstream.StringValue(name))
		_ = enc.Encode(&b, m)
		_, _ = writer.Write(b.Bytes())
	}
	go func() {
		defer stop()
		f(r.Context(), func(p string) { send("PayloadChunk", p) })
		if r.Context().Err() == nil {
			send("InvokeComplete", "{}")
		}
		_ = writer.CloseWithError(context.Cause(r.Context())) // nil is EOF
	}()
	return &http.Response{StatusCode: 200, Header: http.Header{}, Body: reader}, nil
}

// run sends one request and says how it went and how long it took.
func run(t *testing.T, api stack.RestAPI, f lambdaFunc, events *[]timeline.Event) (w *httptest.ResponseRecorder, cut bool, took time.Duration) {
	t.Helper()
	var mu sync.Mutex
	g, err := New(Config{API: api, LambdaEndpoint: "http://lambda", Functions: map[string]string{functionAddress: "chat"}, Transport: f,
		Record: func(e timeline.Event) {
			mu.Lock()
			defer mu.Unlock()
			if events != nil {
				*events = append(*events, e)
			}
		}})
	if err != nil {
		t.Fatal(err)
	}
	w = newRecorder()
	start := time.Now()
	func() {
		defer func() {
			if p := recover(); p != nil {
				if err, ok := p.(error); !ok || !errors.Is(err, http.ErrAbortHandler) {
					panic(p)
				}
				cut = true
			}
		}()
		r := httptest.NewRequest("GET", "/live/x", nil).WithContext(t.Context())
		r.Header.Set("X-Amz-Cf-Id", "the-id")
		g.ServeHTTP(w, r)
	}()
	return w, cut, time.Since(start)
}

const ok200 = "{\"statusCode\":200}\x00\x00\x00\x00\x00\x00\x00\x00"

func TestTimeouts(t *testing.T) {
	wait := func(ctx context.Context, d time.Duration) {
		select {
		case <-time.After(d):
		case <-ctx.Done():
		}
	}
	long := func(a *stack.RestAPI) { a.Resources[0].Methods[0].Integration.Timeout = 15 * time.Minute }
	edge := func(a *stack.RestAPI) { a.EndpointType = "EDGE" }
	tests := []struct {
		name   string
		change []func(*stack.RestAPI)
		f      lambdaFunc
		status int
		cut    bool
		took   time.Duration
	}{
		{"29 s by default", nil, func(ctx context.Context, chunk func(string)) { wait(ctx, time.Minute) }, 504, false, 29 * time.Second},
		{"15 min where it says so", []func(*stack.RestAPI){long}, func(ctx context.Context, chunk func(string)) {
			chunk(ok200)
			for range 1000 {
				wait(ctx, time.Second)
				chunk("x")
			}
		}, 200, true, 15 * time.Minute},
		{"idle for 5 min", []func(*stack.RestAPI){long}, func(ctx context.Context, chunk func(string)) {
			chunk(ok200 + "x")
			wait(ctx, 6*time.Minute)
		}, 200, true, 5 * time.Minute},
		{"idle for 30 s at the edge", []func(*stack.RestAPI){long, edge}, func(ctx context.Context, chunk func(string)) {
			chunk(ok200 + "x")
			wait(ctx, 31*time.Second)
		}, 200, true, 30 * time.Second},
		{"quiet for 299 s", []func(*stack.RestAPI){long}, func(ctx context.Context, chunk func(string)) {
			chunk(ok200 + "x")
			wait(ctx, 299*time.Second)
			chunk("y")
		}, 200, false, 299 * time.Second},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w, cut, took := run(t, proxyAPI(stack.TransferStream, tt.change...), tt.f, nil)
				if w.Code != tt.status || cut != tt.cut || took != tt.took {
					t.Errorf("%d, cut %v, after %s; want %d, %v, %s", w.Code, cut, took, tt.status, tt.cut, tt.took)
				}
				if tt.status == 504 && w.Body.String() != `{"message": "Endpoint request timed out"}` {
					t.Errorf("body %s", w.Body)
				}
			})
		})
	}
}

func TestBandwidthAfterTheFirst10MB(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		piece := string(make([]byte, 1<<20))
		w, cut, took := run(t, proxyAPI(stack.TransferStream), func(ctx context.Context, chunk func(string)) {
			chunk(ok200)
			for range 20 {
				chunk(piece)
			}
		}, nil)
		if cut || w.Body.Len() != 20<<20 || took != 5*time.Second {
			t.Errorf("%d bytes in %s, want 20 MiB in 5 s: 10 at once, 10 at 2 MiB/s", w.Body.Len(), took)
		}
	})
}

func TestTimelineOfARequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var events []timeline.Event
		run(t, proxyAPI(stack.TransferStream), func(ctx context.Context, chunk func(string)) {
			chunk(ok200 + "12")
			time.Sleep(time.Second) // of the bubble's clock: the function's work
			chunk("345")
		}, &events)
		var got []timeline.Kind
		for _, e := range events {
			got = append(got, e.Kind)
			if e.Request != "the-id" || e.Hop != timeline.APIGateway || e.Time.IsZero() {
				t.Errorf("%+v", e)
			}
		}
		want := []timeline.Kind{timeline.RequestStart, timeline.RequestFirstByte, timeline.RequestChunk, timeline.RequestChunk, timeline.RequestEnd}
		if len(got) != len(want) {
			t.Fatalf("%v, want %v", got, want)
		}
		for i := range want {
			if got[i] != want[i] {
				t.Errorf("%v, want %v", got, want)
			}
		}
		if end := events[4]; end.Status != 200 || end.Bytes != 5 || events[3].Time.Sub(events[2].Time) != time.Second {
			t.Errorf("%+v", events)
		}
	})
}

func TestClientThatGoesAwayLeavesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // a goroutine that is left fails the bubble
		ctx, cancel := context.WithCancel(t.Context())
		g, err := New(Config{API: proxyAPI(stack.TransferStream), LambdaEndpoint: "http://lambda", Functions: map[string]string{functionAddress: "chat"},
			Transport: lambdaFunc(func(ctx context.Context, chunk func(string)) {
				chunk(ok200 + "x")
				<-ctx.Done()
			})})
		if err != nil {
			t.Fatal(err)
		}
		time.AfterFunc(time.Second, cancel)
		defer func() {
			if p := recover(); p != http.ErrAbortHandler {
				t.Errorf("panic %v", p)
			}
		}()
		g.ServeHTTP(newRecorder(), httptest.NewRequest("GET", "/live/x", nil).WithContext(ctx))
	})
}
