package bootstrap_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aproorg/sluice/internal/testkit"
)

// addressSpace is the limit under which the bootstrap runs here, in kB. Go reserves more than 1 GB of addresses at its start,
// which no memory stands behind.
const addressSpace = 2_500_000

// limited starts a command under the limit.
var limited = []string{"sh", "-c", "ulimit -v " + strconv.Itoa(addressSpace) + `; exec "$@"`, "sh"}

// TestNoAnswerFillsTheMemory runs the bootstrap under a limit that its memory cannot pass, behind an app that never ends what it says.
func TestNoAnswerFillsTheMemory(t *testing.T) {
	if len(raceFlags) > 0 {
		t.Skip("the race detector takes more addresses than the limit; run without -race: go test ./internal/bootstrap")
	}
	w := startBy(t, limited, goApp("bin"))
	first := w.do(get("/pid")).body
	begin := "HTTP/1.1 200 OK\r\n"
	for name, test := range map[string]struct{ head, piece, want string }{
		"fields":            {begin, "A: b\r\n", "passes 65536 bytes"},
		"one line":          {begin + "X: ", "x", "passes 65536 bytes"},
		"status line":       {"", "HTTP/1.1 200 ", "passes 65536 bytes"},
		"informational":     {"", "HTTP/1.1 103 Early Hints\r\n\r\n", "more than 8 informational"},
		"large early hints": {"", "HTTP/1.1 103 Early Hints\r\nLink: " + strings.Repeat("x", 9000) + "\r\n\r\n", "passes 65536 bytes"},
	} {
		got := w.do(get(fmt.Sprintf("/endless?head=%x&piece=%x", test.head, test.piece)))
		if got.status != 502 || !strings.Contains(got.body, test.want) {
			t.Errorf("%s: status %d, %s; want %s", name, got.status, got.body, test.want)
		}
	}
	chunked := begin + "Transfer-Encoding: chunked\r\n\r\n"
	for name, test := range map[string]struct{ head, piece string }{
		"trailers":   {chunked + "0\r\n", "A: b\r\n"},
		"chunk size": {chunked, "0"},
	} {
		got := w.do(get(fmt.Sprintf("/endless?head=%x&piece=%x", test.head, test.piece)))
		if got.status != 200 || got.broken() != "Sluice.AppBroke" {
			t.Errorf("%s: status %d, broken %q", name, got.status, got.broken())
		}
	}
	if got := w.doFor(get("/pid"), 10*time.Second); got.body != first {
		t.Errorf("the app's process was %s and is %s", first, got.body)
	}
}

// TestNoEventFillsTheMemory: the same before a Runtime API that never ends what it says. The environment ends, with the reason.
func TestNoEventFillsTheMemory(t *testing.T) {
	if len(raceFlags) > 0 {
		t.Skip("the race detector takes more addresses than the limit; run without -race: go test ./internal/bootstrap")
	}
	for name, test := range map[string]struct{ head, piece, want string }{
		"fields": {"HTTP/1.1 200 OK\r\n", "A: b\r\n", "passes 65536 bytes"},
		"line":   {"HTTP/1.1 200 OK\r\nX: ", "x", "passes 65536 bytes"},
		"event":  {"HTTP/1.1 200 OK\r\nLambda-Runtime-Deadline-Ms: 1\r\n\r\n", "x", "event of more than 16777216 bytes"},
	} {
		address := testkit.Accept(t, func(conn net.Conn) {
			if _, err := http.ReadRequest(bufio.NewReader(conn)); err != nil {
				return
			}
			_, err := io.WriteString(conn, test.head)
			for piece := strings.Repeat(test.piece, 10_000); err == nil; {
				_, err = io.WriteString(conn, piece)
			}
		})
		args := slices.Concat(limited, []string{build(t), "--"}, goApp("bin"))
		cmd := exec.CommandContext(t.Context(), args[0], args[1:]...)
		cmd.Env = append(os.Environ(), "AWS_LAMBDA_RUNTIME_API="+address.String(), "SLUICE_EXTENSION=false")
		out, err := cmd.CombinedOutput()
		if cmd.ProcessState.ExitCode() != 1 || !strings.Contains(string(out), test.want) {
			t.Errorf("%s: %v, want %s:\n%.2000s", name, err, test.want, out)
		}
	}
}

// TestLargeEvent: an event that passes the limit fails alone; the environment and its app live on.
func TestLargeEvent(t *testing.T) {
	if len(raceFlags) > 0 {
		t.Skip("the race detector takes more addresses than the limit; run without -race: go test ./internal/bootstrap")
	}
	w := startBy(t, limited, goApp("bin"))
	first := w.do(get("/pid")).body
	for range 3 {
		inv := w.invoke(bytes.Repeat([]byte("x"), 17<<20), time.Minute)
		if inv.Failure == nil || inv.Failure.Type != "Sluice.EventTooLarge" || !strings.Contains(inv.Failure.Message, "17825792 bytes, more than 16777216") {
			t.Fatalf("it was answered with %+v", inv.Failure)
		}
	}
	if got := w.do(get("/pid")); got.body != first {
		t.Errorf("the app's process was %s and is %s", first, got.body)
	}
}
