package apigateway

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"github.com/aproorg/sluice/internal/stack"
	"github.com/google/go-cmp/cmp"
)

// eventOf sends a request and returns the event that the function got.
func eventOf(t *testing.T, api stack.RestAPI, method, path string, body []byte, headers ...string) (map[string]any, *Gateway) {
	t.Helper()
	var got []byte
	stage, g := newStage(t, api, func(i *invocation) {
		got = i.event
		i.chunk(t, prelude(`{"statusCode":200}`, ""))
		i.complete(t, "{}")
	})
	res, answer := do(t, method, stage.URL+path, bytes.NewReader(body), headers...)
	if res.StatusCode != 200 {
		t.Fatalf("%d %s", res.StatusCode, answer)
	}
	return readEvent(t, got), g
}

func TestEventVector(t *testing.T) {
	api := proxyAPI(stack.TransferStream, func(a *stack.RestAPI) { a.Resources[0].Path = "/api/{proxy+}" })
	got, g := eventOf(t, api, "GET", "/live/api/a%2Fb/c?x=1&x=2+3;y", nil,
		"Accept", "a/a", "Accept", "b/b", "Cookie", "s=1; t=2", "User-Agent", "Mozilla/5.0", "X-Forwarded-For", "203.0.113.9",
		"X-Forwarded-Proto", "http", "X-Forwarded-Port", "80", "X-Amzn-Trace-Id", "Root=1-67890abc-000000000000000000000001",
		"TE", "trailers", "Max-Forwards", "3", "Content-MD5", "x", "Authorization", "AWS4-HMAC-SHA256 Credential=x", "Accept-Encoding", "")
	raw, err := os.ReadFile("testdata/event-get.json")
	if err != nil {
		t.Fatal(err)
	}
	raw = bytes.ReplaceAll(raw, []byte("DOMAIN"), []byte(g.DomainName()))
	raw = bytes.ReplaceAll(raw, []byte("PREFIX"), []byte(g.apiID))
	want := readEvent(t, raw)
	delete(got["headers"].(map[string]any), "Accept-Encoding") // Go's client will not leave it out
	delete(got["multiValueHeaders"].(map[string]any), "Accept-Encoding")
	context, wantContext := got["requestContext"].(map[string]any), want["requestContext"].(map[string]any)
	for name, v := range wantContext {
		if v == "VARIES" {
			if v, ok := context[name]; !ok || v == "" || v == nil {
				t.Errorf("requestContext.%s is missing", name)
			}
			wantContext[name] = context[name]
		}
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

func TestEventBodies(t *testing.T) {
	tests := []struct {
		name        string
		binary      []string
		contentType string
		body        string
		want        string
		base64      bool
	}{
		{"text", nil, "application/json", `{"a":"é"}`, `{"a":"é"}`, false},
		{"binary without a media type is damaged", nil, "image/png", "\x89PNG\xff", "\ufffdPNG\ufffd", false},
		{"every type", []string{"*/*"}, "image/png", "\x89PNG", "iVBORw==", true},
		{"no type", []string{"*/*"}, "", "hello", "aGVsbG8=", true},
		{"that type, with a parameter", []string{"multipart/form-data"}, "multipart/form-data; boundary=x", "hello", "aGVsbG8=", true},
		{"another type", []string{"image/png"}, "image/jpeg", "hello", "hello", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			api := proxyAPI(stack.TransferStream, func(a *stack.RestAPI) { a.BinaryMediaTypes = tt.binary })
			var headers []string
			if tt.contentType != "" {
				headers = []string{"Content-Type", tt.contentType}
			}
			e, _ := eventOf(t, api, "POST", "/live/x", []byte(tt.body), headers...)
			if e["body"] != tt.want || e["isBase64Encoded"] != tt.base64 {
				t.Errorf("%q %v, want %q %v", e["body"], e["isBase64Encoded"], tt.want, tt.base64)
			}
		})
	}
}

func TestEventOfARequestWithoutAnything(t *testing.T) {
	e, _ := eventOf(t, proxyAPI(stack.TransferStream, func(a *stack.RestAPI) { a.Resources[0].Path = "/" }), "GET", "/live", nil)
	for _, name := range []string{"queryStringParameters", "multiValueQueryStringParameters", "pathParameters", "stageVariables", "body"} {
		if v, ok := e[name]; !ok || v != nil {
			t.Errorf("%s is %v, want null", name, v)
		}
	}
	if e["path"] != "/" || e["resource"] != "/" {
		t.Errorf("path %v, resource %v", e["path"], e["resource"])
	}
	trace := e["headers"].(map[string]any)["X-Amzn-Trace-Id"].(string)
	if !strings.HasPrefix(trace, "Root=1-") {
		t.Errorf("trace id %q", trace)
	}
}

func TestMethodOverride(t *testing.T) {
	e, _ := eventOf(t, proxyAPI(stack.TransferStream), "POST", "/live/x", nil, "X-HTTP-Method-Override", "patch")
	if e["httpMethod"] != "PATCH" || e["headers"].(map[string]any)["X-Http-Method-Override"] != nil {
		t.Errorf("%v %v", e["httpMethod"], e["headers"])
	}
}

func TestResponseHeadersAreRemapped(t *testing.T) {
	meta := map[string]any{"statusCode": 200, "headers": map[string]string{
		"Server": "express", "Date": "yesterday", "Connection": "keep-alive", "WWW-Authenticate": "Basic", "Via": "x",
		"Transfer-Encoding": "chunked", "Content-Length": "2", "Content-Encoding": "gzip", "X-Powered-By": "us"}}
	b, err := json.Marshal(meta)
	if err != nil {
		t.Fatal(err)
	}
	stage, _ := newStage(t, proxyAPI(stack.TransferStream), func(i *invocation) {
		i.chunk(t, prelude(string(b), "ok"))
		i.complete(t, "{}")
	})
	res, body := do(t, "GET", stage.URL+"/live/x", nil, "Accept-Encoding", "gzip")
	want := map[string]string{"X-Amzn-Remapped-Server": "express", "X-Amzn-Remapped-Date": "yesterday", "X-Amzn-Remapped-Connection": "keep-alive",
		"X-Amzn-Remapped-Www-Authenticate": "Basic", "Server": "", "Via": "", "Www-Authenticate": "", "Content-Length": "2",
		"Content-Encoding": "gzip", "X-Powered-By": "us", "Content-Type": "application/json"}
	for name, v := range want {
		if got := res.Header.Get(name); got != v {
			t.Errorf("%s: %q, want %q", name, got, v)
		}
	}
	for _, name := range []string{"X-Amzn-Requestid", "X-Amz-Apigw-Id", "X-Amzn-Trace-Id", "Date"} {
		if res.Header.Get(name) == "" {
			t.Errorf("%s is missing", name)
		}
	}
	if body != "ok" || len(res.TransferEncoding) != 0 {
		t.Errorf("%q %v", body, res.TransferEncoding)
	}
}

func TestBodylessResponses(t *testing.T) {
	for _, tt := range []struct {
		method string
		status int
	}{{"HEAD", 200}, {"GET", 204}, {"GET", 304}, {"GET", 302}} {
		stage, _ := newStage(t, proxyAPI(stack.TransferStream), func(i *invocation) {
			b, _ := json.Marshal(map[string]any{"statusCode": tt.status, "headers": map[string]string{"Location": "/x", "Etag": `"1"`}})
			i.chunk(t, prelude(string(b), ""))
			i.complete(t, "{}")
		})
		res, body := do(t, tt.method, stage.URL+"/live/x", nil)
		if res.StatusCode != tt.status || body != "" || res.Header.Get("Etag") != `"1"` {
			t.Errorf("%s %d: %d %q %v", tt.method, tt.status, res.StatusCode, body, res.Header)
		}
	}
}

func TestRefusalsOfTheGatewayItself(t *testing.T) {
	api := proxyAPI(stack.TransferStream, func(a *stack.RestAPI) {
		a.Resources[0].Path = "/api/{proxy+}"
		a.Resources[0].Methods[0].HTTPMethod = "POST"
	})
	stage, _ := newStage(t, api, func(i *invocation) { t.Error("the function was called") })
	tests := []struct {
		name, method, path string
		body               []byte
		headers            []string
		status             int
		want               string
	}{
		{"no such resource", "POST", "/live/other", nil, nil, 403, `{"message": "Missing Authentication Token"}`},
		{"no such method", "GET", "/live/api/x", nil, nil, 403, `{"message": "Missing Authentication Token"}`},
		{"no such stage", "POST", "/dev/api/x", nil, nil, 403, `{"message": "Forbidden"}`},
		{"body over 10 MB", "POST", "/live/api/x", make([]byte, maxBody+1), nil, 413, "HTTP content length exceeded 10485760 bytes."},
		{"headers over 10,240 bytes", "POST", "/live/api/x", nil, []string{"Cookie", strings.Repeat("x", 10240)}, 431, `{"message": "Request Header Fields Too Large"}`},
		{"pipe in the query", "POST", "/live/api/x?a=b|c", nil, nil, 400, `{"message": "Bad Request"}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			res, body := do(t, tt.method, stage.URL+tt.path, bytes.NewReader(tt.body), tt.headers...)
			if res.StatusCode != tt.status || body != tt.want {
				t.Errorf("%d %q, want %d %q", res.StatusCode, body, tt.status, tt.want)
			}
		})
	}
}

func TestHostsOfOthersAreForbidden(t *testing.T) {
	g, err := New(Config{API: stack.RestAPI{StageName: "live"}, Hosts: []string{"api.example.com"}})
	if err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequest("GET", "http://chat.example.com/live/x", nil)
	w := newRecorder()
	g.ServeHTTP(w, r)
	if w.Code != 403 || !strings.Contains(w.Body.String(), "Forbidden") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

func TestMock(t *testing.T) {
	api := stack.RestAPI{Address: "a", StageName: "live", Resources: []stack.Resource{{Path: "/api/{proxy+}", Methods: []stack.Method{{
		HTTPMethod: "OPTIONS", Integration: stack.Integration{Type: stack.IntegrationMock,
			RequestTemplates: map[string]string{"application/json": `{"statusCode": 204}`, "text/plain": `{"statusCode": 418}`},
			Responses: []stack.IntegrationResponse{
				{StatusCode: 204, ResponseParameters: map[string]string{"method.response.header.Allow": "'GET,POST'"}},
				{StatusCode: 400, SelectionPattern: "4\\d{2}", ResponseTemplates: map[string]string{"application/json": `{"short":"stout"}`}},
			}}}}}}}
	g, err := New(Config{API: api})
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		contentType string
		status      int
		allow, body string
	}{
		{"", 204, "GET,POST", ""},
		{"text/plain; charset=utf-8", 400, "", `{"short":"stout"}`},
		{"image/png", 500, "", `{"message": "Internal server error"}`},
	} {
		r, _ := http.NewRequest("OPTIONS", "http://x/live/api/x", http.NoBody)
		r.Header.Set("Content-Type", tt.contentType)
		w := newRecorder()
		g.ServeHTTP(w, r)
		if w.Code != tt.status || w.Header().Get("Allow") != tt.allow || w.Body.String() != tt.body {
			t.Errorf("%q: %d %v %q", tt.contentType, w.Code, w.Header(), w.Body)
		}
	}
}
