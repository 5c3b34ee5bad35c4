package probe_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aproorg/sluice/internal/probe/description"
	"github.com/aproorg/sluice/internal/probe/report"
)

// talker is an app whose stream goes on whoever reads it, until it is stopped.
type talker struct {
	loses    bool // what was said before the stop
	forgets  bool // what was said before a reader came
	deaf     bool // to the stop
	mu       sync.Mutex
	begun    time.Time
	stopped  chan struct{}
	finished atomic.Value // what is saved, a string
}

// said is the text so far, a word each 10 ms.
func (a *talker) said() []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.begun.IsZero() {
		a.begun = time.Now()
	}
	var words []string
	for i := range int(time.Since(a.begun) / (10 * time.Millisecond)) {
		words = append(words, fmt.Sprintf("word-%d ", i))
	}
	return words
}

func (a *talker) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch r.URL.Path {
	case "/stream":
		a.stream(w, r)
	case "/stop":
		if !a.deaf {
			if !a.loses {
				a.finished.Store(strings.Join(a.said(), ""))
			}
			close(a.stopped)
		}
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprint(w, `{}`)
	case "/saved":
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(w, `[{"text":%q}]`, fmt.Sprint(a.finished.Load()))
	}
}

func (a *talker) stream(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/event-stream")
	sent := 0
	if a.forgets {
		sent = len(a.said())
	}
	for {
		for _, word := range a.said()[sent:] {
			fmt.Fprintf(w, "data: {\"type\":\"text\",\"text\":%q}\n\n", word)
			sent++
		}
		_ = http.NewResponseController(w).Flush()
		select {
		case <-r.Context().Done():
			return
		case <-a.stopped:
			fmt.Fprint(w, "data: {\"final\":true}\n\n")
			return
		case <-time.After(5 * time.Millisecond): // the pace of its words
		}
	}
}

func TestStoppedStreams(t *testing.T) {
	d := description.Description{App: "talker", Stopped: &description.Stopped{
		Stream: description.Stream{Request: description.Request{Path: "/stream"}, Final: `"final":true`},
		Text:   `"type":"text","text":"([^"]*)"`, Resume: &description.Request{Path: "/stream"},
		Stop: description.Request{Method: "POST", Path: "/stop"}, Saved: description.Request{Path: "/saved"},
	}}
	for name, c := range map[string]struct {
		app  *talker
		want string // in the detail of a failure; empty where all is well
	}{
		"whole":   {&talker{}, ""},
		"loses":   {&talker{loses: true}, "is not in /saved"},
		"forgets": {&talker{forgets: true}, "the second reader did not get"},
		"deaf":    {&talker{deaf: true}, "did not end within"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c.app.stopped = make(chan struct{})
			o := short()
			o.Timeout = time.Second
			got := result(t, verify(t, serve(t, c.app), d, o), "stream left and stopped")
			if c.want == "" && (got.Status != report.Pass || !strings.Contains(got.Detail, "a second reader has too")) {
				t.Errorf("%s: %s", got.Status, got.Detail)
			}
			if c.want != "" && (got.Status != report.Fail || !strings.Contains(got.Detail, c.want)) {
				t.Errorf("%s: %s, want a failure with %q", got.Status, got.Detail, c.want)
			}
		})
	}
}
