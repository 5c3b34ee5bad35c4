package apigateway

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/aproorg/sluice/internal/stack"
)

// TestEventKeepsTheViewersSpelling holds the names of an event to those in the guide's
// sample ("Input format of a Lambda function for proxy integration"), which a browser
// sent over HTTP/2: its own in lower case, the service's as it writes them, and no
// Content-Length.
func TestEventKeepsTheViewersSpelling(t *testing.T) {
	var got []byte
	stage, g := newStage(t, proxyAPI(stack.TransferStream), func(i *invocation) {
		got = i.event
		i.chunk(t, prelude(`{"statusCode":200}`, ""))
		i.complete(t, "{}")
	})
	conn, err := net.Dial("tcp", strings.TrimPrefix(stage.URL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprintf(conn, "POST /live/x?b=2&a=1&flag&b=3 HTTP/1.1\r\nhost: %s\r\naccept: */*\r\nsec-ch-ua-mobile: ?0\r\nX-UPPER: 1\r\nuser-agent: me\r\n"+
		"x-forwarded-for: 192.0.2.1\r\nx-forwarded-proto: http\r\npragma: no-cache\r\ncontent-type: text/plain\r\ncontent-length: 2\r\n\r\nhi", g.DomainName())
	if res, err := http.ReadResponse(bufio.NewReader(conn), nil); err != nil || res.StatusCode != 200 {
		t.Fatal(res, err)
	}
	want := map[string]any{
		"accept": "*/*", "content-type": "text/plain", "pragma": "no-cache", "sec-ch-ua-mobile": "?0", "X-UPPER": "1",
		"Host": g.DomainName(), "User-Agent": "me", "X-Forwarded-For": "192.0.2.1, 127.0.0.1", "X-Forwarded-Port": "443", "X-Forwarded-Proto": "https",
	}
	headers := readEvent(t, got)["headers"].(map[string]any)
	delete(headers, "X-Amzn-Trace-Id")
	if diff := cmp.Diff(want, headers); diff != "" {
		t.Error(diff)
	}
	if query := `"multiValueQueryStringParameters":{"b":["2","3"],"a":["1"],"flag":[""]}`; !strings.Contains(string(got), query) {
		t.Errorf("no %s in %s", query, got)
	}
}

func TestAnyIsTheMethodsOfTheService(t *testing.T) {
	stage, _ := newStage(t, proxyAPI(stack.TransferStream), func(i *invocation) {
		i.chunk(t, prelude(`{"statusCode":200}`, ""))
		i.complete(t, "{}")
	})
	for method, want := range map[string]int{"GET": 200, "PATCH": 200, "TRACE": 403, "FOO": 403, "get": 403} {
		if res, body := do(t, method, stage.URL+"/live/x", nil); res.StatusCode != want {
			t.Errorf("%s: %d %s, want %d", method, res.StatusCode, body, want)
		}
	}
	if res, _ := do(t, "POST", stage.URL+"/live/x", nil, "X-HTTP-Method-Override", "FOO"); res.StatusCode != 403 {
		t.Errorf("overridden by FOO: %d", res.StatusCode)
	}
}

func TestAnswerWithoutBodyGetsNoContentType(t *testing.T) {
	for _, mode := range []string{stack.TransferStream, stack.TransferBuffered} {
		for status, want := range map[int]string{204: "", 304: "", 200: "application/json"} {
			stage, _ := newStage(t, proxyAPI(mode), func(i *invocation) {
				if !i.stream {
					fmt.Fprintf(i.w, `{"statusCode":%d}`, status)
					return
				}
				i.chunk(t, prelude(fmt.Sprintf(`{"statusCode":%d}`, status), ""))
				i.complete(t, "{}")
			})
			res, _ := do(t, "GET", stage.URL+"/live/x", nil)
			if got := res.Header.Get("Content-Type"); res.StatusCode != status || got != want {
				t.Errorf("%s: %d with %q, want %d with %q", mode, res.StatusCode, got, status, want)
			}
		}
	}
}
