package bootstrap_test

import (
	"bufio"
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aproorg/sluice/internal/bootstrap/runtimeapi/runtimetest"
)

func TestRequestAndResponse(t *testing.T) {
	w := start(t, goApp("bin"), "SLUICE_BASE_PATH=/prod")
	for _, test := range []struct {
		name   string
		req    request
		status int
		header http.Header
		body   string
	}{
		{"raw path", request{path: "/echo-target/a%2Fb%20c//d"}, 200, nil, "/echo-target/a%2Fb%20c//d"},
		{"two slashes", request{path: "//echo-target"}, 200, nil, "//echo-target"},
		{"stage stripped once", request{path: "/prod/prod/echo-target"}, 200, nil, "/prod/echo-target"},
		{"query", request{path: "/echo-target?a=1&a=2 3"}, 200, nil, "/echo-target?a=1&a=2%203"},
		{"several cookies", request{path: "/cookies"}, 200, http.Header{"Set-Cookie": {"a=1; Expires=Wed, 21 Oct 2026 07:28:00 GMT", "b=2"}, "Content-Length": {"0"}}, ""},
		{"status", request{path: "/status/418"}, 418, nil, ""},
		{"redirect", request{path: "/redirect-to?url=/get"}, 302, http.Header{"Location": {"/get"}, "Content-Length": {"0"}}, ""},
		{"no content", request{path: "/status/204"}, 204, http.Header{"Content-Length": nil}, ""},
		{"not modified", request{path: "/etag/x", header: map[string]string{"If-None-Match": `"x"`}}, 304, nil, ""},
		{"head", request{method: "HEAD", path: "/bytes/100?seed=1"}, 200, http.Header{"Content-Length": {"100"}}, ""},
		{"gzip", request{path: "/gzip"}, 200, http.Header{"Content-Encoding": {"gzip"}}, "\x1f\x8b"},
		{"body", request{method: "POST", path: "/anything", body: "hello", header: map[string]string{"Content-Type": "text/plain"}}, 200, nil, `"data": "hello"`},
		{"delete with body", request{method: "DELETE", path: "/anything", body: "hello", header: map[string]string{"Content-Type": "text/plain"}}, 200, nil, `"data": "hello"`},
		{"trailers", request{path: "/trailers?x=1"}, 200, nil, ""},
		{"too large a head", request{path: "/big-head"}, 502, nil, "16,000"},
		{"bad header", request{path: "/get", header: map[string]string{"X-Bad": "a\r\nb"}}, 400, nil, "X-Bad"},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := w.do(test.req.event())
			if got.status != test.status {
				t.Errorf("status %d, want %d: %s", got.status, test.status, got.body)
			}
			for name := range test.header {
				if !slices.Equal(got.header[name], test.header[name]) {
					t.Errorf("%s: %q, want %q", name, got.header[name], test.header[name])
				}
			}
			if !strings.Contains(got.body, test.body) {
				t.Errorf("body %q lacks %q", got.body, test.body)
			}
			for _, name := range []string{"Connection", "Transfer-Encoding", "Trailer", "Keep-Alive"} {
				if got.header[name] != nil {
					t.Errorf("the hop-by-hop header %s was passed on", name)
				}
			}
			if got.broken() != "" {
				t.Errorf("broken: %s", got.broken())
			}
		})
	}
}

