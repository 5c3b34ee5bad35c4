package environment

import (
	"errors"
	"fmt"
	"time"

	"github.com/aproorg/sluice/internal/emulate/lambda/runtimeapi"
	"github.com/aproorg/sluice/internal/timeline"
)

// An environment of a snapshot is started ahead of any request and held at the call of
// restore/next, where Lambda takes its snapshot. When it is restored, its connections to
// the outside are dead.

// comeFromSnapshot starts the environment, holds it until there is an invocation, and
// restores it for that one. It reports false when the environment has ended.
func (e *Environment) comeFromSnapshot() bool {
	if e.cfg.SnapStart.From != nil { // and its invocation is there
		return e.restoreFor(<-e.jobs)
	}
	f := e.prepare()
	e.pool.Prepared(e, f)
	if f != nil {
		e.setState(timeline.Killed, "the init phase failed: "+f.Message())
		select {
		case v := <-e.jobs: // it waited for the init phase
			v.refuse(f)
		default:
		}
		return false
	}
	v := e.hold()
	if v == nil {
		return false
	}
	return e.restoreFor(v)
}

// restoreFor restores the environment for its first invocation, or reports false: the
// invocation was given back, and the environment has ended.
func (e *Environment) restoreFor(v *Invocation) bool {
	if f := e.restore(); f != nil {
		e.endSession(shutdownReason(f))
		e.setState(timeline.Killed, "it could not be restored")
		v.refuse(f)
		return false
	}
	e.Give(v)
	return true
}

// prepare is the init phase. Its failure is final: no version is published.
func (e *Environment) prepare() *runtimeapi.Failure {
	e.setState(timeline.Init, "for a snapshot")
	begin := time.Now()
	f := e.start("", begin.Add(e.initLimit()))
	if f == nil && !e.session.AtRestore() && !e.cfg.SnapStart.Label {
		f = runtimeapi.Fail(runtimeapi.NoRestoreHook, "", "the runtime asked for an invocation and not for restore/next before it, and no label of the image says that it may be cloned")
	}
	e.log(initReport(time.Since(begin), "init", f))
	if f != nil {
		e.log(f.Message())
		e.endSession(shutdownReason(f))
		return f
	}
	e.sampleMemory()
	if err := e.group.Freeze(); err != nil {
		e.cfg.Log.Error("freeze", "environment", e.id, "error", err)
	}
	e.setState(timeline.Frozen, "held at restore/next")
	return nil
}

// hold waits for the invocation that the environment is restored for; nil is the end.
func (e *Environment) hold() *Invocation {
	var reason string
	select {
	case v := <-e.jobs:
		return v
	case reply := <-e.snapshots:
		if e.takeSnapshot(reply) {
			return nil
		}
		return e.hold()
	case <-e.recycle:
		reason = "recycled on request"
	case <-e.pool.Stop:
		reason = "the rehearsal ends"
	case <-e.killed:
		reason = "killed on request"
	case <-e.session.exit():
		reason = "the runtime ended: " + e.session.runtime.Exit().String()
	}
	if !e.pool.Retire(e) {
		return <-e.jobs
	}
	return e.last(reason)
}

// restore lets the runtime go on, until it asks for an invocation.
func (e *Environment) restore() *runtimeapi.Failure {
	begin := time.Now()
	e.mu.Lock()
	e.started = begin
	e.mu.Unlock()
	e.setState(timeline.Restore, "")
	e.log("RESTORE_START")
	expired, stop := fairTimer(e.cfg.Limits.Restore)
	defer stop()
	idle, f := e.wake()
	e.tellRestoreStart()
	if f == nil {
		f = e.awaitRestored(idle, expired)
	}
	took := time.Since(begin)
	e.tellRestored(took, f)
	if f != nil {
		e.hit("not restored after %s (%s)", took.Round(time.Millisecond), f.Kind)
		e.log(fmt.Sprintf("RESTORE_REPORT Restore Duration: %.2f ms\t%s", ms(took), status(f)))
		e.log(f.Message())
		return f
	}
	e.log(fmt.Sprintf("RESTORE_REPORT Restore Duration: %.2f ms", ms(took)))
	e.restored = took
	if e.cfg.SnapStart.From != nil {
		e.net.follow(e.named()) // not before: its processes have their own ports again now
	}
	return nil
}

