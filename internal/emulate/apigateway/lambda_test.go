package apigateway

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/aproorg/sluice/internal/emulate/spelling"
	"github.com/aproorg/sluice/internal/stack"
	"github.com/aws/aws-sdk-go-v2/aws/protocol/eventstream"
)

// invocation is one call of the stub's function.
type invocation struct {
	w      http.ResponseWriter
	r      *http.Request
	event  []byte
	enc    *eventstream.Encoder
	stream bool
}

// chunk sends a PayloadChunk in the SDK's encoding, the second reading of the
// format beside this package's decoder.
func (i *invocation) chunk(t *testing.T, p []byte) {
	i.message(t, "event", "PayloadChunk", p)
}

func (i *invocation) complete(t *testing.T, payload string) {
	i.message(t, "event", "InvokeComplete", []byte(payload))
}

func (i *invocation) message(t *testing.T, kind, name string, p []byte) {
	t.Helper()
	m := eventstream.Message{Payload: p}
	m.Headers.Set(":message-type", eventstream.StringValue(kind))
	m.Headers.Set(":"+kind+"-type", eventstream.StringValue(name))
	m.Headers.Set(":content-type", eventstream.StringValue("application/octet-stream"))
	if err := i.enc.Encode(i.w, m); err != nil && i.r.Context().Err() == nil {
		t.Logf("encode: %v", err)
	}
	http.NewResponseController(i.w).Flush()
}

const functionAddress = "module.backend.aws_lambda_function.this"

// newStage serves an API with the given resources in front of a function.
func newStage(t *testing.T, api stack.RestAPI, function func(*invocation)) (*httptest.Server, *Gateway) {
	t.Helper()
	lambda := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		event, _ := io.ReadAll(r.Body)
		i := &invocation{w: w, r: r, event: event, enc: eventstream.NewEncoder()}
		switch r.URL.EscapedPath() {
		case "/2021-11-15/functions/chat/response-streaming-invocations":
			i.stream = true
			w.Header().Set("Content-Type", "application/vnd.amazon.eventstream")
		case "/2015-03-31/functions/chat/invocations":
		default:
			t.Errorf("lambda called at %s", r.URL)
		}
		function(i)
	}))
	t.Cleanup(lambda.Close)
	g, err := New(Config{API: api, LambdaEndpoint: lambda.URL, Functions: map[string]string{functionAddress: "chat"}})
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewUnstartedServer(g)
	s.Listener = spelling.Listen(s.Config, s.Listener)
	s.Start()
	t.Cleanup(func() { s.Close(); g.Close() })
	return s, g
}

func proxyAPI(mode string, change ...func(*stack.RestAPI)) stack.RestAPI {
	in := stack.Integration{Type: stack.IntegrationProxy, ResponseTransferMode: mode, Function: functionAddress}
	api := stack.RestAPI{
		Address: "aws_api_gateway_rest_api.this", EndpointType: "REGIONAL", StageName: "live",
		Resources: []stack.Resource{{Path: "/{proxy+}", Methods: []stack.Method{{HTTPMethod: "ANY", Integration: in}}}},
	}
	for _, c := range change {
		c(&api)
	}
	return api
}

func prelude(meta, body string) []byte {
	return append(append([]byte(meta), 0, 0, 0, 0, 0, 0, 0, 0), body...)
}

func do(t *testing.T, method, url string, body io.Reader, headers ...string) (*http.Response, string) {
	t.Helper()
	r, err := http.NewRequest(method, url, body)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Add(headers[i], headers[i+1])
	}
	res, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		return res, string(b) + "!" + err.Error()
	}
	return res, string(b)
}

func TestStreamPassesEachChunkOnAtOnce(t *testing.T) {
	acknowledged := make(chan struct{})
	stage, _ := newStage(t, proxyAPI(stack.TransferStream), func(i *invocation) {
		if !i.stream {
			t.Error("not called as a stream")
		}
		i.chunk(t, []byte(`{"statusCode":200,"headers":{"Content-Type":"text/event-stream"},"cook`))
		i.chunk(t, prelude(`ies":["a=1","b=2"]}`, "")[:20])
		i.chunk(t, []byte("\x00\x00\x00\x00\x00\x00\x00data: 1\n\n"))
		<-acknowledged // the client must have the first event before the second exists
		i.chunk(t, []byte("data: 2\n\n"))
		i.complete(t, `{}`)
	})
	res, err := http.Get(stage.URL + "/live/api/chat")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	first := make([]byte, 9)
	if _, err := io.ReadFull(res.Body, first); err != nil || string(first) != "data: 1\n\n" {
		t.Fatalf("first chunk %q, %v", first, err)
	}
	close(acknowledged)
	rest, err := io.ReadAll(res.Body)
	if err != nil || string(rest) != "data: 2\n\n" {
		t.Fatalf("rest %q, %v", rest, err)
	}
	if got := strings.Join(res.Header.Values("Set-Cookie"), "|"); got != "a=1|b=2" {
		t.Errorf("cookies %q", got)
	}
	if got := res.TransferEncoding; len(got) != 1 || got[0] != "chunked" {
		t.Errorf("transfer encoding %v", got)
	}
}

