package rehearsal_test

import (
	"bytes"
	"context"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aproorg/sluice/internal/emulate/mongo"
)

// saves notes when conversations were written to the embedded database.
type saves struct {
	mu     sync.Mutex
	writes []save
}

type save struct {
	at      time.Time
	command []byte
}

func (s *saves) note(w mongo.Write) {
	now := time.Now()
	if w.Collection != "messages" && w.Collection != "conversations" {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.writes = append(s.writes, save{now, w.Command})
}

// last is when a conversation or a message of it was last written.
func (s *saves) last(conversation string) (at time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, w := range s.writes {
		if bytes.Contains(w.command, []byte(conversation)) {
			at = w.at
		}
	}
	return at
}

// steady is a clock that stands still while the machine gives a trivial timer no
// turn. A limit in its time holds on a machine at work as on one at rest: it runs
// as wall time where nothing waits for a processor.
type steady struct {
	mu    sync.Mutex
	ticks []time.Time
}

const tick = 10 * time.Millisecond

// start runs the clock until the test ends.
func (s *steady) start(t testing.TB) {
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() {
		for ctx.Err() == nil {
			time.Sleep(tick) // the clock's own step
			s.mu.Lock()
			s.ticks = append(s.ticks, time.Now())
			s.mu.Unlock()
		}
	})
	t.Cleanup(func() { cancel(); running.Wait() })
}

// between is the clock's time between two of the wall's.
func (s *steady) between(from, to time.Time) time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	first, _ := slices.BinarySearchFunc(s.ticks, from, time.Time.Compare)
	last, _ := slices.BinarySearchFunc(s.ticks, to, time.Time.Compare)
	return time.Duration(last-first) * tick
}

// within ends the context it returns once so much of the clock's time has passed.
func (s *steady) within(ctx context.Context, limit time.Duration) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	begun := time.Now()
	go func() { // ends with ctx
		for s.between(begun, time.Now()) < limit && ctx.Err() == nil {
			time.Sleep(10 * tick) // of the wall's clock; the other one may stand still
		}
		cancel()
	}()
	return ctx, cancel
}

// finished is what there was to be done for an answer, and when it was done.
type finished struct {
	answer, title time.Time // the model's last words
	saved         time.Time // the last write of the conversation and its messages
	responded     time.Time // the end of the POST's response; it is the final event where the POST is the stream
}

// finished looks the ends of a question's work up. key is the question's first word.
func (w *world) finished(t testing.TB, p *person, q question) finished {
	t.Helper()
	model, key := w.answers(), strings.Fields(q.text)[0]
	f := finished{answer: model[key].Ended, title: model["title "+key].Ended, responded: w.works()[q.request].responded}
	if f.saved = w.saves.last(q.conversation); f.saved.IsZero() { // a stand-in's database
		f.saved = p.conversation(t, q.conversation).UpdatedAt
	}
	return f
}

// froze holds an environment to its promise: it freezes within a second of the end
// of its work, and not before. It returns how long it took by the wall's clock.
func (w *world) froze(t testing.TB, key string, done work, f finished) time.Duration {
	t.Helper()
	end := latest(f.answer, f.title, f.saved, f.responded)
	took := done.rested.Sub(end)
	switch {
	case done.rested.IsZero():
		t.Errorf("%s: %s has not frozen", key, done.environment)
	case done.rested.Before(f.saved):
		t.Errorf("%s: %s froze %v before its work was saved", key, done.environment, f.saved.Sub(done.rested))
	case w.clock.between(end, done.rested) > time.Second:
		t.Errorf("%s: %s froze %v after the end of its work, want within a second; answer %v, title %v, saved %v, response %v before that\n%s",
			key, done.environment, took, end.Sub(f.answer), end.Sub(f.title), end.Sub(f.saved), end.Sub(f.responded), w.diary(done.environment))
	}
	return took
}

// readersFroze holds the environments of all other requests to the same: they
// have no work after their response.
func (w *world) readersFroze(t testing.TB, chats map[string]bool) {
	t.Helper()
	w.rest(t, func() {}) // the last request has only just been answered
	var took []time.Duration
	for request, done := range w.works() {
		if !chats[request] && !done.killed && !done.responded.IsZero() {
			took = append(took, w.froze(t, "request "+request, done, finished{responded: done.responded}))
		}
	}
	tell(t, "other environments froze after the end of their response", took)
}

// tell logs how durations are spread.
func tell(t testing.TB, what string, d []time.Duration) {
	t.Helper()
	if len(d) == 0 {
		return
	}
	slices.Sort(d)
	at := func(share int) time.Duration { return d[(len(d)-1)*share/100].Round(time.Millisecond) }
	t.Logf("%s: %d, p50 %v, p90 %v, most %v", what, len(d), at(50), at(90), at(100))
}

func TestSteadyClock(t *testing.T) {
	var s steady
	begin := time.Unix(1000, 0)
	for _, ms := range []int{10, 20, 30, 530, 540} { // half a second without a turn
		s.ticks = append(s.ticks, begin.Add(time.Duration(ms)*time.Millisecond))
	}
	if got := s.between(begin, begin.Add(535*time.Millisecond)); got != 4*tick {
		t.Errorf("%v have passed, want %v", got, 4*tick)
	}
	if got := s.between(begin.Add(20*time.Millisecond), begin.Add(30*time.Millisecond)); got != tick {
		t.Errorf("%v have passed, want %v", got, tick)
	}
}
