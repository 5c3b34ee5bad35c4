package lambda

import (
	"context"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/aproorg/sluice/internal/emulate/lambda/environment"
)

// EnvironmentInfo is a snapshot of an execution environment.
type EnvironmentInfo = environment.Info

// Environments lists the environments that are not killed, oldest first.
func (em *Emulator) Environments() []EnvironmentInfo {
	em.mu.Lock()
	envs := slices.Collect(maps.Values(em.envs))
	em.mu.Unlock()
	infos := make([]EnvironmentInfo, len(envs))
	for i, e := range envs {
		infos[i] = e.Info()
	}
	slices.SortFunc(infos, func(a, b EnvironmentInfo) int {
		if d := len(a.ID) - len(b.ID); d != 0 {
			return d
		}
		return strings.Compare(a.ID, b.ID)
	})
	return infos
}

// Recycle ends an environment as Lambda does after some hours: through its
// shutdown phase, when no invocation is at work in it. It reports whether the
// environment exists.
func (em *Emulator) Recycle(id string) bool { return em.signal(id, (*environment.Environment).Recycle) }

// Kill ends the processes of an environment at once and removes it, as when its
// host fails. The invocation in it fails. It reports whether the environment
// exists.
func (em *Emulator) Kill(id string) bool { return em.signal(id, (*environment.Environment).Kill) }

// RecycleAll recycles every environment, as a new configuration does.
func (em *Emulator) RecycleAll() { em.all((*environment.Environment).Recycle) }

// KillAll kills every environment.
func (em *Emulator) KillAll() { em.all((*environment.Environment).Kill) }

func (em *Emulator) signal(id string, f func(*environment.Environment)) bool {
	em.mu.Lock()
	e, ok := em.envs[id]
	em.mu.Unlock()
	if ok {
		f(e)
	}
	return ok
}

func (em *Emulator) all(f func(*environment.Environment)) {
	em.mu.Lock()
	envs := slices.Collect(maps.Values(em.envs))
	em.mu.Unlock()
	for _, e := range envs {
		f(e)
	}
}

// Reasons for which no environment takes an invocation.
var (
	errThrottled = &apiError{429, "TooManyRequestsException", "Rate Exceeded.", "ConcurrentInvocationLimitExceeded"}
	errLeft      = &apiError{499, "ClientGone", "The client went away before an environment was free.", ""}
	errClosing   = &apiError{503, "ServiceException", "The rehearsal is shutting down.", ""}
)

// handover is how long a request waits for an environment whose response has
// just ended. On AWS the way of a request is longer than the way of a runtime
// from its response to next; on one machine a client can be quicker, and would
// see a cold start that nobody sees on AWS.
const handover = 25 * time.Millisecond

// dispatch gives the invocation to the environment that was used last, or to a
// new one. Lambda has no queue for synchronous invocations.
func (em *Emulator) dispatch(ctx context.Context, v *environment.Invocation) error {
	em.mu.Lock()
	defer em.mu.Unlock()
	for {
		if em.closing {
			return errClosing
		}
		if em.cfg.SnapStart != nil && !em.published {
			return errNotReady
		}
		e := em.popIdle()
		if e == nil {
			e = em.awaitHandover()
		}
		switch {
		case e != nil:
			e.Give(v)
			return nil
		case em.closing: // meanwhile
			return errClosing
		case len(em.envs)-len(em.ahead) < em.cfg.Concurrency:
			if err := em.start(v); err != nil {
				em.cfg.Log.Error("no new environment", "error", err)
				return &apiError{500, "ServiceException", "The machine could not make an execution environment: " + err.Error(), ""}
			}
			return nil
		case !em.cfg.Queue:
			return errThrottled
		}
		if e := em.awaitTurn(ctx, v); e != nil {
			e.Give(v)
			return nil
		}
		if ctx.Err() != nil {
			return errLeft
		}
	}
}

