package bootstrap

import (
	"context"
	"errors"
	"time"

	"github.com/aproorg/sluice/internal/bootstrap/runtimeapi"
)

// serve runs the loops over invocations, one for each that Lambda may send at once, and returns the first error.
func (e *environment) serve(ctx context.Context) error {
	next, cancel := context.WithCancel(ctx)
	defer cancel()
	work, abandon := context.WithCancel(context.WithoutCancel(ctx))
	defer abandon()
	defer context.AfterFunc(ctx, func() { time.AfterFunc(e.cfg.Settings.StopGrace, abandon) })()
	loops := make(chan error)
	for range e.cfg.Settings.Concurrency {
		go func() { loops <- e.loop(next, work) }()
	}
	var first error
	failed := e.failed
	for left := e.cfg.Settings.Concurrency; left > 0; {
		select {
		case err := <-loops:
			left--
			first = errors.Join(first, err)
			cancel() // one loop that cannot go on ends the environment
		case <-failed:
			failed = nil
			first = errors.Join(first, e.reason)
			cancel() // invocations at hand are still answered
		}
	}
	if ctx.Err() != nil {
		return nil
	}
	return first
}

// loop serves invocations until ctx ends. An invocation at hand is finished first, under work.
func (e *environment) loop(ctx, work context.Context) error {
	for {
		inv, err := e.api.Next(ctx)
		if err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return err
		}
		if err := e.invoke(ctx, work, inv); err != nil {
			return err
		}
	}
}

// invoke serves one invocation and holds it open while the app works on.
func (e *environment) invoke(ctx, work context.Context, inv *runtimeapi.Invocation) error {
	e.enter()
	begun := time.Now()
	err := e.relay.Serve(work, inv)
	answered := time.Now()
	log := e.cfg.Logger.With("requestId", inv.ID)
	if e.leave() == 0 && err == nil && e.cfg.Settings.DrainLimit > 0 {
		e.hold(ctx, inv)
	}
	log.Debug("invocation served", "response", answered.Sub(begun).String(), "held", time.Since(answered).String())
	return err
}

// holdMargin is the time before Lambda's timeout at which an invocation is let go, work or not: work that is frozen goes on
// later, work that is killed does not.
const holdMargin = 500 * time.Millisecond

func (e *environment) hold(ctx context.Context, inv *runtimeapi.Invocation) {
	left := time.Until(inv.Deadline)
	limit := min(e.cfg.Settings.DrainLimit, left-min(holdMargin, left/4))
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	begun := time.Now()
	reason, err := e.drain.Wait(ctx)
	log := e.cfg.Logger.With("requestId", inv.ID, "held", time.Since(begun).Round(time.Millisecond).String())
	switch {
	case err != nil:
		log.Warn("the app still works, but the invocation cannot be held longer", "work", reason)
	case time.Since(begun) > time.Second:
		log.Info("the app worked on after its response", "work", reason)
	}
	if e.drain.Blind() {
		e.blind.Do(func() { log.Warn(noTell) })
	}
}

// noTell is said once, before the environment is first frozen.
const noTell = "nothing tells whether the app has work left after its response, and what is left is frozen with it: " +
	"SLUICE_BUSY_PATH names a path that tells, and SLUICE_DRAIN_LIMIT=0 says that there never is any"

func (e *environment) enter() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.busy++
}

// leave returns how many invocations are still served: only the last one has to hold the environment.
func (e *environment) leave() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.busy--
	return e.busy
}