func TestWhatTheAppIsTold(t *testing.T) {
	w := start(t, goApp("bin"), "SLUICE_ORIGIN_SECRET=s3cret")
	header := map[string]string{
		"X-Origin-Verify": "s3cret", "X-Forwarded-For": "6.6.6.6, 198.51.100.1, 203.0.113.9", "X-Forwarded-Host": "evil.example",
		"Lambda-Runtime-Deadline-Ms": "1", "User-Agent": "Mozilla/5.0", "Connection": "X-Gone", "X-Gone": "1",
	}
	got := w.do(request{path: "/headers", header: header}.event())
	var seen struct{ Headers map[string][]string }
	if err := json.Unmarshal([]byte(got.body), &seen); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"X-Forwarded-For": "198.51.100.1", "X-Forwarded-Host": "api.example.com", "X-Forwarded-Proto": "https", "User-Agent": "Mozilla/5.0",
		"X-Origin-Verify": "", "X-Gone": "", "Host": "api.example.com", "X-Request-Id": "gateway-1", "Lambda-Runtime-Aws-Request-Id": got.inv.ID,
		"X-Amzn-Trace-Id": "Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Parent=9a9197af755a6419;Sampled=1",
	} {
		if g := strings.Join(seen.Headers[name], "|"); g != want {
			t.Errorf("%s is %q, want %q", name, g, want)
		}
	}
	deadline, err := strconv.ParseInt(strings.Join(seen.Headers["Lambda-Runtime-Deadline-Ms"], "|"), 10, 64)
	if left := time.Until(time.UnixMilli(deadline)); err != nil || left <= 0 || left > time.Hour {
		t.Errorf("Lambda-Runtime-Deadline-Ms is %q, want a time to come", seen.Headers["Lambda-Runtime-Deadline-Ms"])
	}
	beside := strings.Replace(string(request{path: "/headers", header: map[string]string{"X-Origin-Verify": "s3cret"}}.event()),
		`"X-Origin-Verify":["s3cret"]`, `"X-Origin-Verify":["s3cret"],"x-origin-verify":["guess"]`, 1)
	for range 10 {
		if got := w.do([]byte(beside)); got.status != 403 {
			t.Errorf("a guess beside the secret, in another spelling: status %d, want 403", got.status)
		}
	}
	for _, secret := range []string{"", "s3cre", "s3cret2"} {
		if got := w.do(request{path: "/headers", header: map[string]string{"X-Origin-Verify": secret}}.event()); got.status != 403 {
			t.Errorf("secret %q: status %d, want 403", secret, got.status)
		}
	}
}

func TestBinaryBothWays(t *testing.T) {
	w := start(t, goApp("bin"))
	body := make([]byte, 3<<20)
	_, _ = rand.Read(body)
	doc := map[string]any{}
	if err := json.Unmarshal(request{method: "POST", path: "/mirror", header: map[string]string{"Content-Type": "application/octet-stream"}}.event(), &doc); err != nil {
		t.Fatal(err)
	}
	doc["body"], doc["isBase64Encoded"] = base64.StdEncoding.EncodeToString(body), true
	event, err := json.Marshal(doc)
	if err != nil {
		t.Fatal(err)
	}
	if got := w.do(event); got.status != 200 || !bytes.Equal([]byte(got.body), body) {
		t.Errorf("status %d, %d bytes came back of %d", got.status, len(got.body), len(body))
	}
	doc["body"] = "not base64!"
	event, _ = json.Marshal(doc)
	if got := w.do(event); got.status != 400 {
		t.Errorf("bad base64: status %d, want 400", got.status)
	}
}

// TestChunksArriveAsWritten: an event written every 100 ms is read within 50 ms of its write.
func TestChunksArriveAsWritten(t *testing.T) {
	w := start(t, goApp("bin"))
	inv, head := w.begin(get("/events?n=8&every=100"), 30*time.Second)
	if ct := head.HTTPHeader().Get("Content-Type"); ct != "text/event-stream" {
		t.Errorf("content type %q", ct)
	}
	late := 0
	for event := range readEvents(inv.Body) {
		var data struct{ At int64 }
		if err := json.Unmarshal([]byte(event.data), &data); err != nil {
			t.Fatalf("%q: %v", event.data, err)
		}
		if delay := time.Since(time.Unix(0, data.At)); delay > 50*time.Millisecond {
			late++
			t.Logf("read %v after its write", delay)
		}
	}
	if late > 1 { // one for a machine under load
		t.Errorf("%d of 8 events were late", late)
	}
}

func TestHeartbeats(t *testing.T) {
	worlds := map[string]*world{}
	for _, form := range []string{"", "event", "comment"} {
		worlds[form] = start(t, goApp("bin"), "SLUICE_HEARTBEAT=60ms", "SLUICE_HEARTBEAT_FORM="+form)
	}
	const ping, comment = "event: ping\ndata: {\"type\":\"ping\"}\n\n", ": ping\n"
	for _, test := range []struct {
		form, path string
		beat       string
	}{
		{"", "/events?n=3&every=200", comment},
		{"", "/events?n=3&every=200&name=tick", ping},
		{"", "/events?n=3&every=200&name=message", comment},
		{"event", "/events?n=3&every=200", ping},
		{"event", "/events?n=2&every=1&split=200", ""}, // silent inside an event
		{"event", "/events?n=2&every=200&encoding=br", ""},
		{"event", "/drip?duration=1&numbytes=2", ""},
		{"comment", "/events?n=3&every=200&name=tick", comment},
		{"comment", "/events?n=2&every=1&split=200", ""}, // silent inside a line
		{"comment", "/events?n=2&every=200&encoding=br", ""},
	} {
		inv, _ := worlds[test.form].begin(get(test.path), 30*time.Second)
		body, err := io.ReadAll(inv.Body)
		if err != nil {
			t.Fatal(err)
		}
		for _, beat := range []string{ping, comment} {
			if got := strings.Contains("\n"+string(body), "\n"+beat); got != (beat == test.beat) {
				t.Errorf("%q %s: %q %v, want %q:\n%s", test.form, test.path, beat, got, test.beat, body)
			}
		}
		for event := range readEvents(bytes.NewReader(body)) {
			if event.name != "ping" && strings.HasPrefix(test.path, "/events") && !json.Valid([]byte(event.data)) {
				t.Errorf("%s: a ping broke the event %q", test.path, event.data)
			}
		}
	}
}

