package lambda

import (
	"sync"

	"github.com/aproorg/sluice/internal/emulate/lambda/sandbox"
)

// Phases of a runtime, named as the service's own error messages name them.
const (
	phaseStarted   = "Started"
	phaseInitError = "InitError"
	phaseReady     = "Ready"
	phaseRunning   = "Running"
	phaseResponse  = "InvocationResponse"
	phaseSent      = "RuntimeResponseSentState"
)

// session is one runtime process with its extensions, from its start to its end.
// The handlers of the Runtime and Extensions APIs move it; the environment waits
// on its channels.
type session struct {
	runtime   *sandbox.Process
	externals map[string]*sandbox.Process // by extension name
	crash     chan string                 // names of external extensions that ended
	exited    <-chan struct{}             // closed when the runtime's process has ended
	ended     chan struct{}               // closed when the environment is through with it
	watchers  sync.WaitGroup

	work chan *invocation // taken by the handler of next

	mu         sync.Mutex
	phase      string
	current    *invocation
	waiting    bool // the runtime is asking for an invocation
	extensions map[string]*extension
	closed     bool     // no more registrations
	initError  *failure // what the runtime or an extension reported
	idle       chan struct{}
	idleClosed bool
	failedInit chan struct{} // closed when initError is set

	registeredExternal chan string // their names, as they register
}

func newSession() *session {
	return &session{
		externals: map[string]*sandbox.Process{}, crash: make(chan string, maxExtensions),
		registeredExternal: make(chan string, maxExtensions), ended: make(chan struct{}), work: make(chan *invocation),
		phase: phaseStarted, extensions: map[string]*extension{},
		idle: make(chan struct{}), failedInit: make(chan struct{}),
	}
}

// exit is nil-safe: no session, no end.
func (s *session) exit() <-chan struct{} {
	if s == nil {
		return nil
	}
	return s.exited
}

// settle closes idle when the runtime and every extension wait for more to do.
// Called with s.mu held.
func (s *session) settle() {
	if s.idleClosed || !s.waiting || s.phase == phaseRunning || s.phase == phaseResponse {
		return
	}
	for _, x := range s.extensions {
		if !x.waiting {
			return
		}
	}
	s.idleClosed = true
	s.closed = true
	close(s.idle)
}

// begin opens an invocation: idle is a new channel, extensions are told.
func (s *session) begin(v *invocation) (idle chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.idle, s.idleClosed = make(chan struct{}), false
	s.phase, s.current = phaseRunning, v
	for _, x := range s.extensions {
		if x.invoke {
			x.waiting = false
			x.send(invokeEvent(v))
		}
	}
	return s.idle
}

// reportInitError notes an error that is fatal for the session. Called with s.mu held.
func (s *session) reportInitError(f *failure) {
	if s.initError == nil { // the first report counts
		s.initError = f
		close(s.failedInit)
	}
}

// registered counts the extensions by kind.
func (s *session) registered() (internal, external int) {
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
