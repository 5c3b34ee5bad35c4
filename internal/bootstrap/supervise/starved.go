package supervise

import (
	"fmt"
	"runtime"
	"time"
)

// A machine on which much else runs, as a rehearsal's may, gives an app less of a
// processor than it asks for. What the app waits for one is no fault of its start.

// thread is what the system tells of one thread of the app, or of all threads of a
// process where it tells no more.
type thread struct {
	state byte          // as in ps: R wants a processor or has one, T is stopped
	ran   time.Duration // on a processor
	held  time.Duration // waited for one, as far as that is accounted
}

// starvation adds up how long an app has waited for a processor.
type starvation struct {
	look   func() map[int]thread // by id
	before map[int]thread
	at     time.Time

	waited, total time.Duration
}

func newStarvation(pid int) *starvation {
	s := &starvation{look: func() map[int]thread { return threads(pid) }, at: time.Now()}
	s.before = s.look()
	return s
}

// share is the part of the time since the last call in which the thread that waited
// longest wanted a processor and had none. A nil starvation sees none.
func (s *starvation) share() float64 {
	if s == nil {
		return 0
	}
	now, after := time.Now(), s.look()
	passed := now.Sub(s.at)
	var most time.Duration
	for id, t := range after {
		most = max(most, waited(s.before[id], t, passed))
	}
	s.before, s.at = after, now
	s.waited, s.total = s.waited+most, s.total+passed
	return min(1, most.Seconds()/max(passed.Seconds(), 1e-6))
}

// waited is how long a thread has waited for a processor. The system accounts for a
// wait when it is over: of one that lasts, the states tell.
func waited(before, after thread, passed time.Duration) time.Duration {
	held := after.held - before.held
	switch {
	case after.state == 'T' && before.state == 'T':
		held = passed
	case after.state == 'R' && before.state == 'R':
		held = max(held, passed-(after.ran-before.ran))
	}
	return min(max(held, 0), passed)
}

// report says how long the app has waited, if that is worth a word.
func (s *starvation) report() string {
	if s == nil || s.waited < s.total/4 || s.waited < time.Second {
		return ""
	}
	const round = 100 * time.Millisecond
	text := fmt.Sprintf("for %v of %v it has waited for a processor", s.waited.Round(round), s.total.Round(round))
	if load := loadAverage(); load != "" {
		text += fmt.Sprintf(" (load average %s, processors %d)", load, runtime.NumCPU())
	}
	return text
}
