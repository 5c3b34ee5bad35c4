package loopback

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"
)

var hosts = []struct {
	host string
	ok   bool
}{
	{"127.0.0.1", true}, {"127.0.0.1:8080", true}, {"localhost", true}, {"localhost:8080", true}, {"LOCALHOST:1", true}, {"localhost.", true},
	{"localhost.:80", true}, {"[::1]", true}, {"[::1]:8080", true}, {"192.168.1.7:8080", true}, {"app.localhost:8080", true}, {"App.LocalHost.", true},
	{"[::ffff:127.0.0.1]:80", true}, {"", false}, {".", false}, {":8080", false}, {"evil.com", false}, {"evil.com:8080", false}, {"localhost.evil.com", false},
	{"127.0.0.1.evil.com", false}, {"127.0.0.1.nip.io:8080", false}, {"evillocalhost", false}, {"localhost@evil.com", false}, {"user@127.0.0.1:80", false},
	{"127.0.0.1@evil.com", false}, {"evil.com#127.0.0.1", false}, {"127.0.0.1:80:80", false}, {"127.0.0.1:x", false}, {"127.0.0.1:evil.com", false}, {"localhost..", false}, {"2130706433", false},
	{"0x7f000001", false}, {"127.1", false}, {"[::1%eth0]", false}, {"localhost,evil.com", false}, {"127.0.0.1, evil.com", false}, {"localhost\tevil.com", false},
	{"ⓛocalhost", false}, {"xn--localhost", false}, {"..localhost.evil.com", false},
}

func TestLocal(t *testing.T) {
	for _, test := range hosts {
		if got := Local(test.host); got != test.ok {
			t.Errorf("%q: %v", test.host, got)
		}
	}
	for host, ok := range map[string]bool{"a.example.com:443": true, "A.EXAMPLE.com.": true, "x.b.org": true, "b.org": false, "xb.org": false, "a.example.com.evil.com": false, "": false} {
		if got := listed(host, []string{"a.example.com", "*.b.org", ""}); got != ok {
			t.Errorf("listed %q: %v", host, got)
		}
	}
}

// raw sends a request as it stands and returns the status of the answer.
func raw(t *testing.T, server *httptest.Server, request string) int {
	t.Helper()
	conn, err := net.Dial("tcp", server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(5 * time.Second))
	fmt.Fprint(conn, request)
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatalf("%q: %v", request, err)
	}
	res.Body.Close()
	return res.StatusCode
}

func ok(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }

// TestGuards sends what browsers and attackers send, over a connection.
func TestGuards(t *testing.T) {
	page := httptest.NewServer(Page(http.HandlerFunc(ok)))
	defer page.Close()
	program := httptest.NewServer(Program(http.HandlerFunc(ok)))
	defer program.Close()
	own := page.Listener.Addr().String()
	for _, test := range []struct {
		what          string
		request       string
		page, program int
	}{
		{"curl", "GET / HTTP/1.1\r\nHost: 127.0.0.1:1\r\n\r\n", 204, 204},
		{"curl's POST", "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n", 204, 204},
		{"Node's fetch", "POST / HTTP/1.1\r\nHost: 127.0.0.1:1\r\nSec-Fetch-Mode: cors\r\nUser-Agent: node\r\nContent-Length: 0\r\n\r\n", 204, 204},
		{"rebinding", "GET / HTTP/1.1\r\nHost: evil.com\r\nSec-Fetch-Site: same-origin\r\n\r\n", 403, 403},
		{"rebinding by an old browser", "GET / HTTP/1.1\r\nHost: localhost.evil.com\r\n\r\n", 403, 403},
		{"an absolute target", "GET http://evil.com/ HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", 403, 403},
		{"HTTP/1.0 without a Host", "GET / HTTP/1.0\r\n\r\n", 403, 403},
		{"HTTP/1.1 without a Host", "GET / HTTP/1.1\r\n\r\n", 400, 400},
		{"an empty Host", "GET / HTTP/1.1\r\nHost:\r\n\r\n", 403, 403},
		{"two Hosts", "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nHost: evil.com\r\n\r\n", 400, 400},
		{"a form of another site", "POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nOrigin: http://evil.com\r\nSec-Fetch-Site: cross-site\r\nContent-Length: 0\r\n\r\n", 403, 403},
		{"a form of a site on another port", "POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nOrigin: http://127.0.0.1:9\r\nSec-Fetch-Site: same-site\r\nContent-Length: 0\r\n\r\n", 403, 403},
		{"a form in a sandbox", "POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nOrigin: null\r\nContent-Length: 0\r\n\r\n", 403, 403},
		{"a form of an old browser", "POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nOrigin: http://evil.com\r\nContent-Length: 0\r\n\r\n", 403, 403},
		{"its own button", "POST / HTTP/1.1\r\nHost: " + own + "\r\nOrigin: http://" + own + "\r\nSec-Fetch-Site: same-origin\r\nContent-Length: 0\r\n\r\n", 204, 403},
		{"an image of another site", "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nSec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: no-cors\r\n\r\n", 204, 403},
		{"a WebSocket", "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nOrigin: http://evil.com\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n", 204, 403},
		{"the address bar", "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nSec-Fetch-Site: none\r\n\r\n", 204, 403},
		{"a preflight", "OPTIONS / HTTP/1.1\r\nHost: 127.0.0.1\r\nOrigin: http://evil.com\r\nAccess-Control-Request-Method: PUT\r\n\r\n", 204, 403},
	} {
		if got := raw(t, page, test.request); got != test.page {
			t.Errorf("page, %s: %d, want %d", test.what, got, test.page)
		}
		if got := raw(t, program, test.request); got != test.program {
			t.Errorf("program, %s: %d, want %d", test.what, got, test.program)
		}
	}
}
