package rehearse

import (
	"bufio"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// TestSlowRequests: heads and bodies that stand still are broken off, those that keep coming are not, and a response that takes long is none of it.
func TestSlowRequests(t *testing.T) {
	const idle = 300 * time.Millisecond
	s := servers{idle: idle}
	listener, err := onLoopback()
	if err != nil {
		t.Fatal(err)
	}
	failed := make(chan error, 10)
	s.start(listener, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/unread" {
			return
		}
		n, err := io.Copy(io.Discard, r.Body)
		failed <- err
		if err != nil {
			http.Error(w, err.Error(), http.StatusRequestTimeout)
			return
		}
		time.Sleep(2 * idle) // an answer that takes longer than a body may pause
		fmt.Fprint(w, n)
	}), slog.New(slog.DiscardHandler))
	t.Cleanup(func() { s.cut(); s.wait() })
	for _, test := range []struct {
		what   string
		pieces []string
		pause  time.Duration
		want   string // the beginning of the answer; empty is a connection that is closed
	}{
		{"a head that stands still", []string{"POST / HTTP/1.1\r\nHost: a\r\nX-A: "}, 0, ""},
		{"a head byte by byte", append([]string{"POST / HTTP/1.1\r\nHost: a\r\nX-A: "}, strings.Split(strings.Repeat("a", 30), "")...), idle / 3, ""},
		{"a body that stands still", []string{"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nab"}, 0, "HTTP/1.1 408"},
		{"a chunked body that stands still", []string{"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab"}, 0, "HTTP/1.1 408"},
		{"a body that keeps coming", append([]string{"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 20\r\n\r\n"}, strings.Split(strings.Repeat("a", 20), "")...), idle / 3, "HTTP/1.1 200"},
		{"a body that nobody reads", []string{"POST /unread HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nab"}, 0, "HTTP/1.1 200"},
	} {
		t.Run(test.what, func(t *testing.T) {
			conn, err := net.Dial("tcp", listener.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
			begun := time.Now()
			for _, piece := range test.pieces {
				if _, err := io.WriteString(conn, piece); err != nil {
					break // broken off: the answer says how
				}
				time.Sleep(test.pause) // the client's own slowness
			}
			r := bufio.NewReader(conn)
			line, _ := r.ReadString('\n')
			if !strings.HasPrefix(line, test.want) || test.want == "" && strings.HasPrefix(line, "HTTP/1.1 200") {
				t.Errorf("answered %q after %s, want %q", line, time.Since(begun), test.want)
			}
			if test.want == "HTTP/1.1 200" && test.pause > 0 && time.Since(begun) < 4*idle {
				t.Errorf("was not slow: %s", time.Since(begun))
			}
			if test.want != "HTTP/1.1 200" || strings.Contains(test.what, "nobody") {
				if _, err := io.Copy(io.Discard, r); err != nil && !strings.Contains(err.Error(), "reset") {
					t.Errorf("the connection stayed open: %v", err)
				}
				if took := time.Since(begun); took > 10*idle {
					t.Errorf("took %s", took)
				}
			}
		})
	}
}