// awaitHandover waits for an environment that is about to become idle. Called
// with em.mu held.
func (em *Emulator) awaitHandover() *environment.Environment {
	var wait time.Duration
	for _, e := range em.envs {
		wait = max(wait, handoverLeft(e))
	}
	if wait <= 0 {
		return nil
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	return em.await(context.Background(), timer.C)
}

// await waits, without the lock, until an environment is handed over; nil means
// that the time is up, the client went away, or it is worth looking again. Called
// with em.mu held.
func (em *Emulator) await(ctx context.Context, limit <-chan time.Time) *environment.Environment {
	waiter := make(chan *environment.Environment, 1)
	em.waiters = append(em.waiters, waiter)
	em.mu.Unlock()
	select {
	case e := <-waiter:
		em.mu.Lock()
		return e
	case <-limit:
	case <-ctx.Done():
	}
	em.mu.Lock()
	if i := slices.Index(em.waiters, waiter); i >= 0 {
		em.waiters = slices.Delete(em.waiters, i, i+1)
		return nil
	}
	return <-waiter // it came in the last moment
}

// handoverLeft is how long the environment may still be waited for.
func handoverLeft(e *environment.Environment) time.Duration {
	at := e.Responded()
	if at.IsZero() {
		return 0
	}
	return handover - time.Since(at)
}

// dismiss lets all who wait look again. Called with em.mu held.
func (em *Emulator) dismiss() {
	for _, waiter := range em.waiters {
		close(waiter)
	}
	em.waiters = nil
}

// popIdle prefers provisioned environments. Called with em.mu held.
func (em *Emulator) popIdle() *environment.Environment {
	if len(em.idle) == 0 {
		return nil
	}
	at := len(em.idle) - 1
	for i := at; i >= 0; i-- {
		if em.idle[i].Provisioned() {
			at = i
			break
		}
	}
	e := em.idle[at]
	em.idle = slices.Delete(em.idle, at, at+1)
	return e
}

// start has another environment take the invocation. Called with em.mu held.
func (em *Emulator) start(v *environment.Invocation) error {
	if em.cfg.SnapStart != nil {
		return em.restore(v)
	}
	_, err := em.create(false, v)
	return err
}

// create starts an environment, with its first invocation if there is one.
// Called with em.mu held.
func (em *Emulator) create(provisioned bool, first *environment.Invocation) (*environment.Environment, error) {
	em.made++
	id := fmt.Sprintf("env-%d", em.made)
	e, err := environment.New(em.environment(), em.host, id, filepath.Join(em.cfg.Dir, id), provisioned)
	if err != nil {
		return nil, err
	}
	if first != nil {
		e.Give(first)
	}
	em.envs[e.ID()] = e
	em.running.Go(func() {
		e.Run(environment.Pool{
			HandOver: em.handOver, Offer: em.offer, Withdraw: em.withdraw, Stop: em.stop,
			Prepared: em.prepared, Retire: em.retire,
		})
		em.remove(e)
	})
	return e, nil
}

// provision keeps the number of provisioned environments up.
func (em *Emulator) provision() {
	em.mu.Lock()
	defer em.mu.Unlock()
	if em.closing {
		return
	}
	have := 0
	for _, e := range em.envs {
		if e.Provisioned() {
			have++
		}
	}
	for ; have < em.cfg.Function.ProvisionedConcurrency && len(em.envs) < em.cfg.Concurrency; have++ {
		if _, err := em.create(true, nil); err != nil {
			em.cfg.Log.Error("no provisioned environment", "error", err)
			return
		}
	}
}

// handOver gives the environment to a request that waits already, unfrozen. It
// reports whether there was one.
func (em *Emulator) handOver(e *environment.Environment) bool {
	em.mu.Lock()
	defer em.mu.Unlock()
	return em.giveToWaiter(e)
}

// offer makes an environment available.
func (em *Emulator) offer(e *environment.Environment) {
	em.mu.Lock()
	defer em.mu.Unlock()
	if !em.giveToWaiter(e) {
		e.ForgetResponse()
		em.idle = append(em.idle, e)
	}
}

// giveToWaiter is called with em.mu held. The waiter gives the environment a job.
func (em *Emulator) giveToWaiter(e *environment.Environment) bool {
	if len(em.waiters) == 0 {
		return false
	}
	e.ForgetResponse()
	em.waiters[0] <- e
	em.waiters = em.waiters[1:]
	return true
}

// withdraw takes an environment back. It reports false when an invocation has
// been given to it already.
func (em *Emulator) withdraw(e *environment.Environment) bool {
	em.mu.Lock()
	defer em.mu.Unlock()
	i := slices.Index(em.idle, e)
	if i < 0 {
		return false
	}
	em.idle = slices.Delete(em.idle, i, i+1)
	return true
}

func (em *Emulator) remove(e *environment.Environment) {
	em.mu.Lock()
	delete(em.envs, e.ID())
	if em.cfg.Queue { // there is room now, and perhaps nobody else to wait for
		em.dismiss()
	}
	em.mu.Unlock()
	if e.Provisioned() {
		em.provision()
	}
}
