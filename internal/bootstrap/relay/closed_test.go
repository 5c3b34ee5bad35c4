package relay

import (
	"encoding/json"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aproorg/sluice/internal/bootstrap/runtimeapi/runtimetest"
)

// TestPathOfEventsIsClosedToTheWeb: no spelling of the path brings a request from the web to the app's handler of events, and
// an event gets there.
func TestPathOfEventsIsClosedToTheWeb(t *testing.T) {
	var mu sync.Mutex
	var seen []string
	address := rawApp(t, func(conn net.Conn, r *http.Request) {
		mu.Lock()
		seen = append(seen, r.Method+" "+r.RequestURI)
		mu.Unlock()
		_, _ = conn.Write([]byte("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nnull"))
	})
	stub := startRelay(t, address, func(c *Config) { c.Events.BasePath = "/prod" })
	closed := []string{"/events", "//events", "/events/", "/events//", "/%65vents", "/%2565vents", "/EVENTS", "/eventſ", "/event%C5%BF", "/./events", "/x/../events",
		"/x/%2e%2e/events", "/x%2f..%2fevents", `/\events`, "/%5cevents", "/events;a=1", "/events%3Ba", "/events%00", "/events%20", "/events%3fx", "/;/events", "/prod/events", "events",
		"/../events", "/events/.", "/%2565vents;%zz"}
	for _, path := range closed {
		for _, method := range []string{"POST", "PUT", "PATCH", "DELETE", "QUERY"} {
			if head, body := ask(t, stub, method, path, []byte("{}")); head.StatusCode != http.StatusForbidden || !strings.Contains(string(body), "events") {
				t.Errorf("%s %s: %d %s", method, path, head.StatusCode, body)
			}
		}
	}
	if head, _ := ask(t, stub, "GET", "/events", []byte("{}")); head.StatusCode != http.StatusForbidden {
		t.Errorf("GET with a body: %d", head.StatusCode)
	}
	if len(seen) > 0 {
		t.Errorf("the app saw %q", seen)
	}
	for _, open := range []string{"GET /events", "HEAD /events", "OPTIONS /events", "POST /events/x", "POST /x/events", "POST /event", "POST /eventsx", "POST /"} {
		method, path, _ := strings.Cut(open, " ")
		if path == "/" {
			continue // the probe's
		}
		if head, _ := ask(t, stub, method, path, nil); head.StatusCode != http.StatusOK {
			t.Errorf("%s: %d", open, head.StatusCode)
		}
	}
	seen = nil
	event, err := json.Marshal(map[string]any{"Records": []string{"x"}})
	if err != nil {
		t.Fatal(err)
	}
	inv := stub.Invoke(event, 20*time.Second)
	if err := inv.Answered(t.Context()); err != nil || inv.Failure != nil {
		t.Fatal(err, inv.Failure)
	}
	if len(seen) != 1 || seen[0] != "POST /events" {
		t.Errorf("of an event the app saw %q", seen)
	}
}

func TestMethodOverrideIsNoWayToThePathOfEvents(t *testing.T) {
	address := rawApp(t, func(_ net.Conn, r *http.Request) { t.Errorf("the app saw %s %s", r.Method, r.RequestURI) })
	stub := startRelay(t, address, nil)
	for _, name := range []string{"X-HTTP-Method-Override", "x-method-override", "X-HTTP-Method"} {
		event, err := json.Marshal(map[string]any{"httpMethod": "GET", "path": "/events", "multiValueHeaders": map[string][]string{"Host": {"h"}, name: {"POST"}}})
		if err != nil {
			t.Fatal(err)
		}
		inv := stub.Invoke(event, 20*time.Second)
		if err := inv.Answered(t.Context()); err != nil {
			t.Fatal(err)
		}
		if head, err := runtimetest.ReadHead(inv.Body); err != nil || head.StatusCode != http.StatusForbidden {
			t.Errorf("%s: %+v, %v", name, head, err)
		}
		if _, err := io.Copy(io.Discard, inv.Body); err != nil {
			t.Fatal(err)
		}
	}
}

func FuzzPlain(f *testing.F) {
	for _, s := range []string{"/events", "//%65vents/", `/\..;x/%2565vents`, "%", "/%zz%41", "/ſ"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, path string) {
		got := plain(path)
		if again := plain(got); again != got {
			t.Errorf("%q becomes %q, and that %q", path, got, again)
		}
		if !strings.HasPrefix(got, "/") || strings.Contains(got, "//") || strings.ContainsAny(got, ";?#\\\x00") {
			t.Errorf("%q becomes %q", path, got)
		}
	})
}
