package timeline

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/aproorg/sluice/internal/redact"
)

// DefaultLimit is how many events a Recorder keeps when it is not told: some
// minutes of heavy traffic, and about 20 MB once it is full.
const DefaultLimit = 1 << 16

// Recorder keeps the newest events in memory and hands them to subscribers.
//
// When it is full the oldest events go, but those that still hold stay: where an
// environment that lives is, and which requests are under way. A reader that
// comes late therefore sees what is going on, if not all that went before.
// All methods may be called concurrently; none waits for a subscriber.
type Recorder struct {
	limit int

	mu    sync.Mutex
	seq   uint64 // of the newest event
	ring  []Event
	open  map[openKey]Event // newest event of each thing that has not ended
	wakes map[*Subscription]chan<- struct{}
}

// openKey names what an event says something about until another one ends it.
type openKey struct {
	kind Kind
	hop  Hop
	id   string
}

// NewRecorder returns a Recorder for limit events; 0 means DefaultLimit.
func NewRecorder(limit int) *Recorder {
	if limit <= 0 {
		limit = DefaultLimit
	}
	return &Recorder{
		limit: limit,
		open:  make(map[openKey]Event),
		wakes: make(map[*Subscription]chan<- struct{}),
	}
}

// Record takes an event, numbers it and wakes the subscribers. It is a Record. What
// looks like a secret in a path or a text does not get into the record, and so to
// nobody who shows it (package redact).
func (r *Recorder) Record(e Event) {
	if e.Time.IsZero() {
		e.Time = time.Now()
	}
	e.Path, e.Note, e.Error = redact.Text(e.Path), redact.Text(e.Note), redact.Text(e.Error)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.seq++
	e.Seq = r.seq
	if len(r.ring) < r.limit {
		r.ring = append(r.ring, e)
	} else {
		r.ring[r.index(e.Seq)] = e
	}
	r.track(e)
	for _, wake := range r.wakes {
		select {
		case wake <- struct{}{}:
		default: // it has been woken and not looked yet
		}
	}
}

// index is the place of an event in a ring that is full.
func (r *Recorder) index(seq uint64) int { return int((seq - 1) % uint64(r.limit)) }

// track keeps what has begun and drops what has ended.
func (r *Recorder) track(e Event) {
	switch e.Kind {
	case RequestStart, RequestFirstByte, Upload:
		r.open[openKey{e.Kind, e.Hop, e.Request}] = e
	case Invoke:
		r.open[openKey{kind: Invoke, id: e.Request}] = e
	case RequestEnd:
		delete(r.open, openKey{RequestStart, e.Hop, e.Request})
		delete(r.open, openKey{RequestFirstByte, e.Hop, e.Request})
		delete(r.open, openKey{Upload, e.Hop, e.Request})
		if e.Hop == Lambda {
			delete(r.open, openKey{kind: Invoke, id: e.Request})
		}
	case EnvironmentState:
		key := openKey{kind: EnvironmentState, id: e.Environment}
		if e.State == Killed {
			delete(r.open, key)
			return
		}
		r.open[key] = e
	}
}

// Since returns the events after the given number, oldest first, and how many
// of them have been dropped.
func (r *Recorder) Since(after uint64) (events []Event, missed uint64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if after >= r.seq {
		return nil, 0
	}
	first := r.seq - uint64(len(r.ring)) + 1 // oldest in the ring
	if after+1 < first {
		events = r.openBetween(after, first)
		missed = first - after - 1 - uint64(len(events))
		after = first - 1
	}
	for seq := after + 1; seq <= r.seq; seq++ {
		events = append(events, r.ring[r.index(seq)])
	}
	return events, missed
}

// openBetween returns what still holds of the events between two numbers.
func (r *Recorder) openBetween(after, before uint64) []Event {
	held := slices.SortedFunc(maps.Values(r.open), func(a, b Event) int {
		return int(int64(a.Seq) - int64(b.Seq))
	})
	return slices.DeleteFunc(held, func(e Event) bool { return e.Seq <= after || e.Seq >= before })
}

// Subscribe follows the events after the given number; 0 begins with the oldest
// that is kept. The subscription must be closed.
func (r *Recorder) Subscribe(after uint64) *Subscription {
	wake := make(chan struct{}, 1)
	wake <- struct{}{}
	s := &Subscription{recorder: r, after: after, wake: wake}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.wakes[s] = wake
	return s
}

// Subscription is a reader's place in the record. It holds no events of its
// own: a reader that is slow misses events, and slows nobody. One goroutine may
// use it at a time.
type Subscription struct {
	recorder *Recorder
	after    uint64
	wake     <-chan struct{}
}

// Next waits for events and returns all that have come since the last call, and
// how many were dropped before they could be read. Its only error is that of ctx.
func (s *Subscription) Next(ctx context.Context) (events []Event, missed uint64, err error) {
	for {
		select {
		case <-ctx.Done():
			return nil, 0, ctx.Err()
		case <-s.wake:
		}
		if events, missed = s.recorder.Since(s.after); len(events) > 0 {
			s.after = events[len(events)-1].Seq
			return events, missed, nil
		}
	}
}

// Close ends the subscription.
func (s *Subscription) Close() {
	s.recorder.mu.Lock()
	defer s.recorder.mu.Unlock()
	delete(s.recorder.wakes, s)
}
