package environment

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/aproorg/sluice/internal/emulate/lambda/runtimeapi"
	"github.com/aproorg/sluice/internal/emulate/lambda/sandbox"
	"github.com/aproorg/sluice/internal/timeline"
)

// Pool is who hands out invocations. Its functions are called from Run.
type Pool struct {
	// HandOver gives the environment to a request that waits already, unfrozen. It
	// reports whether there was one.
	HandOver func(*Environment) bool
	// Offer makes the environment available.
	Offer func(*Environment)
	// Withdraw takes it back. It reports false when an invocation has been given to it
	// already.
	Withdraw func(*Environment) bool
	// Stop is closed when the environment is to end.
	Stop <-chan struct{}
	// Prepared hears of an environment of a snapshot whose init phase has ended: it waits
	// to be restored for the first invocation that it is given, or it failed, and ends.
	Prepared func(*Environment, *runtimeapi.Failure)
	// Retire takes back an environment that was prepared. It reports false when an
	// invocation has been given to it already.
	Retire func(*Environment) bool
}

// Environment is one execution environment. A single goroutine, Run, takes it
// through its phases; what others may ask of it goes through channels. Its other
// methods are safe for concurrent use.
type Environment struct {
	cfg         Config
	pool        Pool
	id          string
	provisioned bool
	logStream   string
	started     time.Time
	tmp         string
	taskRoot    string // LAMBDA_TASK_ROOT
	group       *sandbox.Group
	api         *runtimeapi.Server
	net         *network // of its own, where environments are clones; else nil

	ended     chan struct{}            // closed at its end
	snapshots chan chan snapshotResult // asks for a snapshot while it is held

	jobs        chan *Invocation // holds one
	recycle     chan struct{}    // closed on request
	killed      chan struct{}    // likewise
	recycleOnce sync.Once
	killOnce    sync.Once

	responded atomic.Int64 // when the invocation at hand was answered, Unix ns; else 0

	current atomic.Pointer[Invocation] // nil between invocations; set by run

	// Owned by run.
	session  *session      // nil when no runtime is there
	initTime time.Duration // of the last good init that has not been reported yet
	restored time.Duration // what a restore took that has not been reported yet
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

// New makes an environment that keeps its /tmp in dir, which must not exist. The
// caller calls Run.
func New(cfg Config, host *sandbox.Host, id, dir string, provisioned bool) (*Environment, error) {
	e := &Environment{
		cfg: cfg, id: id, provisioned: provisioned, started: time.Now(),
		tmp: filepath.Join(dir, "tmp"), taskRoot: sandbox.TaskRoot,
		ended: make(chan struct{}), snapshots: make(chan chan snapshotResult),
		jobs: make(chan *Invocation, 1), recycle: make(chan struct{}), killed: make(chan struct{}),
	}
	if p := cfg.Process; p.Root == "" && p.Task != "" && !host.HasTaskRoot() {
		e.taskRoot = p.Task
	}
	e.logStream = fmt.Sprintf("%s/[%s]%s", e.started.UTC().Format("2006/01/02"), cfg.Version, strings.ReplaceAll(runtimeapi.NewID(), "-", ""))
	if err := os.MkdirAll(e.tmp, 0o777); err != nil {
		return nil, err
	}
	if err := os.Chmod(e.tmp, 0o777); err != nil { // whatever the umask
		return nil, err
	}
	group, err := host.NewGroup(id, e.tmp, sandbox.Limits{Memory: e.memoryLimit(), Disk: int64(cfg.Function.EphemeralStorage) * mb})
	if err != nil {
		return nil, err
	}
	e.group = group
	api := e.apiConfig()
	if cfg.SnapStart != nil && cfg.SnapStart.Clones {
		if api.Listener, err = e.useNetwork(); err != nil {
			_ = group.Close()
			return nil, err
		}
	}
	if e.api, err = runtimeapi.Listen(api); err != nil {
		e.net.close()
		_ = group.Close()
		return nil, err
	}
	if err := e.openNetwork(); err != nil {
		e.api.Close()
		e.net.close()
		_ = group.Close()
		return nil, err
	}
	return e, nil
}

func (e *Environment) apiConfig() runtimeapi.Config {
	c := runtimeapi.Config{
		Account: e.cfg.Account, Function: e.cfg.Function.FunctionName, Version: e.cfg.Version, Handler: e.cfg.Process.Handler,
		Limits: e.cfg.Limits.Response, Limit: func(note string) { e.hit("%s", note) },
	}
	if c.Client = e.cfg.Process.Client; c.Client != "" {
		c.Stranger = func(userAgent string) { e.cfg.Stranger(e.id, userAgent) }
	}
	for _, x := range e.cfg.Extensions {
		c.Extensions = append(c.Extensions, x.Name)
	}
	if s := e.cfg.SnapStart; s != nil {
		c.SnapStart = &runtimeapi.SnapStart{Token: s.Token, Credentials: e.roleCredentials}
	}
	return c
}

func (e *Environment) memoryLimit() int64 {
	if e.cfg.NoMemoryLimit {
		return 0
	}
	return int64(e.cfg.Function.MemorySize) * mb
}

// Run is the life of the environment. It returns when no process, goroutine or file
// of it is left.
func (e *Environment) Run(pool Pool) {
	e.pool = pool
	defer e.close()
	if e.cfg.SnapStart != nil {
		if !e.comeFromSnapshot() {
			return
		}
	} else {
		e.coldStart()
	}
	for {
		v := e.await()
		if v == nil {
			return
		}
		e.handle(v)
		if e.cfg.SnapStart != nil && e.session == nil {
			e.setState(timeline.Killed, "the runtime ended; the next request restores another environment")
			return
		}
	}
}

// await freezes the environment and returns the next invocation, or nil when the
// environment is to end.
func (e *Environment) await() *Invocation {
	select { // the invocation that brought the environment about, or a very quick next one
	case v := <-e.jobs:
		return v
	default:
	}
	if e.worn() {
		return e.last("recycled: " + e.wear())
	}
	if !e.pool.HandOver(e) {
		e.freeze()
		e.pool.Offer(e)
	}
	var age <-chan time.Time
	if e.cfg.MaxAge > 0 {
		t := time.NewTimer(time.Until(e.started.Add(e.cfg.MaxAge)))
		defer t.Stop()
		age = t.C
	}
	for {
		select {
		case v := <-e.jobs:
			return v
		case <-e.recycle:
			return e.leave("recycled on request")
		case <-e.pool.Stop:
			return e.leave("the rehearsal ends")
		case <-age:
			return e.leave("recycled: " + e.wear())
		case <-e.killed:
			return e.leave("killed on request")
		case <-e.session.exit():
			e.endSession("failure")
			if e.cfg.SnapStart != nil {
				e.giveUp()
				return nil
			}
			e.setState(timeline.Frozen, "the runtime ended; the next invocation starts it again")
		}
	}
}

// leave ends the environment unless an invocation came first.
func (e *Environment) leave(reason string) *Invocation {
	if !e.pool.Withdraw(e) {
		return <-e.jobs
	}
	return e.last(reason)
}

func (e *Environment) last(reason string) *Invocation {
	if isClosed(e.killed) {
		e.destroy()
	} else {
		e.shutdown(reason)
	}
	return nil
}

// worn is true when the environment is to end although nobody asked anew.
func (e *Environment) worn() bool { return e.wear() != "" }

func (e *Environment) wear() string {
	c := e.cfg
	e.mu.Lock()
	n := e.invocations
	e.mu.Unlock()
	switch {
	case isClosed(e.killed):
		return "killed on request"
	case isClosed(e.recycle):
		return "on request"
	case isClosed(e.pool.Stop):
		return "the rehearsal ends"
	case c.MaxInvocations > 0 && n >= c.MaxInvocations:
		return fmt.Sprintf("it has served %d invocations", n)
	case c.MaxAge > 0 && time.Since(e.started) >= c.MaxAge:
		return fmt.Sprintf("it is older than %s", c.MaxAge)
	}
	return ""
}

func (e *Environment) freeze() {
	switch {
	case e.session == nil:
		e.setState(timeline.Frozen, "no runtime; the next invocation starts it")
		return
	case e.cfg.NoFreeze:
		e.setState(timeline.Frozen, "idle; freezing is switched off")
		return
	}
	if err := e.group.Freeze(); err != nil {
		e.cfg.Log.Error("freeze", "environment", e.id, "error", err)
	}
	e.setState(timeline.Frozen, "")
}

func (e *Environment) thaw() {
	if err := e.group.Thaw(); err != nil {
		e.cfg.Log.Error("thaw", "environment", e.id, "error", err)
	}
}

func (e *Environment) destroy() {
	e.killProcesses()
	e.setState(timeline.Killed, "killed on request")
}

func (e *Environment) close() {
	close(e.ended)
	e.api.Close()
	e.net.close()
	if err := e.group.Close(); err != nil {
		e.cfg.Log.Error("close environment", "environment", e.id, "error", err)
	}
	if err := os.RemoveAll(filepath.Dir(e.tmp)); err != nil {
		e.cfg.Log.Warn("remove the environment's /tmp", "environment", e.id, "error", err)
	}
}

// ID is what the timeline calls the environment.
func (e *Environment) ID() string { return e.id }

// Provisioned reports whether the environment was made ahead of any request.
func (e *Environment) Provisioned() bool { return e.provisioned }

// Give hands an invocation over. It must be called once for each Offer or HandOver
// that the pool has accepted, or once before Run.
func (e *Environment) Give(v *Invocation) { e.jobs <- v }

// Current is the invocation at work, or nil. It is at work after its response, too,
// while the runtime has not asked for the next one.
func (e *Environment) Current() *Invocation { return e.current.Load() }

// Holds reports whether a process of the environment has a socket open; see
// [sandbox.SocketAt].
func (e *Environment) Holds(socket sandbox.Socket) bool { return e.group.Holds(socket) }

// Recycle asks the environment to end, through its shutdown phase, when no
// invocation is at work in it.
func (e *Environment) Recycle() { e.recycleOnce.Do(func() { close(e.recycle) }) }

// Kill asks for its end at once. The invocation in it fails.
func (e *Environment) Kill() { e.killOnce.Do(func() { close(e.killed) }) }

func (e *Environment) setState(s timeline.State, note string) {
	now := time.Now()
	e.mu.Lock()
	e.state, e.since = s, now
	e.mu.Unlock()
	e.cfg.Record.Emit(timeline.Event{Time: now, Kind: timeline.EnvironmentState, Environment: e.id, State: s, Note: note})
}

// log is a line of the function's log: the app's own, or Lambda's.
func (e *Environment) log(line string) {
	e.mu.Lock()
	t := e.tail
	e.mu.Unlock()
	t.add(line)
	e.cfg.Record.Emit(timeline.Event{Kind: timeline.Log, Environment: e.id, Note: line})
}

// hit tells the timeline of a limit that the environment ran into.
func (e *Environment) hit(format string, args ...any) {
	event := timeline.Event{Kind: timeline.Limit, Hop: timeline.Lambda, Environment: e.id, Note: fmt.Sprintf(format, args...)}
	if v := e.current.Load(); v != nil {
		event.Request, event.Invocation = v.Request, v.ID
	}
	e.cfg.Record.Emit(event)
}

// Info is a snapshot of an execution environment.
type Info struct {
	ID          string // env-1, env-2, …
	State       timeline.State
	Since       time.Time // of the state
	Started     time.Time
	Provisioned bool
	Invocations int
	PID         int   // of the runtime's process, 0 while there is none
	MaxMemory   int64 // bytes, the most that was seen
	LogStream   string
}

// Info describes the environment as it is now.
func (e *Environment) Info() Info {
	e.mu.Lock()
	defer e.mu.Unlock()
	return Info{
		ID: e.id, State: e.state, Since: e.since, Started: e.started, Provisioned: e.provisioned,
		Invocations: e.invocations, PID: e.pid, MaxMemory: e.maxMemory, LogStream: e.logStream,
	}
}

// Responded is when the invocation at hand was answered; zero while it is not, and
// once the pool has the environment again.
func (e *Environment) Responded() time.Time {
	at := e.responded.Load()
	if at == 0 {
		return time.Time{}
	}
	return time.Unix(0, at)
}

// ForgetResponse makes Responded zero.
func (e *Environment) ForgetResponse() { e.responded.Store(0) }

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}
