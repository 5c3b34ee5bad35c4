package lambda

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/aproorg/sluice/internal/emulate/lambda/sandbox"
	"github.com/aproorg/sluice/internal/timeline"
)

// environment is one execution environment. A single goroutine, run, takes it
// through its phases; what others may ask of it goes through channels.
type environment struct {
	em          *Emulator
	id          string
	provisioned bool
	logStream   string
	started     time.Time
	tmp         string
	group       *sandbox.Group
	api         *api

	jobs        chan *invocation // holds one
	recycle     chan struct{}    // closed on request
	killed      chan struct{}    // likewise
	recycleOnce sync.Once
	killOnce    sync.Once

	responded atomic.Int64 // when the invocation at hand was answered, Unix ns; else 0

	current atomic.Pointer[invocation] // nil between invocations; set by run

	// Owned by run.
	session  *session      // nil when no runtime is there
	initTime time.Duration // of the last good init that has not been reported yet
	oom      bool
	sampled  time.Time

	mu          sync.Mutex
	state       timeline.State
	since       time.Time
	invocations int
	pid         int
	maxMemory   int64
	tail        *tail
}

func newEnvironment(em *Emulator, id string, provisioned bool) (*environment, error) {
	e := &environment{
		em: em, id: id, provisioned: provisioned, started: time.Now(),
		tmp:  filepath.Join(em.cfg.Dir, id, "tmp"),
		jobs: make(chan *invocation, 1), recycle: make(chan struct{}), killed: make(chan struct{}),
	}
	e.logStream = fmt.Sprintf("%s/[%s]%s", e.started.UTC().Format("2006/01/02"), em.cfg.Version, strings.ReplaceAll(newID(), "-", ""))
	if err := os.MkdirAll(e.tmp, 0o777); err != nil {
		return nil, err
	}
	if err := os.Chmod(e.tmp, 0o1777); err != nil { // whatever the umask
		return nil, err
	}
	group, err := em.host.NewGroup(id, e.tmp, e.memoryLimit())
	if err != nil {
		return nil, err
	}
	e.group = group
	if e.api, err = newAPI(e); err != nil {
		_ = group.Close()
		return nil, err
	}
	return e, nil
}

func (e *environment) memoryLimit() int64 {
	if e.em.cfg.NoMemoryLimit {
		return 0
	}
	return int64(e.em.cfg.Function.MemorySize) * mb
}

// run is the life of the environment.
func (e *environment) run() {
	defer e.em.remove(e)
	defer e.close()
	e.coldStart()
	for {
		v := e.await()
		if v == nil {
			return
		}
		e.invoke(v)
	}
}

// await freezes the environment and returns the next invocation, or nil when the
// environment is to end.
func (e *environment) await() *invocation {
	select { // the invocation that brought the environment about, or a very quick next one
	case v := <-e.jobs:
		return v
	default:
	}
	if e.worn() {
		return e.last("recycled: " + e.wear())
	}
	if !e.em.handOver(e) {
		e.freeze()
		e.em.offer(e)
	}
	var age <-chan time.Time
	if e.em.cfg.MaxAge > 0 {
		t := time.NewTimer(time.Until(e.started.Add(e.em.cfg.MaxAge)))
		defer t.Stop()
		age = t.C
	}
	for {
		select {
		case v := <-e.jobs:
			return v
		case <-e.recycle:
			return e.leave("recycled on request")
		case <-e.em.stop:
			return e.leave("the rehearsal ends")
		case <-age:
			return e.leave("recycled: " + e.wear())
		case <-e.killed:
			return e.leave("killed on request")
		case <-e.session.exit():
			e.endSession("failure")
			e.setState(timeline.Frozen, "the runtime ended; the next invocation starts it again")
		}
	}
}

// leave ends the environment unless an invocation came first.
func (e *environment) leave(reason string) *invocation {
	if !e.em.withdraw(e) {
		return <-e.jobs
	}
	return e.last(reason)
}