func TestSilenceLimit(t *testing.T) {
	w := start(t, goApp("bin"), "SLUICE_HEARTBEAT=60ms", "SLUICE_HEARTBEAT_FORM=event", "SLUICE_SILENCE_LIMIT=400ms")
	got := w.do(get("/events?n=2&every=2000"))
	if got.broken() == "" || strings.Count(got.body, "event: ping") < 3 {
		t.Errorf("a silent stream ended as %v: %s", got.trailer, got.body)
	}
	if got = w.do(get("/events?n=4&every=200")); got.broken() != "" {
		t.Errorf("a stream that speaks was broken off: %v", got.trailer)
	}
}

// TestAppsComments: an app's own comments take the place of heartbeats, and do not keep a stream that says nothing.
func TestAppsComments(t *testing.T) {
	w := start(t, goApp("bin"), "SLUICE_HEARTBEAT=400ms", "SLUICE_HEARTBEAT_FORM=event", "SLUICE_SILENCE_LIMIT=2s")
	got := w.do(get("/events?n=2&every=1500&comments=50"))
	if beats := strings.Count(got.body, "event: ping"); got.broken() != "" || beats > 1 { // one for a machine under load
		t.Errorf("beside the app's %d comments came %d heartbeats; it ended as %v", strings.Count(got.body, ": keepalive"), beats, got.trailer)
	}
	if got = w.do(get("/events?n=2&every=5000&comments=50")); got.broken() == "" {
		t.Errorf("a stream of nothing but comments was not broken off: %s", got.body)
	}
}

func TestEarlyHeaders(t *testing.T) {
	w := start(t, goApp("bin"), "SLUICE_HEARTBEAT=50ms", "SLUICE_HEARTBEAT_FORM=event", "SLUICE_EARLY_HEADERS=100ms")
	accept := map[string]string{"Accept": "text/event-stream"}

	got := w.do(request{path: "/events?before=400&n=2", header: accept}.event())
	if got.status != 200 || strings.Count(got.body, "event: ping") < 3 || strings.Count(got.body, "data: {\"i\"") != 2 {
		t.Errorf("status %d: %s", got.status, got.body)
	}
	got = w.do(request{path: "/events?before=300&status=404", header: accept}.event())
	if want := "event: error\ndata: {\"status\":404,\"body\":\"no such chat\",\"error\":{\"code\":404,\"message\":\"no such chat\"}}\n\n"; got.status != 200 || !strings.HasSuffix(got.body, want) {
		t.Errorf("status %d: %q", got.status, got.body)
	}
	if got = w.do(request{path: "/events?status=404", header: accept}.event()); got.status != 404 {
		t.Errorf("a quick answer's status is %d, want 404", got.status)
	}
	if got = w.do(request{path: "/events?before=300&status=404"}.event()); got.status != 404 {
		t.Errorf("a request that accepts no events: status %d, want 404", got.status)
	}
}

func TestDeadline(t *testing.T) {
	w := start(t, goApp("bin"), "SLUICE_DEADLINE_MARGIN=300ms", `SLUICE_DEADLINE_EVENT={"message":"over"}`)
	const limit = 1500 * time.Millisecond
	begun := time.Now()
	got := w.doFor(get("/events?n=1000&every=50"), limit)
	if !strings.HasSuffix(got.body, "}\n\nevent: error\ndata: {\"message\":\"over\"}\n\n") || got.broken() != "" {
		t.Errorf("end of the stream %q, trailers %v", got.body[max(0, len(got.body)-100):], got.trailer)
	}
	if took := time.Since(begun); took > limit {
		t.Errorf("took %v of %v", took, limit)
	}
	if got := w.doFor(get("/events?n=2&every=100000"), limit); !strings.HasSuffix(got.body, "{\"message\":\"over\"}\n\n") {
		t.Errorf("a silent stream ended with %q", got.body)
	}
	if got := w.doFor(get("/hang"), limit); got.status != 504 {
		t.Errorf("unanswered: status %d, want 504", got.status)
	}
	if got := w.doFor(request{method: "POST", path: "/hang", body: strings.Repeat("x", 3<<20)}.event(), limit); got.status != 504 {
		t.Errorf("a body that the app does not read: status %d, want 504", got.status)
	}
	if got := w.doFor(get("/tick"), limit); got.broken() != "Sluice.Deadline" {
		t.Errorf("other response: trailers %v", got.trailer)
	}
	if got := w.do(get("/get")); got.status != 200 {
		t.Errorf("the next request: status %d", got.status)
	}
}

