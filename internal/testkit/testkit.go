// Package testkit holds what tests of many packages need: a wait that polls until a
// deadline and says what it saw last, servers of bare connections and of answers
// without an end, and a client for the AWS SDK on loopback addresses. It imports
// nothing of the module, and leaves out programs and packages that must be installed
// (package testdeps), images (imagetest) and browsers (chromiumtest).
package testkit

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"
)

// Wait looks again and again until look reports ok. It ends the test once limit has
// passed, with what it waited for and what look saw last. look may end the test by
// itself where waiting has become pointless. Call it from the test's own goroutine.
func Wait(t testing.TB, limit time.Duration, what string, look func() (saw string, ok bool)) {
	t.Helper()
	var saw string
	if !Until(limit, func() (ok bool) { saw, ok = look(); return ok }) {
		t.Fatalf("waited %v for %s; last saw: %s", limit, what, saw)
	}
}

// Until looks until ok or until limit has passed, and reports which: for goroutines
// that must not end a test, and for waits whose end is no failure. It looks at least
// once, and pauses for a twentieth of the time it has waited, between 1 and 50 ms: a
// short wait is measured well, and a long one costs little.
func Until(limit time.Duration, ok func() bool) bool {
	for begun := time.Now(); ; {
		if ok() {
			return true
		}
		waited := time.Since(begun)
		if waited >= limit {
			return false
		}
		time.Sleep(min(max(waited/20, time.Millisecond), 50*time.Millisecond, limit-waited)) // the pause between two looks
	}
}

// WaitForGoroutines waits until no more than before run, and ends the test with their
// stacks if they do not end within 10 s.
func WaitForGoroutines(t testing.TB, before int) {
	t.Helper()
	if !Until(10*time.Second, func() bool { return runtime.NumGoroutine() <= before }) {
		stacks := make([]byte, 1<<20)
		t.Fatalf("%d goroutines, %d before:\n%s", runtime.NumGoroutine(), before, stacks[:runtime.Stack(stacks, true)])
	}
}

// Accept listens on a free port of the loopback until the test ends, and hands each
// connection to serve, in a goroutine of its own. When serve returns the connection
// is closed; those that are left are closed when the test ends, and serve is waited
// for: it must return once its connection fails.
func Accept(t testing.TB, serve func(net.Conn)) *net.TCPAddr {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(fmt.Errorf("listen: %w", err))
	}
	var mu sync.Mutex
	open, ended := map[net.Conn]bool{}, false
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return // closed
			}
			mu.Lock()
			if ended {
				conn.Close()
			}
			open[conn] = true
			mu.Unlock()
			serving.Go(func() {
				serve(conn)
				conn.Close()
				mu.Lock()
				defer mu.Unlock()
				delete(open, conn)
			})
		}
	})
	t.Cleanup(func() {
		listener.Close()
		mu.Lock()
		ended = true
		for conn := range open {
			conn.Close()
		}
		mu.Unlock()
		serving.Wait()
	})
	return listener.Addr().(*net.TCPAddr)
}

// Hold keeps a connection open and reads what comes, until the other side or the test
// ends: the server that accepts and never answers.
func Hold(conn net.Conn) {
	for buffer := make([]byte, 1024); ; {
		if _, err := conn.Read(buffer); err != nil {
			return
		}
	}
}

// Endless listens on loopback and answers the one request of each connection with head
// and then piece, again and again, until the client leaves. Without a piece the answer
// ends after its head.
func Endless(t testing.TB, head, piece string) *net.TCPAddr {
	t.Helper()
	pieces := strings.Repeat(piece, 10_000)
	return Accept(t, func(conn net.Conn) {
		request, err := http.ReadRequest(bufio.NewReader(conn))
		if err != nil {
			return
		}
		// A client that still sends may say that it could not, and nothing of the answer.
		if _, err = io.Copy(io.Discard, request.Body); err != nil {
			return
		}
		_, err = io.WriteString(conn, head)
		for err == nil && piece != "" {
			_, err = io.WriteString(conn, pieces)
		}
	})
}
