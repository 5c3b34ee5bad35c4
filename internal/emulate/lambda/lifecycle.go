package lambda

import (
	"time"

	"github.com/aproorg/sluice/internal/emulate/lambda/sandbox"
	"github.com/aproorg/sluice/internal/timeline"
)

// coldStart is the init phase. A failure is no failure yet: Lambda repeats the
// phase within the first invocation.
// https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html
func (e *environment) coldStart() {
	e.setState(timeline.Init, "")
	limit := e.em.cfg.Limits.Init
	if e.provisioned && limit == defaultInit {
		limit = max(provisionedInit, e.em.cfg.Function.Timeout)
	}
	begin := time.Now()
	f := e.start("", begin.Add(limit))
	took := time.Since(begin)
	if f == nil {
		e.initTime = took
		return
	}
	e.log(initReport(took, "init", f))
	e.hit("init failed after %s (%s); it is repeated within the invocation", took.Round(time.Millisecond), f.kind)
	e.endSession(shutdownReason(f))
}

// start runs the extensions and the runtime up to their first call of next. The
// caller ends the session when it fails.
func (e *environment) start(request string, deadline time.Time) *failure {
	s := newSession()
	e.session, e.oom = s, false
	e.thaw()
	e.api.use(s)
	timer := time.NewTimer(time.Until(deadline))
	defer timer.Stop()
	for _, x := range e.em.cfg.Extensions {
		p, err := e.group.Start(e.spec(x.Command))
		if err != nil {
			return fail("Extension.LaunchError", request, "%v", err)
		}
		s.externals[x.Name] = p
		s.watchers.Go(func() { <-p.Done(); s.crash <- x.Name })
	}
	for range e.em.cfg.Extensions {
		if f := e.wait(s, s.registeredExternal, nil, timer.C, request); f != nil {
			return f
		}
	}
	p, err := e.group.Start(e.spec(e.em.cfg.Process.Command))
	if err != nil {
		return fail("Runtime.InvalidEntrypoint", request, "%v", err)
	}
	s.runtime, s.exited = p, p.Done()
	e.setPID(p.PID())
	return e.wait(s, nil, s.idle, timer.C, request)
}

// wait waits for one step of the init phase.
func (e *environment) wait(s *session, registered <-chan string, idle <-chan struct{}, limit <-chan time.Time, request string) *failure {
	memory := e.watchMemory()
	defer memory.Stop()
	killed, stop := e.killed, e.em.stop
	if request != "" {
		stop = nil // an invocation waits; it is finished first
	}
	for {
		select {
		case <-registered:
			return nil
		case <-idle:
			return nil
		case <-s.failedInit:
			return s.initError
		case <-s.exited:
			return e.exitFailure(s, request)
		case name := <-s.crash:
			return fail(typeExtension, request, "extension %s ended: %s", name, s.externals[name].Exit())
		case <-limit:
			if request == "" {
				return fail(typeTimeout, "", "the init phase took longer than %s", e.em.cfg.Limits.Init)
			}
			return e.timedOut(request)
		case <-memory.C:
			e.checkMemory()
		case <-killed:
			return fail(typeExit, request, "killed on request")
		case <-stop:
			if len(e.jobs) == 0 {
				return fail(typeExit, request, "the rehearsal ends")
			}
			stop = nil
		}
	}
}

func (e *environment) spec(command []string) sandbox.Spec {
	p := e.em.cfg.Process
	return sandbox.Spec{
		Command: command, Dir: p.Dir, Env: e.environ(), Root: p.Root,
		ReadOnly: !p.WritableRoot, Writable: p.Writable, Scratch: p.Scratch, Visible: p.Visible,
		OpenFiles: 1024, Output: e.log,
	}
}

func (e *environment) setPID(pid int) {
	e.mu.Lock()
	e.pid = pid
	e.mu.Unlock()
}

// exitFailure says how the runtime ended.
func (e *environment) exitFailure(s *session, request string) *failure {
	exit := s.runtime.Exit()
	kind := typeExit
	if e.oom || e.group.OutOfMemory() {
		kind = typeMemory
		e.hit("killed: more than %d MB of memory", e.em.cfg.Function.MemorySize)
	}
	if exit == (sandbox.Exit{}) {
		return fail(kind, request, "Runtime exited without providing a reason")
	}
	return fail(kind, request, "Runtime exited with error: %s", exit)
}

// shutdown is the shutdown phase, then the end.
func (e *environment) shutdown(reason string) {
	e.setState(timeline.Shutdown, reason)
	if e.session != nil {
		e.endSession("spindown")
	}
	e.setState(timeline.Killed, reason)
}

func shutdownReason(f *failure) string {
	if f.kind == typeTimeout {
		return "timeout"
	}
	return "failure"
}

// endSession ends the runtime and the extensions: at once where there is no
// extension; else SIGTERM for the runtime and an event for the extensions that
// asked for it, and a bounded wait.
func (e *environment) endSession(reason string) {
	s := e.session
	internal, external := s.registered()
	limits := e.em.cfg.Limits
	switch {
	case isClosed(e.killed) || s.runtime == nil:
	case external > 0:
		e.thaw()
		deadline := time.Now().Add(limits.ShutdownExternal)
		_ = s.runtime.Terminate()
		waitDone(s.runtime, time.Now().Add(limits.ShutdownExternal*3/10))
		s.tellShutdown(reason, deadline)
		for _, p := range s.subscribed() {
			waitDone(p, deadline)
		}
	case internal > 0:
		e.thaw()
		_ = s.runtime.Terminate()
		waitDone(s.runtime, time.Now().Add(limits.ShutdownInternal))
	}
	e.killProcesses()
}

// killProcesses ends the session with SIGKILL.
func (e *environment) killProcesses() {
	if e.session == nil {
		return
	}
	if err := e.group.Kill(); err != nil {
		e.em.cfg.Log.Error("kill", "environment", e.id, "error", err)
	}
	close(e.session.ended)
	e.session.watchers.Wait()
	e.api.use(nil)
	e.session = nil
	e.setPID(0)
}

func waitDone(p *sandbox.Process, deadline time.Time) {
	t := time.NewTimer(time.Until(deadline))
	defer t.Stop()
	select {
	case <-p.Done():
	case <-t.C:
	}
}

func (s *session) tellShutdown(reason string, deadline time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, x := range s.extensions {
		if x.shutdown {
			x.send(shutdownEvent(reason, deadline))
		}
	}
}

// subscribed lists the processes that a shutdown waits for.
func (s *session) subscribed() []*sandbox.Process {
	s.mu.Lock()
	defer s.mu.Unlock()
	var procs []*sandbox.Process
	for _, x := range s.extensions {
		if p := s.externals[x.name]; x.shutdown && p != nil {
			procs = append(procs, p)
		}
	}
	return procs
}
