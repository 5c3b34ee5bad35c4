package environment

import (
	"cmp"
	"fmt"
	"time"

	"github.com/aproorg/sluice/internal/emulate/lambda/runtimeapi"
	"github.com/aproorg/sluice/internal/timeline"
)

// handle takes one invocation from its event to the runtime's next call of next,
// which can be long after the response has ended.
func (e *Environment) handle(v *Invocation) {
	defer v.GiveUp()
	v.By = e.id
	v.taken <- nil
	begin := time.Now()
	v.Began, v.Deadline = begin, begin.Add(e.cfg.Function.Timeout)
	v.Answered = func() { e.responded.Store(time.Now().UnixNano()) }
	e.current.Store(v)
	defer e.current.Store(nil)
	e.mu.Lock()
	e.invocations++
	e.tail = v.tail
	e.mu.Unlock()
	e.cfg.Record.Emit(timeline.Event{Time: begin, Kind: timeline.Invoke, Request: v.Request, Environment: e.id, Invocation: v.ID})
	e.log("START RequestId: " + v.ID + " Version: " + e.cfg.Version)
	f, fatal := e.serve(v)
	e.sampleMemory()
	m := e.measure(time.Since(begin))
	e.tellReport(v, m, f)
	if fatal {
		e.endSession(shutdownReason(f))
	}
	e.log("END RequestId: " + v.ID)
	e.log(m.line(v, f))
	e.mu.Lock()
	e.tail = nil
	e.mu.Unlock()
}

// serve returns the failure of the invocation, if any, and whether the session cannot
// go on.
func (e *Environment) serve(v *Invocation) (f *runtimeapi.Failure, fatal bool) {
	if e.session == nil {
		e.setState(timeline.Init, "repeated within the invocation")
		begin := time.Now()
		f := e.start(v.ID, v.Deadline)
		e.log(initReport(time.Since(begin), "invoke", f))
		if f != nil {
			e.log(f.Message())
			v.End(f)
			return f, true
		}
	} else {
		e.thaw()
	}
	e.setState(timeline.Busy, "")
	e.tellStart(v)
	f, fatal = e.work(v)
	e.tellRuntimeDone(v, f)
	if fatal {
		e.log(f.Message())
		v.End(f)
		v.GiveUp()
	}
	return f, fatal
}

// work waits for the end of the invocation. A fatal failure is one after which
// the session cannot go on.
func (e *Environment) work(v *Invocation) (f *runtimeapi.Failure, fatal bool) {
	s := e.session
	idle := s.Begin(v.Invocation)
	timer := time.NewTimer(time.Until(v.Deadline))
	defer timer.Stop()
	memory := e.watchMemory()
	defer memory.Stop()
	give, responded, killed := s.Work(), v.Responded(), e.killed
	for {
		select {
		case give <- v.Invocation:
			give = nil
		case <-responded:
			responded = nil
			if v.Truncated() {
				if f, fatal = e.broken(s, v, idle); fatal {
					return f, true
				}
			}
			e.setState(timeline.Draining, "")
		case <-idle:
			if responded != nil {
				continue // both came at once, and the answer first
			}
			return cmp.Or(f, v.Failure()), false
		case <-s.exited:
			return e.crashed(s, v), true
		case name := <-s.crash:
			return runtimeapi.Fail(runtimeapi.ExtensionCrash, v.ID, "extension %s ended: %s", name, s.externals[name].Exit()), true
		case <-s.Failed():
			return s.Failure(), true
		case <-timer.C:
			return e.timedOut(v.ID), true
		case <-memory.C:
			e.checkMemory()
		case <-killed:
			killed = nil
			_ = e.group.Kill() // seen as the runtime's exit
		}
	}
}

func (e *Environment) timedOut(request string) *runtimeapi.Failure {
	timeout := e.cfg.Function.Timeout.Seconds()
	e.log(fmt.Sprintf("%s %s Task timed out after %.2f seconds", time.Now().UTC().Format("2006-01-02T15:04:05.000Z"), request, timeout))
	e.hit("timed out after %.2f seconds", timeout)
	return runtimeapi.Fail(runtimeapi.Timeout, request, "Task timed out after %.2f seconds", timeout)
}

// crashed is called when the runtime has ended. What it had written before is
// still on its way, so a response that was complete stays so.
func (e *Environment) crashed(s *session, v *Invocation) *runtimeapi.Failure {
	if s.Answering() {
		select {
		case <-v.Responded():
		case <-time.After(time.Second):
		}
	}
	return e.exitFailure(s, v.ID)
}

// broken is called when a response broke off: mostly the runtime is ending, and its
// end says more. One that goes on keeps its environment.
func (e *Environment) broken(s *session, v *Invocation, idle <-chan struct{}) (f *runtimeapi.Failure, fatal bool) {
	select {
	case <-s.exited:
		return e.exitFailure(s, v.ID), true
	case <-idle:
	case <-time.After(500 * time.Millisecond):
	}
	f = runtimeapi.Fail(runtimeapi.TruncatedResponse, v.ID, "Runtime truncated the response")
	v.End(f)
	return f, false
}