func (e *environment) last(reason string) *invocation {
	if isClosed(e.killed) {
		e.destroy()
	} else {
		e.shutdown(reason)
	}
	return nil
}

// worn is true when the environment is to end although nobody asked anew.
func (e *environment) worn() bool { return e.wear() != "" }

func (e *environment) wear() string {
	c := e.em.cfg
	e.mu.Lock()
	n := e.invocations
	e.mu.Unlock()
	switch {
	case isClosed(e.killed):
		return "killed on request"
	case isClosed(e.recycle):
		return "on request"
	case isClosed(e.em.stop):
		return "the rehearsal ends"
	case c.MaxInvocations > 0 && n >= c.MaxInvocations:
		return fmt.Sprintf("it has served %d invocations", n)
	case c.MaxAge > 0 && time.Since(e.started) >= c.MaxAge:
		return fmt.Sprintf("it is older than %s", c.MaxAge)
	}
	return ""
}

func (e *environment) freeze() {
	switch {
	case e.session == nil:
		e.setState(timeline.Frozen, "no runtime; the next invocation starts it")
		return
	case e.em.cfg.NoFreeze:
		e.setState(timeline.Frozen, "idle; freezing is switched off")
		return
	}
	if err := e.group.Freeze(); err != nil {
		e.em.cfg.Log.Error("freeze", "environment", e.id, "error", err)
	}
	e.setState(timeline.Frozen, "")
}

func (e *environment) thaw() {
	if err := e.group.Thaw(); err != nil {
		e.em.cfg.Log.Error("thaw", "environment", e.id, "error", err)
	}
}

func (e *environment) destroy() {
	e.killProcesses()
	e.setState(timeline.Killed, "killed on request")
}

func (e *environment) close() {
	e.api.close()
	if err := e.group.Close(); err != nil {
		e.em.cfg.Log.Error("close environment", "environment", e.id, "error", err)
	}
	if err := os.RemoveAll(filepath.Dir(e.tmp)); err != nil {
		e.em.cfg.Log.Warn("remove the environment's /tmp", "environment", e.id, "error", err)
	}
}

func (e *environment) askRecycle() { e.recycleOnce.Do(func() { close(e.recycle) }) }

func (e *environment) askKill() { e.killOnce.Do(func() { close(e.killed) }) }

func (e *environment) setState(s timeline.State, note string) {
	now := time.Now()
	e.mu.Lock()
	e.state, e.since = s, now
	e.mu.Unlock()
	e.em.cfg.Record.Emit(timeline.Event{Time: now, Kind: timeline.EnvironmentState, Environment: e.id, State: s, Note: note})
}

// log is a line of the function's log: the app's own, or Lambda's.
func (e *environment) log(line string) {
	e.mu.Lock()
	t := e.tail
	e.mu.Unlock()
	t.add(line)
	e.em.cfg.Record.Emit(timeline.Event{Kind: timeline.Log, Environment: e.id, Note: line})
}

// hit tells the timeline of a limit that the environment ran into.
func (e *environment) hit(format string, args ...any) {
	event := timeline.Event{Kind: timeline.Limit, Hop: timeline.Lambda, Environment: e.id, Note: fmt.Sprintf(format, args...)}
	if v := e.current.Load(); v != nil {
		event.Request, event.Invocation = v.request, v.id
	}
	e.em.cfg.Record.Emit(event)
}

func (e *environment) info() EnvironmentInfo {
	e.mu.Lock()
	defer e.mu.Unlock()
	return EnvironmentInfo{
		ID: e.id, State: e.state, Since: e.since, Started: e.started, Provisioned: e.provisioned,
		Invocations: e.invocations, PID: e.pid, MaxMemory: e.maxMemory, LogStream: e.logStream,
	}
}

// handoverLeft is how long the environment may still be waited for.
func (e *environment) handoverLeft() time.Duration {
	at := e.responded.Load()
	if at == 0 {
		return 0
	}
	return handover - time.Since(time.Unix(0, at))
}

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}
