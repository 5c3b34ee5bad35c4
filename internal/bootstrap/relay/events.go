package relay

import (
	"io"
	"time"

	"github.com/aproorg/sluice/internal/bootstrap/runtimeapi"
	"github.com/aproorg/sluice/internal/bootstrap/sse"
)

// eventStream is a text/event-stream on its way to Lambda: the app's bytes, heartbeats where it is silent, and an end before
// the deadline. One goroutine reads the app, so that Read can also wake for a timer.
type eventStream struct {
	inv     *invocation
	scanner sse.Scanner
	chunks  chan chunk
	quit    chan struct{}
	rest    []byte
	err     error
	// last is when something was sent, heard when the app last sent a field of an event: its comments are heartbeats too.
	last, heard time.Time
}

type chunk struct {
	data []byte
	err  error
}

// source yields the stream's pieces to emit until it is false or the source is at its end, which it returns.
type source func(emit func([]byte) bool) error

const streamBuffer = 32 << 10

// fromBody reads into two buffers in turn: while one is sent, the other may be filled.
func fromBody(body io.Reader) source {
	return func(emit func([]byte) bool) error {
		var buffers [2][]byte
		for i := 0; ; i ^= 1 {
			if buffers[i] == nil {
				buffers[i] = make([]byte, streamBuffer)
			}
			n, err := body.Read(buffers[i])
			if n > 0 && !emit(buffers[i][:n]) {
				return nil
			}
			if err != nil {
				return err
			}
		}
	}
}

// newEventStream starts reading. stop must be called.
func (inv *invocation) newEventStream(from source) *eventStream {
	s := &eventStream{inv: inv, chunks: make(chan chunk), quit: make(chan struct{}), last: time.Now(), heard: time.Now()}
	go func() {
		defer close(s.chunks)
		emit := func(data []byte) bool { return s.emit(chunk{data: data}) }
		s.emit(chunk{err: from(emit)})
	}()
	return s
}

func (s *eventStream) emit(c chunk) bool {
	select {
	case s.chunks <- c:
		return true
	case <-s.quit:
		return false
	}
}

// stop ends the stream and waits for its goroutine; the source must have been closed or cancelled.
func (s *eventStream) stop() {
	close(s.quit)
	for range s.chunks {
	}
}

// Read yields each piece of the app as it comes.
func (s *eventStream) Read(p []byte) (int, error) {
	if len(s.rest) == 0 && s.err == nil {
		s.rest, s.err = s.next()
	}
	n := copy(p, s.rest)
	s.rest = s.rest[n:]
	if n > 0 {
		s.last = time.Now()
		return n, nil
	}
	return 0, s.err
}

// next waits for the app, the heartbeat or the deadline, whichever comes first.
func (s *eventStream) next() ([]byte, error) {
	for {
		timer := time.NewTimer(s.untilWake())
		select {
		case c, ok := <-s.chunks:
			timer.Stop()
			if !ok {
				return nil, io.EOF
			}
			return s.take(c)
		case <-timer.C:
		}
		if data, err, ok := s.wake(time.Now()); ok {
			return data, err
		}
	}
}

func (s *eventStream) take(c chunk) ([]byte, error) {
	if s.scanner.Feed(c.data) {
		s.heard = time.Now()
	}
	if c.err == nil || c.err == io.EOF {
		return c.data, c.err
	}
	return nil, s.inv.brokeOff(c.err)
}

// untilWake is the time to the next thing to do by itself. Where no heartbeat may stand there is none to send, and after the cut
// only the event's end, or half of the margin, is waited for.
func (s *eventStream) untilWake() time.Duration {
	now := time.Now()
	wake := s.inv.cut
	if !now.Before(wake) {
		wake = s.inv.cut.Add(s.inv.margin / 2)
	}
	if beat := s.last.Add(s.inv.cfg.Heartbeat); s.inv.cfg.Heartbeat > 0 && s.beat() != "" && beat.Before(wake) {
		wake = beat
	}
	if silent := s.heard.Add(s.inv.cfg.SilenceLimit); s.inv.cfg.SilenceLimit > 0 && silent.Before(wake) {
		wake = silent
	}
	return wake.Sub(now)
}

// wake does what is due at now, if anything.
func (s *eventStream) wake(now time.Time) (data []byte, err error, ok bool) {
	between := s.scanner.Between()
	switch {
	case !now.Before(s.inv.cut) && between:
		data, err = s.cut()
		return data, err, true
	case !now.Before(s.inv.cut.Add(s.inv.margin / 2)):
		return nil, s.breakOff(), true
	case s.inv.cfg.SilenceLimit > 0 && now.Sub(s.heard) >= s.inv.cfg.SilenceLimit:
		s.inv.log.Warn("a silent event stream was broken off", "path", s.inv.req.Path)
		return nil, &runtimeapi.Failure{Type: "Sluice.Silent", Message: "the app has sent no event for " + s.inv.cfg.SilenceLimit.String()}, true
	case s.inv.cfg.Heartbeat > 0 && s.beat() != "" && now.Sub(s.last) >= s.inv.cfg.Heartbeat:
		return []byte(s.beat()), nil, true
	}
	return nil, nil, false
}

// beat is the heartbeat that may stand here, or "".
func (s *eventStream) beat() string { return s.inv.cfg.HeartbeatForm.Beat(&s.scanner) }

// cut is the end of the stream at the deadline: an event that its client takes for an error. A stream that its client can resume
// by the ids of its events is broken off instead: to a JSON-RPC request an error would be the answer.
func (s *eventStream) cut() ([]byte, error) {
	event := s.inv.cfg.DeadlineEvent
	if event == "" {
		return nil, s.breakOff()
	}
	last := sse.AppendEvent(nil, "error", event)
	if ids := rpcRequests(s.inv.req.Body); len(ids) > 0 {
		if s.scanner.Style().IDs {
			return nil, s.breakOff()
		}
		var err error
		if last, err = appendRPC(nil, ids, deadlineError(event)); err != nil {
			return nil, err
		}
	}
	s.inv.log.Warn("an event stream was ended at the deadline", "path", s.inv.req.Path)
	return last, io.EOF
}

func (s *eventStream) breakOff() error {
	s.inv.log.Warn("an event stream was broken off at the deadline", "path", s.inv.req.Path)
	return &runtimeapi.Failure{Type: "Sluice.Deadline", Message: errCut.Error()}
}