// wake has the processes go on after the snapshot. idle is closed when the runtime asks for an
// invocation.
func (e *Environment) wake() (idle <-chan struct{}, f *runtimeapi.Failure) {
	if from := e.cfg.SnapStart.From; from != nil {
		return e.clone(from)
	}
	cut, err := e.group.CutConnections(e.api.Address())
	switch {
	case errors.Is(err, errors.ErrUnsupported): // the emulator has said so
	case err != nil:
		e.cfg.Log.Warn("connections of a restored environment live on", "environment", e.id, "error", err)
	case cut > 0:
		e.log(fmt.Sprintf("RESTORE: %d connections to the outside are dead", cut))
	}
	idle = e.session.Restore()
	e.thaw()
	return idle, nil
}

func (e *Environment) awaitRestored(idle, expired <-chan struct{}) *runtimeapi.Failure {
	s := e.session
	memory := e.watchMemory()
	defer memory.Stop()
	for {
		select {
		case <-idle:
			return nil
		case <-s.Failed():
			return s.Failure()
		case <-s.exited:
			return e.exitFailure(s, "")
		case name := <-s.crash:
			return runtimeapi.Fail(runtimeapi.ExtensionCrash, "", "extension %s ended: %s", name, s.externals[name].Exit())
		case <-expired:
			return runtimeapi.Fail(runtimeapi.Timeout, "", "the restore took longer than %s, in which nothing asked for an invocation", e.cfg.Limits.Restore)
		case <-memory.C:
			e.checkMemory()
		case <-e.killed:
			return runtimeapi.Fail(runtimeapi.ExitError, "", "killed on request")
		}
	}
}

// giveUp ends an environment whose runtime ended between two invocations: it is not started
// again, for what is restored is the snapshot.
func (e *Environment) giveUp() {
	e.setState(timeline.Killed, "the runtime ended; the next request restores another environment")
	if !e.pool.Withdraw(e) {
		v := <-e.jobs
		v.refuse(runtimeapi.Fail(runtimeapi.ExitError, "", "the runtime ended between two invocations"))
	}
}

// forSnapshot turns variables into those of a snapshot: credentials that are asked for,
// and no log stream, which each environment has of its own.
// https://docs.aws.amazon.com/lambda/latest/dg/snapstart-monitoring.html
func (e *Environment) forSnapshot(vars map[string]string) {
	delete(vars, "AWS_LAMBDA_LOG_GROUP_NAME")
	delete(vars, "AWS_LAMBDA_LOG_STREAM_NAME")
	vars["AWS_CONTAINER_CREDENTIALS_FULL_URI"] = "http://" + e.api.Address() + runtimeapi.CredentialsPath
	vars["AWS_CONTAINER_AUTHORIZATION_TOKEN"] = e.cfg.SnapStart.Token
}

func (e *Environment) roleCredentials() runtimeapi.Credentials {
	c := e.cfg.Credentials.orMadeUp()
	return runtimeapi.Credentials{
		AccessKeyID: c.AccessKeyID, SecretAccessKey: c.SecretAccessKey, SessionToken: c.SessionToken,
		Expiration: time.Now().Add(credentialsHold).UTC().Truncate(time.Second),
	}
}

func (e *Environment) tellRestoreStart() {
	f := e.cfg.Function
	e.session.Tell("platform.restoreStart", record{
		"functionName": f.FunctionName, "functionVersion": e.cfg.Version,
		"instanceId": e.logStream, "instanceMaxMemory": int64(f.MemorySize) * mb,
	})
}

func (e *Environment) tellRestored(took time.Duration, f *runtimeapi.Failure) {
	e.session.Tell("platform.restoreRuntimeDone", outcome(record{}, f))
	r := outcome(record{}, f)
	r["metrics"] = record{"durationMs": ms(took)}
	e.session.Tell("platform.restoreReport", r)
}
