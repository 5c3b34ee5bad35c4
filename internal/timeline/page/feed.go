package page

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/aproorg/sluice/internal/timeline"
)

// Pace of the feed.
const (
	gather    = 40 * time.Millisecond // events of this time travel together
	keepAlive = 15 * time.Second      // silence before a comment is sent
	batchSize = 2000                  // events in one message
)

// batch is one message of the feed.
type batch struct {
	Now    float64 `json:"now"`    // when it was sent, on the events' clock
	Missed uint64  `json:"missed"` // events dropped before the first
	Events []event `json:"events"`
}

// event is a timeline event with its time as milliseconds since the page's
// start, for a browser's own parser of dates stops at whole milliseconds.
type event struct {
	timeline.Event
	Time *struct{} `json:"time,omitempty"` // hides Event.Time
	T    float64   `json:"t"`
}

// events streams the record from the event that the browser saw last.
func (p *page) events(w http.ResponseWriter, r *http.Request) {
	after, err := lastSeen(r)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	w.Header().Set("Content-Type", "text/event-stream")
	subscription := p.Recorder.Subscribe(after)
	defer subscription.Close()
	if err := p.follow(r.Context(), w, subscription); err != nil && r.Context().Err() == nil {
		p.Logger.Debug("feed the timeline page", "error", err)
	}
}

// lastSeen is where a browser that reconnects wants to go on.
func lastSeen(r *http.Request) (uint64, error) {
	id := r.Header.Get("Last-Event-ID")
	if id == "" {
		id = r.URL.Query().Get("after")
	}
	if id == "" {
		return 0, nil
	}
	after, err := strconv.ParseUint(id, 10, 64)
	if err != nil {
		return 0, fmt.Errorf("last event id %q is not a number", id)
	}
	return after, nil
}

// follow writes batches until the browser leaves.
func (p *page) follow(ctx context.Context, w http.ResponseWriter, subscription *timeline.Subscription) error {
	flush := http.NewResponseController(w).Flush
	for {
		events, missed, err := next(ctx, subscription)
		if err != nil {
			return err
		}
		if len(events) == 0 {
			fmt.Fprint(w, ": still here\n\n")
		}
		for len(events) > 0 {
			n := min(batchSize, len(events))
			if err := p.write(w, events[:n], missed); err != nil {
				return err
			}
			events, missed = events[n:], 0
		}
		if err := flush(); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(gather):
		}
	}
}

// next waits for events, or gives none when it is time for a sign of life.
func next(ctx context.Context, subscription *timeline.Subscription) ([]timeline.Event, uint64, error) {
	wait, cancel := context.WithTimeout(ctx, keepAlive)
	defer cancel()
	events, missed, err := subscription.Next(wait)
	if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
		return nil, 0, nil
	}
	return events, missed, err
}

// write sends one message, numbered so that a reconnect goes on behind it.
func (p *page) write(w http.ResponseWriter, events []timeline.Event, missed uint64) error {
	message := batch{Now: p.milliseconds(time.Now()), Missed: missed, Events: make([]event, len(events))}
	for i, e := range events {
		message.Events[i] = event{Event: e, T: p.milliseconds(e.Time)}
	}
	data, err := json.Marshal(message)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(w, "id: %d\ndata: %s\n\n", events[len(events)-1].Seq, data)
	return err
}
