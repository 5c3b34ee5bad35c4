package environment

import (
	"path/filepath"
	"strings"
	"time"

	"github.com/aproorg/sluice/internal/emulate/lambda/runtimeapi"
	"github.com/aproorg/sluice/internal/emulate/lambda/sandbox"
	"github.com/aproorg/sluice/internal/timeline"
)

// coldStart is the init phase. A failure is no failure yet: Lambda repeats the
// phase within the first invocation.
// https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html
func (e *Environment) coldStart() {
	e.setState(timeline.Init, "")
	begin := time.Now()
	f := e.start("", begin.Add(e.initLimit()))
	took := time.Since(begin)
	if f == nil {
		e.initTime = took
		return
	}
	e.log(initReport(took, "init", f))
	e.hit("init failed after %s (%s); it is repeated within the invocation", took.Round(time.Millisecond), f.Kind)
	e.endSession(shutdownReason(f))
}

func (e *Environment) initLimit() time.Duration {
	limit := e.cfg.Limits.Init
	if (e.provisioned || e.cfg.SnapStart != nil) && limit == DefaultInit {
		limit = max(LongInit, e.cfg.Function.Timeout)
	}
	return limit
}

// start runs the extensions and the runtime up to their first call of next. The
// caller ends the session when it fails.
func (e *Environment) start(request string, deadline time.Time) *runtimeapi.Failure {
	s := newSession()
	e.session, e.oom = s, false
	begin := time.Now()
	e.tellInitStart(request)
	f := e.startIn(s, request, deadline)
	e.tellInit(request, time.Since(begin), f)
	return f
}

func (e *Environment) startIn(s *session, request string, deadline time.Time) *runtimeapi.Failure {
	e.thaw()
	e.api.Use(s.Session)
	timer := time.NewTimer(time.Until(deadline))
	defer timer.Stop()
	for _, x := range e.cfg.Extensions {
		p, err := e.group.Start(e.spec(x.Command, e.output(s, "extension")))
		if err != nil {
			return runtimeapi.Fail("Extension.LaunchError", request, "%v", err)
		}
		s.externals[x.Name] = p
		s.watchers.Go(func() { <-p.Done(); s.crash <- x.Name })
	}
	for range e.cfg.Extensions {
		if f := e.wait(s, s.Registered(), nil, timer.C, request); f != nil {
			return f
		}
	}
	p, err := e.group.Start(e.spec(e.cfg.Process.Command, e.output(s, "function")))
	if err != nil {
		return runtimeapi.Fail("Runtime.InvalidEntrypoint", request, "%v", err)
	}
	s.runtime, s.exited = p, p.Done()
	e.setPID(p.PID())
	return e.wait(s, nil, s.Idle(), timer.C, request)
}

// wait waits for one step of the init phase.
func (e *Environment) wait(s *session, registered <-chan string, idle <-chan struct{}, limit <-chan time.Time, request string) *runtimeapi.Failure {
	memory := e.watchMemory()
	defer memory.Stop()
	killed, stop := e.killed, e.pool.Stop
	if request != "" {
		stop = nil // an invocation waits; it is finished first
	}
	for {
		select {
		case <-registered:
			return nil
		case <-idle:
			return nil
		case <-s.Failed():
			return s.Failure()
		case <-s.exited:
			return e.exitFailure(s, request)
		case name := <-s.crash:
			return runtimeapi.Fail(runtimeapi.ExtensionCrash, request, "extension %s ended: %s", name, s.externals[name].Exit())
		case <-limit:
			if request == "" {
				return runtimeapi.Fail(runtimeapi.Timeout, "", "the init phase took longer than %s, in which nothing asked for an invocation; a web server with no bootstrap never does", e.initLimit())
			}
			return e.timedOut(request)
		case <-memory.C:
			e.checkMemory()
		case <-killed:
			return runtimeapi.Fail(runtimeapi.ExitError, request, "killed on request")
		case <-stop:
			if len(e.jobs) == 0 {
				return runtimeapi.Fail(runtimeapi.ExitError, request, "the rehearsal ends")
			}
			stop = nil
		}
	}
}

// output takes the lines of a process.
func (e *Environment) output(s *session, kind string) func(line string) {
	return func(line string) {
		s.Tell(kind, line)
		e.log(line)
	}
}

func (e *Environment) spec(command []string, output func(line string)) sandbox.Spec {
	p := e.cfg.Process
	if p.Dir == "" && p.Root == "" && p.Task != "" { // a function lies at its task root alone
		p.Dir = e.taskRoot
		if rest, ok := strings.CutPrefix(command[0], p.Task+"/"); ok {
			command = append([]string{filepath.Join(e.taskRoot, rest)}, command[1:]...)
		}
	}
	return sandbox.Spec{
		Command: command, Dir: p.Dir, Task: p.Task, Env: e.variables(), Root: p.Root,
		ReadOnly: !p.WritableRoot, Writable: p.Writable, Scratch: p.Scratch, Visible: p.Visible,
		OpenFiles: 1024, Output: output,
	}
}

func (e *Environment) setPID(pid int) {
	e.mu.Lock()
	e.pid = pid
	e.mu.Unlock()
}

// exitFailure says how the runtime ended.
func (e *Environment) exitFailure(s *session, request string) *runtimeapi.Failure {
	exit := s.runtime.Exit()
	kind := runtimeapi.ExitError
	if e.oom || e.group.OutOfMemory() {
		kind = runtimeapi.OutOfMemory
		e.hit("killed: more than %d MB of memory", e.cfg.Function.MemorySize)
	}
	if exit == (sandbox.Exit{}) {
		return runtimeapi.Fail(kind, request, "Runtime exited without providing a reason")
	}
	return runtimeapi.Fail(kind, request, "Runtime exited with error: %s", exit)
}

// shutdown is the shutdown phase, then the end.
func (e *Environment) shutdown(reason string) {
	e.setState(timeline.Shutdown, reason)
	if e.session != nil {
		e.endSession("spindown")
	}
	e.setState(timeline.Killed, reason)
}

func shutdownReason(f *runtimeapi.Failure) string {
	if f.Kind == runtimeapi.Timeout {
		return "timeout"
	}
	return "failure"
}

// endSession ends the runtime and the extensions: at once where there is no
// extension; else SIGTERM for the runtime and an event for the extensions that
// asked for it, and a bounded wait.
func (e *Environment) endSession(reason string) {
	s := e.session
	internal, external := s.Extensions()
	limits := e.cfg.Limits
	switch {
	case isClosed(e.killed) || s.runtime == nil:
	case external > 0:
		e.thaw()
		deadline := time.Now().Add(limits.ShutdownExternal)
		_ = s.runtime.Terminate()
		waitDone(s.runtime, time.Now().Add(limits.ShutdownExternal*3/10))
		for _, name := range s.Shutdown(reason, deadline) {
			if p := s.externals[name]; p != nil {
				waitDone(p, deadline)
			}
		}
	case internal > 0:
		e.thaw()
		_ = s.runtime.Terminate()
		waitDone(s.runtime, time.Now().Add(limits.ShutdownInternal))
	}
	e.killProcesses()
}

// killProcesses ends the session with SIGKILL.
func (e *Environment) killProcesses() {
	if e.session == nil {
		return
	}
	if err := e.group.Kill(); err != nil {
		e.cfg.Log.Error("kill", "environment", e.id, "error", err)
	}
	e.session.Close()
	e.session.watchers.Wait()
	e.api.Use(nil)
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
