package runtimeapi

import (
	"sync"
	"time"
)

// Phases of a runtime, named as the service's own error messages name them.
const (
	phaseStarted   = "Started"
	phaseInitError = "InitError"
	phaseReady     = "Ready"
	phaseRunning   = "Running"
	phaseResponse  = "InvocationResponse"
	phaseSent      = "RuntimeResponseSentState"

	phaseRestoreReady = "RestoreReady"
	phaseRestoring    = "Restoring"
	phaseRestoreError = "RuntimeRestoreErrorState"
)

// Session is what the APIs know of one runtime process with its extensions, from
// its start to its end. Their handlers move it; the environment waits on its
// channels. It is safe for concurrent use.
type Session struct {
	work       chan *Invocation // taken by the handler of next
	ended      chan struct{}    // closed when the environment is through with it
	failedInit chan struct{}    // closed when initError is set
	restored   chan struct{}    // closed by Restore
	registered chan string      // names of external extensions, as they register

	telemetry *telemetry

	mu         sync.Mutex
	phase      string
	current    *Invocation
	waiting    bool // the runtime is asking for an invocation
	extensions map[string]*extension
	closed     bool     // no more registrations
	mayAsk     bool     // it is a clone, whose call of restore/next has lost its connection
	initError  *Failure // what the runtime or an extension reported, while it started or was restored
	idle       chan struct{}
	idleClosed bool
}

// NewSession is the state of a runtime that is about to start.
func NewSession() *Session {
	return &Session{
		work: make(chan *Invocation), ended: make(chan struct{}), failedInit: make(chan struct{}), restored: make(chan struct{}),
		registered: make(chan string, MaxExtensions),
		telemetry:  newTelemetry(),
		phase:      phaseStarted, extensions: map[string]*extension{}, idle: make(chan struct{}),
	}
}

// NewClone is the state of a runtime that is about to be restored from a dump. It may call
// restore/next once more: the connection of the call that it waited in is gone.
func NewClone() *Session {
	s := NewSession()
	s.phase, s.closed, s.mayAsk = phaseRestoring, true, true
	s.telemetry.close()
	close(s.restored)
	return s
}

// Idle is closed when the runtime and every extension have asked for more to do:
// the init phase has ended.
func (s *Session) Idle() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.idle
}

// AtRestore reports whether the runtime waits at restore/next.
func (s *Session) AtRestore() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.phase == phaseRestoreReady
}

// Restore lets a runtime that waits at restore/next go on. idle is closed when it asks
// for an invocation; at once where it waits for one already.
func (s *Session) Restore() (idle <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.phase == phaseRestoreReady {
		s.idle, s.idleClosed = make(chan struct{}), false
		s.phase, s.waiting = phaseRestoring, false
		close(s.restored)
	}
	return s.idle
}

// Work takes the invocation that has begun, when the runtime asks for it.
func (s *Session) Work() chan<- *Invocation { return s.work }

// Registered yields the names of external extensions as they register.
func (s *Session) Registered() <-chan string { return s.registered }

// Failed is closed when the runtime or an extension has reported an error that is
// fatal for the session.
func (s *Session) Failed() <-chan struct{} { return s.failedInit }

// Failure is that error. It is valid once Failed is closed.
func (s *Session) Failure() *Failure { return s.initError }

// Answering reports whether the runtime is sending its response.
func (s *Session) Answering() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.phase == phaseResponse
}

// Close ends every call that waits: the environment is through with the session.
// It must be called once.
func (s *Session) Close() {
	close(s.ended)
	s.telemetry.end()
}

// settle closes idle when the runtime and every extension wait for more to do.
// Called with s.mu held.
func (s *Session) settle() {
	if s.idleClosed || !s.waiting || s.phase == phaseRunning || s.phase == phaseResponse {
		return
	}
	for _, x := range s.extensions {
		if x.state != stateReady {
			return
		}
	}
	s.idleClosed = true
	s.closed = true
	s.telemetry.close()
	close(s.idle)
}

// Begin opens an invocation and sends extensions its event. idle is closed when the
// runtime and every extension ask for more to do.
func (s *Session) Begin(v *Invocation) (idle <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.idle, s.idleClosed = make(chan struct{}), false
	s.phase, s.current = phaseRunning, v
	for _, x := range s.extensions {
		if x.invoke {
			x.send(newInvokeEvent(v))
		}
	}
	return s.idle
}

// reportInitError notes an error that is fatal for the session. Called with s.mu held.
func (s *Session) reportInitError(f *Failure) {
	if s.initError == nil { // the first report counts
		s.initError = f
		close(s.failedInit)
	}
}

// Extensions counts the registered extensions by kind.
func (s *Session) Extensions() (internal, external int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, x := range s.extensions {
		if x.external {
			external++
		} else {
			internal++
		}
	}
	return internal, external
}

// Shutdown sends the SHUTDOWN event to the extensions that registered for it, and
// returns their names.
func (s *Session) Shutdown(reason string, deadline time.Time) (names []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, x := range s.extensions {
		if x.shutdown {
			x.send(newShutdownEvent(reason, deadline))
			names = append(names, x.name)
		}
	}
	s.telemetry.flush()
	return names
}
