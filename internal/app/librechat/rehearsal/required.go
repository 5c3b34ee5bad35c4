package rehearsal

import (
	"net"
	"sync"
	"time"

	"github.com/aproorg/sluice/internal/rehearse"
	"github.com/aproorg/sluice/internal/timeline"
)

// required tells the timeline when the app of an environment opens its first
// connection to the database: until then it has loaded its modules, after that it
// connects. The zero value is ready, and tells nothing before follow.
type required struct {
	mu      sync.Mutex
	world   *rehearse.World
	known   map[string]bool // environments
	looking sync.WaitGroup
}

func (r *required) follow(w *rehearse.World) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.world, r.known = w, map[string]bool{}
}

// met is told of a connection. Whose it is takes a millisecond or more to find out, for
// which the connection does not wait.
func (r *required) met(app string, remote net.Addr) {
	at := time.Now()
	address, ok := remote.(*net.TCPAddr)
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.world == nil || !ok || app == firstBootName {
		return
	}
	world := r.world
	r.looking.Go(func() {
		environment, err := world.Lambda.Owner(address.AddrPort())
		if err == nil && environment != "" && r.first(environment) {
			world.Recorder.Record(timeline.Event{Time: at, Kind: timeline.EnvironmentStep, Environment: environment, Note: "require"})
		}
	})
}

func (r *required) first(environment string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	known := r.known[environment]
	r.known[environment] = true
	return !known
}

// close waits for what is being looked for.
func (r *required) close() {
	r.mu.Lock()
	r.world = nil
	r.mu.Unlock()
	r.looking.Wait()
}