func TestDeadlineBreaksStream(t *testing.T) {
	w := start(t, goApp("bin"), "SLUICE_DEADLINE_MARGIN=300ms", "SLUICE_DEADLINE_EVENT=break")
	got := w.doFor(get("/events?n=1000&every=50"), 1500*time.Millisecond)
	if strings.Contains(got.body, "event: error") || got.broken() != "Sluice.Deadline" {
		t.Errorf("trailers %v, body %q", got.trailer, got.body)
	}
}

func TestEvents(t *testing.T) {
	w := start(t, goApp("bin"), "SLUICE_EVENTS_PATH=/mirror")
	event := []byte(`{"source":"aws.events","detail":{}}`)
	inv := w.invoke(event, 10*time.Second)
	if inv.Failure != nil {
		t.Fatalf("%+v", inv.Failure)
	}
	if body, _ := io.ReadAll(inv.Body); !bytes.Equal(body, event) {
		t.Errorf("result %s", body)
	}

	w = start(t, goApp("bin"), "SLUICE_EVENTS_PATH=/status/500")
	if inv := w.invoke(event, 10*time.Second); inv.Failure == nil || !strings.Contains(inv.Failure.Message, "500") {
		t.Errorf("failure %+v", inv.Failure)
	}
}

func TestOtherGateways(t *testing.T) {
	w := start(t, goApp("bin"))
	v2 := func(domain string) string {
		return fmt.Sprintf(`{"version":"2.0","rawPath":"/cookies","rawQueryString":"","headers":{"host":"h"},"requestContext":{"domainName":%q,"http":{"method":"GET","sourceIp":"192.0.2.1"}}}`, domain)
	}
	head, err := runtimetest.ReadHead(w.invoke([]byte(v2("abc.lambda-url.eu-west-1.on.aws")), time.Minute).Body)
	if err != nil || len(head.Cookies) != 2 || head.StatusCode != 200 {
		t.Errorf("function URL: %+v, %v", head, err)
	}
	for name, event := range map[string]string{
		"HTTP API":  v2("abc.execute-api.eu-west-1.amazonaws.com"),
		"ALB":       `{"requestContext":{"elb":{"targetGroupArn":"x"}},"httpMethod":"GET","path":"/cookies","headers":{"host":"h"},"body":"","isBase64Encoded":false}`,
		"ALB multi": `{"requestContext":{"elb":{"targetGroupArn":"x"}},"httpMethod":"GET","path":"/cookies","multiValueHeaders":{"host":["h"]},"body":"","isBase64Encoded":false}`,
	} {
		var doc struct {
			runtimetest.Head
			StatusDescription string
			Body              string
		}
		inv := w.invoke([]byte(event), time.Minute)
		if inv.Header.Get("Lambda-Runtime-Function-Response-Mode") != "" {
			t.Errorf("%s: streamed", name)
		}
		if err := json.NewDecoder(inv.Body).Decode(&doc); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if n := len(doc.HTTPHeader()["Set-Cookie"]); doc.StatusCode != 200 || n != 2 || strings.HasPrefix(name, "ALB") != (doc.StatusDescription == "200 OK") {
			t.Errorf("%s: %+v", name, doc)
		}
	}
}

// event is one of a stream as a browser reads it.
type event struct{ name, data string }

func readEvents(r io.Reader) func(func(event) bool) {
	return func(yield func(event) bool) {
		var e event
		for lines := bufio.NewScanner(r); lines.Scan(); {
			name, value, _ := strings.Cut(lines.Text(), ": ")
			switch {
			case strings.HasPrefix(lines.Text(), ":"): // a comment
			case name == "event":
				e.name = value
			case name == "data":
				e.data += value
			case name == "":
				if !yield(e) {
					return
				}
				e = event{}
			}
		}
	}
}
