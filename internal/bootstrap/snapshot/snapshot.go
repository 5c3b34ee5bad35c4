// Package snapshot tells the Node processes of an app of SnapStart's snapshot, and makes each restored environment's their own.
//
// Environments that are restored from one snapshot begin with equal memory: the same random numbers to come, the same sockets, which are dead,
// and clocks that know nothing of the time between. A script, loaded into each process and worker thread by NODE_OPTIONS, mends that:
//
//   - Random numbers. OpenSSL's generators are cloned with the memory, in the thread pool too. After a restore RAND_poll seeds the primary one
//     from the kernel, by a native module of some bytes (addon), and all others see that they have to follow; so TLS and generated keys, which no
//     script could reach, are fresh as well. Node's caches for randomUUID and randomInt are used up. Math.random is another generator from
//     then on. Pools that libraries have filled by randomFill or getRandomValues, of 128 bytes and more, are filled anew where they stand.
//   - MongoDB's driver, for its ids and sessions are made of random numbers that it drew once: two environments with one session would have
//     each other's writes taken for repetitions.
//   - Sockets over TCP are destroyed, so that clients connect anew at once. A connection that the app asks for once it is at rest is made after
//     that.
//   - Time. performance.now and long timers take the time between into account where the system's monotonic clock does not.
//   - Garbage is collected before the snapshot, for each restore would load it.
//
// Before and after, listeners of the app are called and waited for: sluice:before-snapshot and sluice:after-restore on process.
//
// It leaves out the protocol with Lambda, the app's paths and what is fetched anew (bootstrap, runtimeapi, coldstart), and work that is left (drain).
package snapshot

import (
	"context"
	_ "embed"
	"log/slog"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/aproorg/sluice/internal/bootstrap/preload"
)

//go:embed preload.cjs
var script []byte

// Names of the script's files.
const (
	nodeScript = "snapshot.cjs"
	module     = "poll.node"
	socket     = "snapshot.sock"
)

// Processes are the app's that have loaded the script. It is safe for concurrent use.
type Processes struct {
	log     *slog.Logger
	scripts *preload.Scripts
	behind  atomic.Int64 // in milliseconds, the clock of processes that are started now

	mu     sync.Mutex
	peers  map[*peer]bool
	serial int
}

// Listen makes the script, in the directory for temporary files, and listens for the app's processes. Until a restore, their Date is behind
// by a time, as it would be in a snapshot of that age.
func Listen(log *slog.Logger, behind time.Duration) (*Processes, error) {
	poll, err := addon(runtime.GOARCH)
	if err != nil {
		return nil, err
	}
	p := &Processes{log: log, peers: map[*peer]bool{}}
	p.behind.Store(behind.Milliseconds())
	if p.scripts, err = preload.Listen(map[string][]byte{nodeScript: script, module: poll}, socket, p.attend); err != nil {
		return nil, err
	}
	return p, nil
}

// AddTo returns env with what the script needs. It goes before what stands in NODE_OPTIONS.
func (p *Processes) AddTo(env []string) []string {
	env = append(preload.Require(env, p.scripts.Path(nodeScript)), "SLUICE_SNAPSHOT_SOCKET="+p.scripts.Path(socket))
	if behind := p.behind.Load(); behind > 0 {
		env = append(env, "SLUICE_SNAPSHOT_BEHIND="+strconv.FormatInt(behind, 10))
	}
	return env
}

// Before tells the processes that a snapshot will be taken, and waits for their listeners. An error of one is returned, and so is a process whose
// random numbers could not be renewed after a restore.
func (p *Processes) Before(ctx context.Context) error {
	_, err := p.ask(ctx, question{Verb: "before"})
	return err
}

// Hold has connections that the processes make from now on wait for Renew: the app is at rest, and what it connected before the snapshot would be
// dead after it.
func (p *Processes) Hold(ctx context.Context) error {
	_, err := p.ask(ctx, question{Verb: "hold"})
	return err
}

// Restored says what is particular to a restored environment.
type Restored struct {
	// Environment is an id that no other environment has.
	Environment string `json:"environment"`
	// Age is the time since the snapshot, in seconds.
	Age float64 `json:"snapshotAge"`
	// Changed are the names of variables that have new values.
	Changed []string `json:"changed,omitempty"`
}

// Renew makes what the processes have in common with those of other environments their own. It calls no listener.
func (p *Processes) Renew(ctx context.Context, r Restored) error {
	p.behind.Store(0)
	_, err := p.ask(ctx, question{Verb: "renew", Restored: &r})
	return err
}

// After calls the processes' listeners, once their variables have the values of env. taken says whether the app takes such new values:
// a listener has accepted them, and there is no process whose listeners have not.
func (p *Processes) After(ctx context.Context, r Restored, env map[string]string) (taken bool, err error) {
	answers, err := p.ask(ctx, question{Verb: "after", Restored: &r, Env: env})
	for _, a := range answers {
		if a.Listeners > 0 && !a.Accepted {
			return false, err
		}
		taken = taken || a.Accepted
	}
	return taken, err
}

// Count is how many processes and threads have loaded the script.
func (p *Processes) Count() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.peers)
}

// Close ends the conversations and removes the script.
func (p *Processes) Close() { p.scripts.Close() }