func TestStreamCutsTheConnectionOnAFailureHalfWay(t *testing.T) {
	stage, _ := newStage(t, proxyAPI(stack.TransferStream), func(i *invocation) {
		i.chunk(t, prelude(`{"statusCode":200}`, "half"))
		i.complete(t, `{"ErrorCode":"Runtime.ExitError","ErrorDetails":"gone"}`)
	})
	res, body := do(t, "GET", stage.URL+"/live/x", nil)
	if res.StatusCode != 200 || !strings.HasPrefix(body, "half!") {
		t.Fatalf("%d %q, want the half and then a broken connection", res.StatusCode, body)
	}
}

func TestFailuresBeforeTheResponse(t *testing.T) {
	tests := map[string]struct {
		mode     string
		function func(*testing.T, *invocation)
		status   int
		body     string
	}{
		"function error": {stack.TransferStream, func(t *testing.T, i *invocation) {
			i.complete(t, `{"ErrorCode":"Runtime.ExitError"}`)
		}, 502, "Internal server error"},
		"no prelude": {stack.TransferStream, func(t *testing.T, i *invocation) {
			i.chunk(t, []byte("hello"))
			i.complete(t, `{}`)
		}, 502, "Internal server error"},
		"prelude over 16 KB": {stack.TransferStream, func(t *testing.T, i *invocation) {
			i.chunk(t, prelude(`{"statusCode":200,"headers":{"x":"`+strings.Repeat("x", 16000)+`"}}`, ""))
			i.complete(t, `{}`)
		}, 502, "Internal server error"},
		"no status code": {stack.TransferStream, func(t *testing.T, i *invocation) {
			i.chunk(t, prelude(`{"headers":{}}`, ""))
			i.complete(t, `{}`)
		}, 502, "Internal server error"},
		"exception event": {stack.TransferStream, func(t *testing.T, i *invocation) {
			i.message(t, "exception", "ServiceException", []byte(`{"message":"x"}`))
		}, 502, "Internal server error"},
		"throttled": {stack.TransferStream, func(t *testing.T, i *invocation) {
			i.w.WriteHeader(429)
		}, 500, "Internal server error"},
		"too long for Lambda": {stack.TransferBuffered, func(t *testing.T, i *invocation) {
			i.w.WriteHeader(413)
		}, 413, "Request Too Long"},
		"buffered function error": {stack.TransferBuffered, func(t *testing.T, i *invocation) {
			i.w.Header().Set("X-Amz-Function-Error", "Unhandled")
			io.WriteString(i.w, `{"errorMessage":"x"}`)
		}, 502, "Internal server error"},
		"buffered wrong form": {stack.TransferBuffered, func(t *testing.T, i *invocation) {
			io.WriteString(i.w, `"hello"`)
		}, 502, "Internal server error"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			stage, _ := newStage(t, proxyAPI(tt.mode), func(i *invocation) { tt.function(t, i) })
			res, body := do(t, "GET", stage.URL+"/live/x", nil)
			want := `{"message": "` + tt.body + `"}`
			if res.StatusCode != tt.status || body != want {
				t.Errorf("%d %q, want %d %q", res.StatusCode, body, tt.status, want)
			}
			if res.Header.Get("X-Amzn-Errortype") == "" || res.Header.Get("X-Amz-Apigw-Id") == "" {
				t.Errorf("headers %v", res.Header)
			}
		})
	}
}

func TestBufferedResponse(t *testing.T) {
	stage, _ := newStage(t, proxyAPI(stack.TransferBuffered), func(i *invocation) {
		io.WriteString(i.w, `{"statusCode":201,"isBase64Encoded":true,"body":"AAEC",
			"headers":{"X-Count":3,"Server":"express"},"multiValueHeaders":{"Set-Cookie":["a=1","b=2"]}}`)
	})
	res, body := do(t, "GET", stage.URL+"/live/x", nil)
	if res.StatusCode != 201 || body != "\x00\x01\x02" || len(res.Header["Set-Cookie"]) != 2 ||
		res.Header.Get("X-Amzn-Remapped-Server") != "express" || res.Header.Get("X-Count") != "3" {
		t.Errorf("%d %q %v", res.StatusCode, body, res.Header)
	}
}

func readEvent(t *testing.T, raw []byte) map[string]any {
	t.Helper()
	var e map[string]any
	if err := json.NewDecoder(bytes.NewReader(raw)).Decode(&e); err != nil {
		t.Fatal(err)
	}
	return e
}
