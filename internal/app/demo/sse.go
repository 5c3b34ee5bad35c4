package demo

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
)

// event is one server-sent event (WHATWG HTML, 9.2) and one line of a stream's log.
type event struct {
	ID   int    `json:"id"`
	Name string `json:"name"`
	Data any    `json:"data"`
}

// last reports whether a stream ends with this event.
func (e event) last() bool { return e.Name == "done" || e.Name == "error" }

// sseWriter writes events to a client, each flushed as it is written.
type sseWriter struct {
	w  http.ResponseWriter
	rc *http.ResponseController
}

// startSSE sends the head of an event stream.
func startSSE(w http.ResponseWriter) (*sseWriter, error) {
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-cache, no-transform")
	w.WriteHeader(http.StatusOK)
	s := &sseWriter{w: w, rc: http.NewResponseController(w)}
	if err := s.rc.Flush(); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return nil, fmt.Errorf("flush the head of a stream: %w", err)
	}
	return s, nil
}

// send writes one event. JSON has no raw line breaks, so that one data line is enough.
func (s *sseWriter) send(e event) error {
	data, err := json.Marshal(e.Data)
	if err != nil {
		return fmt.Errorf("encode event %d: %w", e.ID, err)
	}
	if _, err := fmt.Fprintf(s.w, "id: %d\nevent: %s\ndata: %s\n\n", e.ID, e.Name, data); err != nil {
		return err
	}
	if err := s.rc.Flush(); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return err
	}
	return nil
}

// resumeAfter returns the id of the last event that the client has: ?after=N, else the Last-Event-ID header, else -1.
func resumeAfter(r *http.Request) (int, error) {
	v := r.URL.Query().Get("after")
	if v == "" {
		v = r.Header.Get("Last-Event-ID")
	}
	if v == "" {
		return -1, nil
	}
	n, err := strconv.Atoi(v)
	if err != nil || n < -1 {
		return 0, fmt.Errorf("last event id %q is not a number", v)
	}
	return n, nil
}
