package mcp

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/aproorg/sluice/internal/timeline"
)

// watched is a server behind a watch. Its answers follow the request's header fields: Env is the environment that
// serves it, Status and Body the answer.
func watched(t *testing.T) (url string, warned func() string, w *watch) {
	t.Helper()
	recorder := timeline.NewRecorder(0)
	w = &watch{path: "/mcp", timeline: recorder}
	requests := 0
	s := httptest.NewServer(w.observe(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		requests++
		id := fmt.Sprint("request-", requests)
		recorder.Record(timeline.Event{Kind: timeline.Invoke, Request: id, Environment: r.Header.Get("Env")})
		rw.Header().Set(requestHeader, id)
		if session := r.Header.Get("Open"); session != "" {
			rw.Header().Set(sessionHeader, session)
		}
		status := http.StatusOK
		if r.Header.Get("Status") != "" {
			fmt.Sscan(r.Header.Get("Status"), &status)
			rw.WriteHeader(status)
		}
		io.WriteString(rw, r.Header.Get("Body"))
	})))
	t.Cleanup(s.Close)
	return s.URL, func() string { return said(recorder) }, w
}

// said are the notices, a line each.
func said(recorder *timeline.Recorder) string {
	var notes []string
	events, _ := recorder.Since(0)
	for _, e := range events {
		if e.Kind == timeline.Notice {
			notes = append(notes, e.Note)
		}
	}
	return strings.Join(notes, "\n")
}

func send(t *testing.T, method, url string, header ...string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if _, err := io.Copy(io.Discard, res.Body); err != nil {
		t.Fatal(err)
	}
}

// TestSessionIsMissed: a refusal is put down to sessions only where another environment opened the request's own, and
// said once.
func TestSessionIsMissed(t *testing.T) {
	url, warned, w := watched(t)
	url += "/mcp"
	send(t, "POST", url, "Env", "env-1", "Open", "s-1")
	for _, header := range [][]string{
		{"Env", "env-1", sessionHeader, "s-1", "Status", "404"}, // its own: it has ended
		{"Env", "env-2", sessionHeader, "s-2", "Status", "404"}, // nobody opened it
		{"Env", "env-2", "Status", "400"},                       // a call without one
		{"Env", "env-2", sessionHeader, "s-1", "Status", "500"},
		{"Env", "env-2", sessionHeader, "s-1"}, // a store that all environments share
	} {
		send(t, "POST", url, header...)
	}
	if said := warned() + w.summary(0, 0); said != "" {
		t.Errorf("said %q", said)
	}
	for range 2 {
		send(t, "POST", url, "Env", "env-2", sessionHeader, "s-1", "Status", "404", "Body", `{"error":{"code":-32001,"message":"Session not found"}}`)
	}
	want := `env-2 does not know the MCP session that env-1 opened, so that POST /mcp got 404 "Session not found": `
	if said := warned(); !strings.HasPrefix(said, want) || strings.Contains(said, "\n") || !strings.Contains(said, "stateless_http=True") {
		t.Errorf("said %q, want %q… once, with the advice", said, want)
	}
	if said, want := w.summary(0, 0), "2 requests reached an environment that did not know their MCP session"; said != want {
		t.Errorf("summary %q, want %q", said, want)
	}
}

func TestHostIsRefused(t *testing.T) {
	url, warned, _ := watched(t)
	send(t, "POST", url+"/mcp", "Env", "env-1", "Status", "403", "Body", "no")
	send(t, "POST", url+"/other", "Env", "env-1", "Status", "421", "Body", "Invalid Host header")
	if said := warned(); said != "" {
		t.Errorf("said %q", said)
	}
	send(t, "POST", url+"/mcp", "Env", "env-1", "Status", "421", "Body", "Invalid Host header")
	if said := warned(); !strings.Contains(said, "POST /mcp got 421 because of its Host") || !strings.Contains(said, "DNS rebinding") {
		t.Errorf("said %q", said)
	}
}

// TestStreamPasses: what streams is not held back, and a stream to GET is named as what it costs; one that resumes is not.
func TestStreamPasses(t *testing.T) {
	next := make(chan bool)
	w := &watch{path: "/mcp"}
	s := httptest.NewServer(w.observe(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		rw.Header().Set("Content-Type", "text/event-stream")
		for range 2 {
			io.WriteString(rw, "data: x\n")
			if err := http.NewResponseController(rw).Flush(); err != nil {
				t.Error(err)
			}
			<-next
		}
	})))
	t.Cleanup(s.Close)
	for _, c := range []struct{ header, want string }{{"", "GET /mcp is a stream without an end: it keeps an environment busy"}, {"event-1", ""}} {
		w.timeline, w.streams = timeline.NewRecorder(0), 0
		r, _ := http.NewRequestWithContext(t.Context(), "GET", s.URL+"/mcp", nil)
		if c.header != "" {
			r.Header.Set(eventHeader, c.header)
		}
		res, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		for lines, n := bufio.NewScanner(res.Body), 0; lines.Scan(); n++ {
			if lines.Text() != "data: x" {
				t.Errorf("line %d: %q", n, lines.Text())
			}
			next <- true // the server goes on only once the line is here
		}
		res.Body.Close()
		if got := said(w.timeline); !strings.HasPrefix(got, c.want) || (got == "") != (c.want == "") {
			t.Errorf("said %q, want %q", got, c.want)
		}
	}
}
