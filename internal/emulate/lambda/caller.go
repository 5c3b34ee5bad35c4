package lambda

import (
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"

	"github.com/aproorg/sluice/internal/emulate/lambda/sandbox"
	"github.com/aproorg/sluice/internal/timeline"
)

// ErrUnknownOwner says that this machine does not tell which process holds a
// connection.
var ErrUnknownOwner = sandbox.ErrUnknownOwner

// Owner names the environment whose processes hold the TCP connection that a
// server on this machine sees as coming from client; it is empty where none
// does. It takes about a millisecond. Its error is ErrUnknownOwner or wraps it.
func (em *Emulator) Owner(client netip.AddrPort) (environment string, err error) {
	em.mu.Lock()
	for _, e := range em.envs {
		if e.Dialed(client) {
			em.mu.Unlock()
			return e.ID(), nil
		}
	}
	em.mu.Unlock()
	socket, err := sandbox.SocketAt(client)
	if err != nil && !errors.Is(err, ErrUnknownOwner) {
		err = fmt.Errorf("%w: %w", ErrUnknownOwner, err)
	}
	if err != nil {
		return "", err
	}
	em.mu.Lock()
	envs := slices.Collect(maps.Values(em.envs))
	em.mu.Unlock()
	for _, e := range envs {
		if e.Holds(socket) {
			return e.ID(), nil
		}
	}
	return "", nil
}

// Work is what an environment does at a moment. Request and what follows are
// empty while no invocation is at work.
type Work struct {
	State      timeline.State
	Request    string // the id the timeline knows
	Invocation string
	// Method and Path are those of the HTTP request in the event of a proxy
	// integration; empty for other events.
	Method, Path string
}

// Work tells what an environment does now, also after its response while the
// runtime has not asked for the next invocation. It reports false where the
// environment does not exist any more.
func (em *Emulator) Work(environment string) (Work, bool) {
	em.mu.Lock()
	e, ok := em.envs[environment]
	em.mu.Unlock()
	if !ok {
		return Work{}, false
	}
	work := Work{State: e.Info().State}
	if v := e.Current(); v != nil {
		work.Request, work.Invocation = v.Request, v.ID
		work.Method, work.Path = v.Asks()
	}
	return work, true
}
