package lambda

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/aproorg/sluice/internal/timeline"
)

// waitNotice is how long an invocation waits in the queue before the timeline
// says so: after that long, a person at the browser wonders why.
const waitNotice = 3 * time.Second

// awaitTurn waits in the queue, as await does, and reports a long wait. Called
// with em.mu held.
func (em *Emulator) awaitTurn(ctx context.Context, v *invocation) *environment {
	notice := time.AfterFunc(waitNotice, func() { em.reportWait(v) })
	defer notice.Stop()
	return em.await(ctx, nil)
}

// reportWait records which environment an invocation waits for, and what holds it.
func (em *Emulator) reportWait(v *invocation) {
	em.mu.Lock()
	envs := slices.Collect(maps.Values(em.envs))
	em.mu.Unlock()
	if len(envs) == 0 {
		return // one is about to be made
	}
	e := slices.MinFunc(envs, func(a, b *environment) int { return a.started.Compare(b.started) })
	which := e.id
	if em.cfg.Concurrency == 1 {
		which += ", the only environment"
	}
	em.emit(v, timeline.Event{
		Kind: timeline.RequestWait, Environment: e.id,
		Note: fmt.Sprintf("%s waits for %s: %s", v.name(), which, e.holder()),
	})
}

// holder says what keeps the environment from the next invocation.
func (e *environment) holder() string {
	v := e.current.Load()
	if v == nil {
		return "its state is " + string(e.info().State)
	}
	held := time.Since(v.began).Round(time.Second)
	if e.info().State == timeline.Draining {
		return fmt.Sprintf("the app is at work after its response to %s, since %s", v.name(), held)
	}
	return fmt.Sprintf("%s has held it for %s", v.name(), held)
}

// name is what a person knows the invocation by.
func (v *invocation) name() string {
	if method, path := v.asks(); method != "" {
		return method + " " + path
	}
	return "invocation " + v.id
}
