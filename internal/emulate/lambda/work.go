package lambda

import (
	"fmt"
	"time"

	"github.com/aproorg/sluice/internal/timeline"
)

// invoke takes one invocation from its event to the runtime's next call of next,
// which can be long after the response has ended.
func (e *environment) invoke(v *invocation) {
	defer v.cancel()
	begin := time.Now()
	v.began, v.deadline = begin, begin.Add(e.em.cfg.Function.Timeout)
	v.answered = &e.responded
	e.current.Store(v)
	defer e.current.Store(nil)
	e.mu.Lock()
	e.invocations++
	e.tail = v.tail
	e.mu.Unlock()
	e.em.cfg.Record.Emit(timeline.Event{Time: begin, Kind: timeline.Invoke, Request: v.request, Environment: e.id, Invocation: v.id})
	e.log("START RequestId: " + v.id + " Version: " + e.em.cfg.Version)
	f := e.serve(v)
	e.sampleMemory()
	e.log("END RequestId: " + v.id)
	e.log(e.report(v, time.Since(begin), f))
	e.mu.Lock()
	e.tail = nil
	e.mu.Unlock()
}

// serve returns the failure of the invocation, if any. A session that cannot go
// on is ended here.
func (e *environment) serve(v *invocation) *failure {
	if e.session == nil {
		e.setState(timeline.Init, "repeated within the invocation")
		begin := time.Now()
		f := e.start(v.id, v.deadline)
		e.log(initReport(time.Since(begin), "invoke", f))
		if f != nil {
			e.log(f.message())
			v.end(f)
			e.endSession(shutdownReason(f))
			return f
		}
	} else {
		e.thaw()
	}
	e.setState(timeline.Busy, "")
	f, fatal := e.work(v)
	if fatal {
		e.log(f.message())
		v.end(f)
		v.cancel()
		e.endSession(shutdownReason(f))
	}
	return f
}

// work waits for the end of the invocation. A fatal failure is one after which
// the session cannot go on.
func (e *environment) work(v *invocation) (f *failure, fatal bool) {
	s := e.session
	idle := s.begin(v)
	timer := time.NewTimer(time.Until(v.deadline))
	defer timer.Stop()
	memory := e.watchMemory()
	defer memory.Stop()
	give, responded, killed := s.work, v.responded, e.killed
	for {
		select {
		case give <- v:
			give = nil
		case <-responded:
			responded = nil
			if v.truncated {
				return e.broken(s, v), true
			}
			e.setState(timeline.Draining, "")
		case <-idle:
			if responded != nil {
				e.setState(timeline.Draining, "")
			}
			return v.failed, false
		case <-s.exited:
			return e.crashed(s, v), true
		case name := <-s.crash:
			return fail(typeExtension, v.id, "extension %s ended: %s", name, s.externals[name].Exit()), true
		case <-s.failedInit:
			return s.initError, true
		case <-timer.C:
			return e.timedOut(v.id), true
		case <-memory.C:
			e.checkMemory()
		case <-killed:
			killed = nil
			_ = e.group.Kill() // seen as the runtime's exit
		}
	}
}

func (e *environment) timedOut(request string) *failure {
	timeout := e.em.cfg.Function.Timeout.Seconds()
	e.log(fmt.Sprintf("%s %s Task timed out after %.2f seconds", time.Now().UTC().Format("2006-01-02T15:04:05.000Z"), request, timeout))
	e.hit("timed out after %.2f seconds", timeout)
	return fail(typeTimeout, request, "Task timed out after %.2f seconds", timeout)
}

// crashed is called when the runtime has ended. What it had written before is
// still on its way, so a response that was complete stays so.
func (e *environment) crashed(s *session, v *invocation) *failure {
	s.mu.Lock()
	answering := s.phase == phaseResponse
	s.mu.Unlock()
	if answering {
		select {
		case <-v.responded:
		case <-time.After(time.Second):
		}
	}
	return e.exitFailure(s, v.id)
}

// broken is called when a response broke off: mostly the runtime is ending.
func (e *environment) broken(s *session, v *invocation) *failure {
	select {
	case <-s.exited:
		return e.exitFailure(s, v.id)
	case <-time.After(500 * time.Millisecond):
		return fail(typeTruncated, v.id, "Runtime truncated the response")
	}
}
