package lambda

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/aproorg/sluice/internal/emulate/lambda/environment"
	"github.com/aproorg/sluice/internal/timeline"
)

// waitNotice is how long an invocation waits in the queue before the timeline
// says so: after that long, a person at the browser wonders why.
const waitNotice = 3 * time.Second

// awaitTurn waits in the queue, as await does, and reports a long wait. Called
// with em.mu held.
func (em *Emulator) awaitTurn(ctx context.Context, v *environment.Invocation) *environment.Environment {
	notice := time.AfterFunc(waitNotice, func() { em.reportWait(v) })
	defer notice.Stop()
	return em.await(ctx, nil)
}

// reportWait records which environment an invocation waits for, and what holds it.
func (em *Emulator) reportWait(v *environment.Invocation) {
	em.mu.Lock()
	envs := slices.Collect(maps.Values(em.envs))
	em.mu.Unlock()
	if len(envs) == 0 {
		return // one is about to be made
	}
	e := slices.MinFunc(envs, func(a, b *environment.Environment) int { return a.Info().Started.Compare(b.Info().Started) })
	which := e.ID()
	if em.cfg.Concurrency == 1 {
		which += ", the only environment"
	}
	em.emit(v, timeline.Event{
		Kind: timeline.RequestWait, Environment: e.ID(),
		Note: fmt.Sprintf("%s waits for %s: %s", name(v), which, holder(e)),
	})
}

// holder says what keeps the environment from the next invocation.
func holder(e *environment.Environment) string {
	v := e.Current()
	if v == nil {
		return "its state is " + string(e.Info().State)
	}
	held := time.Since(v.Began).Round(time.Second)
	if e.Info().State == timeline.Draining {
		return fmt.Sprintf("the app is at work after its response to %s, since %s", name(v), held)
	}
	return fmt.Sprintf("%s has held it for %s", name(v), held)
}

// name is what a person knows the invocation by.
func name(v *environment.Invocation) string {
	if method, path := v.Asks(); method != "" {
		return method + " " + path
	}
	return "invocation " + v.ID
}
