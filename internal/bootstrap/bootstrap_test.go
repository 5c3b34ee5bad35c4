package bootstrap_test

import (
	"net/http"
	"strings"
	"testing"
)

func TestRequestAndResponse(t *testing.T) {
	w := start(t, goApp("bin"))
	for _, test := range []struct {
		name   string
		req    request
		status int
		header http.Header
		body   string
	}{
		{"raw path and query", request{path: "/echo-target?b=2&a=1"}, 200, nil, "/echo-target?"},
		{"several cookies", request{path: "/cookies"}, 200, http.Header{"Set-Cookie": {"a=1; Expires=Wed, 21 Oct 2026 07:28:00 GMT", "b=2"}}, ""},
		{"status", request{path: "/status/418"}, 418, nil, ""},
		{"redirect", request{path: "/redirect-to?url=/get"}, 302, http.Header{"Location": {"/get"}}, ""},
		{"body", request{method: "POST", path: "/anything", body: "hello", header: map[string]string{"Content-Type": "text/plain"}}, 200, nil, `"data": "hello"`},
		{"too large a head", request{path: "/big-head"}, 502, nil, "16,000"},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := w.do(test.req.event())
			if got.status != test.status {
				t.Errorf("status %d, want %d", got.status, test.status)
			}
			for name := range test.header {
				if g, want := strings.Join(got.header[name], "|"), strings.Join(test.header[name], "|"); g != want {
					t.Errorf("%s: %q, want %q", name, g, want)
				}
			}
			if !strings.Contains(got.body, test.body) {
				t.Errorf("body %q lacks %q", got.body, test.body)
			}
		})
	}
}
