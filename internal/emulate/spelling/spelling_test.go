package spelling

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// server answers with the names of the fields that it has received, and counts them.
func server(t *testing.T) string {
	t.Helper()
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		header := map[string][]string(r.Header)
		Of(r.Context()).Spell(header, "User-Agent")
		fmt.Fprintf(w, "%s %v", r.RequestURI, header)
	}))
	s.Listener = Listen(s.Config, s.Listener)
	s.Start()
	t.Cleanup(s.Close)
	return s.Listener.Addr().String()
}

func TestRequestsKeepTheirSpelling(t *testing.T) {
	conn, err := net.Dial("tcp", server(t))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	answers := bufio.NewReader(conn)
	for _, tt := range []struct{ request, want string }{
		{"GET /1 HTTP/1.1\r\nhost: a\r\nx-lower: 1\r\nX-UPPER: 2\r\nuser-agent: me\r\n\r\n",
			"/1 map[User-Agent:[me] X-UPPER:[2] x-lower:[1]]"},
		{"POST /2 HTTP/1.1\r\nHost: a\r\ncontent-length: 5\r\n\r\nx-a:\n", "/2 map[content-length:[5]]"},
		{"\r\nGET /3 HTTP/1.1\r\nHost: a\r\nx-a: 1\r\nX-A: 2\r\n\r\n", "/3 map[x-a:[1 2]]"},
		{"POST /4 HTTP/1.1\r\nHost: a\r\ntransfer-encoding: chunked\r\nx-b: 1\r\n\r\n3;e=1\r\na:\n\r\n2\r\nbc\r\n0\r\nx-t: 1\r\n\r\n",
			"/4 map[x-b:[1]]"},
		{"POST /5 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nx-c: 1\r\n\r\n0\r\n\r\n", "/5 map[x-c:[1]]"},
		{"OPTIONS * HTTP/1.1\r\nHost: a\r\nx-d: 1\r\n\r\n", ""}, // answered by net/http
		{"GET /6 HTTP/1.1\r\nHost: a\r\nPRAGMA: no-cache\r\n\r\n", "/6 map[PRAGMA:[no-cache]]"},
		{"GET /7 HTTP/1.1\r\nHost: a\r\npragma: no-cache\r\ncache-control: no-cache\r\n\r\n",
			"/7 map[cache-control:[no-cache] pragma:[no-cache]]"},
	} {
		if _, err := io.WriteString(conn, tt.request); err != nil {
			t.Fatal(err)
		}
		res, err := http.ReadResponse(answers, nil)
		if err != nil {
			t.Fatalf("%q: %v", tt.request, err)
		}
		body, err := io.ReadAll(res.Body)
		if err != nil || string(body) != tt.want {
			t.Errorf("%q:\ngot  %s %v\nwant %s", tt.request, body, err, tt.want)
		}
	}
}

func TestResponsesKeepTheirFields(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	answers := []string{
		"HTTP/1.1 103 Early Hints\r\ncache-control: no-cache\r\n\r\nHTTP/1.1 200 OK\r\npragma: no-cache\r\nContent-Length: 2\r\n\r\nok",
		"HTTP/1.1 200 OK\r\nPragma: no-cache\r\ncache-control: no-cache\r\nContent-Length: 2\r\n\r\nok",
		"HTTP/1.1 200 OK\r\nPragma: no-cache\r\nContent-Length: 2\r\n\r\nok",
	}
	go func() {
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		requests := bufio.NewReader(conn)
		for _, answer := range answers {
			if _, err := http.ReadRequest(requests); err != nil {
				return
			}
			for _, part := range strings.SplitAfter(answer, "\n") { // a head comes in as many packets as it likes
				_, _ = io.WriteString(conn, part)
			}
		}
	}()
	transport := new(http.Transport)
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: Transport(transport)}
	var got [][]string
	for range answers {
		res, err := client.Get("http://" + listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, res.Body)
		res.Body.Close()
		got = append(got, res.Header["Cache-Control"])
	}
	if diff := cmp.Diff([][]string{nil, {"no-cache"}, nil}, got); diff != "" {
		t.Error(diff)
	}
}

// FuzzRequests: however a connection's bytes are cut, the heads are those that net/http
// reads, as far as it reads.
func FuzzRequests(f *testing.F) {
	f.Add([]byte("GET / HTTP/1.1\r\nHost: a\r\nx: 1\r\n\r\nPOST /2 HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\na:\nGET /3 HTTP/1.1\r\nhost: b\r\n\r\n"), uint8(3))
	f.Add([]byte("POST / HTTP/1.1\r\nhost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX: 1\r\n\r\nGET /3 HTTP/1.1\r\nhost: b\r\n\r\n"), uint8(1))
	f.Add([]byte("GET / HTTP/1.1\nhost: a\n\n"), uint8(200))
	f.Fuzz(func(t *testing.T, sent []byte, step uint8) {
		var seen requests
		for rest := sent; len(rest) > 0; {
			n := min(len(rest), int(step)+1)
			seen.see(rest[:n])
			rest = rest[n:]
		}
		r := bufio.NewReader(bytes.NewReader(sent))
		for {
			req, err := http.ReadRequest(r)
			if err != nil {
				return
			}
			names := seen.take(req.Method + " " + req.RequestURI)
			for name := range req.Header {
				if name == "Cache-Control" && names != nil || names == nil {
					continue
				}
				if names[name] == "" {
					t.Errorf("%s has no spelling in %v", name, names)
				}
			}
			if _, err := io.Copy(io.Discard, req.Body); err != nil {
				return
			}
			if names == nil && seen.state != lost {
				t.Fatalf("nothing is known of %q", req.RequestURI)
			}
		}
	})
}
