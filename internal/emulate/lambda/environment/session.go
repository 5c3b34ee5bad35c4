package environment

import (
	"sync"

	"github.com/aproorg/sluice/internal/emulate/lambda/runtimeapi"
	"github.com/aproorg/sluice/internal/emulate/lambda/sandbox"
)

// session is one runtime process with its extensions, from its start to its end.
type session struct {
	*runtimeapi.Session
	runtime   *sandbox.Process
	externals map[string]*sandbox.Process // by extension name
	crash     chan string                 // names of external extensions that ended
	exited    <-chan struct{}             // closed when the runtime's process has ended
	watchers  sync.WaitGroup
}

func newSession() *session {
	return &session{
		Session: runtimeapi.NewSession(), externals: map[string]*sandbox.Process{},
		crash: make(chan string, runtimeapi.MaxExtensions),
	}
}

// exit is nil-safe: no session, no end.
func (s *session) exit() <-chan struct{} {
	if s == nil {
		return nil
	}
	return s.exited
}
