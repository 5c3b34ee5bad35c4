package lambda

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"time"

	"github.com/aproorg/sluice/internal/emulate/lambda/environment"
	"github.com/aproorg/sluice/internal/emulate/lambda/runtimeapi"
	"github.com/aproorg/sluice/internal/emulate/lambda/sandbox"
	"github.com/aproorg/sluice/internal/hint"
	"github.com/aproorg/sluice/internal/timeline"
)

// SnapStart has the function's environments come from a snapshot that Publish takes.
type SnapStart struct {
	// Label is true of an image with the label that lets it be cloned without a call of
	// restore/next: com.amazonaws.lambda.feature.snapstart, "Allow".
	Label bool
	// Ahead is how many environments are held for requests to come; 0 means 2. More are
	// started when those are in use, and take the time of a start.
	Ahead int
	// Held has environments be started ahead and held although they could be clones.
	Held bool
}

// publishing is the state of the version. Its fields are guarded by Emulator.mu.
type publishing struct {
	published bool
	token     string                   // by which environments get credentials
	first     chan *runtimeapi.Failure // takes the end of the first init phase; nil once it has
	clones    bool                     // environments can be clones
	ports     []string                 // that clones reach
	snapshot  *sandbox.Snapshot        // what they are clones of, once it is there
}

// Snapshot tells of a version that was published.
type Snapshot struct {
	Took  time.Duration
	Bytes int64 // of the snapshot, where there are clones
	// Cut is true where connections from before a restore are dead after it, as on AWS.
	Cut bool
	// Clones is false where this machine takes no snapshots: environments are started
	// ahead and held instead. Why says what it lacks.
	Clones bool
	Why    string
}

// Errors of the Invoke API with SnapStart.
// https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html#API_Invoke_Errors
var errNotReady = &apiError{409, "SnapStartNotReadyException", "Lambda is initializing your function. It will be ready to invoke once your function state becomes ACTIVE.", ""}

func notRestored(f *runtimeapi.Failure) *apiError {
	if f.Kind == runtimeapi.Timeout {
		return &apiError{408, "SnapStartTimeoutException", "Lambda couldn't restore the snapshot within the timeout limit.", ""}
	}
	return &apiError{400, "SnapStartException", f.Kind + ": " + f.Message(), ""}
}

// Publish runs the init phase, up to max(130 s, the function's timeout), and takes the
// snapshot that environments come from. Until then invocations get 409. What makes AWS
// refuse to publish the version is the error. It is called once, with Config.SnapStart.
func (em *Emulator) Publish(ctx context.Context) (Snapshot, error) {
	begin := time.Now()
	first := make(chan *runtimeapi.Failure, 1)
	em.mu.Lock()
	if em.closing {
		em.mu.Unlock()
		return Snapshot{}, errClosing
	}
	em.first = first
	why := em.whyHeld()
	em.clones = why == ""
	e, err := em.prepareAnother()
	em.mu.Unlock()
	if err != nil {
		return Snapshot{}, fmt.Errorf("publish version %s: %w", em.cfg.Version, err)
	}
	select {
	case f := <-first:
		if f != nil {
			err := fmt.Errorf("publish version %s: %s: %s", em.cfg.Version, f.Kind, f.Message())
			if why == "" {
				err = hint.With(err, "with clones the app has a network of its own: of this machine's servers it reaches those that the function's variables name, as 127.0.0.1:PORT or in a URL, and nothing beyond")
			}
			return Snapshot{}, err
		}
	case <-ctx.Done():
		e.Kill()
		<-first
		return Snapshot{}, fmt.Errorf("publish version %s: %w", em.cfg.Version, ctx.Err())
	}
	s := Snapshot{Cut: runtime.GOOS == "linux", Why: why}
	if em.clones {
		em.takeSnapshot(e, &s)
	}
	s.Took = time.Since(begin)
	em.cfg.Record.Emit(timeline.Event{Kind: timeline.EnvironmentSnapshot, Environment: e.ID(), Took: s.Took, Bytes: s.Bytes, Note: s.Why})
	em.mu.Lock()
	defer em.mu.Unlock()
	em.published = true
	if !s.Clones {
		em.prepareAhead()
	}
	return s, nil
}

// whyHeld says what is missing for clones; empty is nothing.
func (em *Emulator) whyHeld() string {
	switch {
	case em.cfg.SnapStart.Held:
		return "not asked for"
	case em.cfg.Process.Client == "":
		return "the function is not behind Sluice's bootstrap, which calls restore/next again where a clone has lost that connection"
	case em.cfg.Process.Root != "":
		return "an image's files have no criu in them"
	case len(em.cfg.Extensions) > 0:
		return "extensions are not cloned"
	}
	err := em.host.Clones()
	if err == nil {
		em.ports, err = sandbox.OwnPorts()
	}
	if err != nil {
		return err.Error()
	}
	return ""
}

// takeSnapshot ends the environment that is held, and has all others be clones of it. Where
// CRIU cannot dump what the app has, environments are held after all.
func (em *Emulator) takeSnapshot(e *environment.Environment, s *Snapshot) {
	from, err := e.Snapshot()
	em.mu.Lock()
	defer em.mu.Unlock()
	if err != nil {
		em.clones, s.Why = false, err.Error()
		return
	}
	em.forget(e)
	em.snapshot, em.ports = from, e.Reached()
	s.Clones, s.Bytes = true, from.Bytes
}

// origin says how environments come about.
func (em *Emulator) origin() string {
	if em.cfg.SnapStart == nil {
		return "on-demand"
	}
	em.mu.Lock()
	defer em.mu.Unlock()
	if em.snapshot == nil {
		return "held"
	}
	return "clone"
}

// prepareAnother starts an environment for requests to come. Called with em.mu held.
func (em *Emulator) prepareAnother() (*environment.Environment, error) {
	e, err := em.create(false, nil)
	if err == nil {
		em.ahead = append(em.ahead, e)
	}
	return e, err
}

// prepareAhead keeps the number of environments that wait up. Called with em.mu held.
func (em *Emulator) prepareAhead() {
	want := em.cfg.SnapStart.Ahead
	if want == 0 {
		want = 2
	}
	for !em.closing && len(em.ahead) < want && len(em.envs) < em.cfg.Concurrency {
		if _, err := em.prepareAnother(); err != nil {
			em.cfg.Log.Error("no environment ahead of requests", "error", err)
			return
		}
	}
}

// restore gives the invocation to a clone, or to the environment that has waited longest.
// Called with em.mu held.
func (em *Emulator) restore(v *environment.Invocation) error {
	if em.snapshot != nil {
		_, err := em.create(false, v)
		return err
	}
	if len(em.ahead) == 0 {
		if _, err := em.prepareAnother(); err != nil {
			return err
		}
	}
	e := em.ahead[0]
	em.ahead = em.ahead[1:]
	e.Give(v)
	em.prepareAhead()
	return nil
}

// prepared hears how an init phase ended. One that fails is not tried again until there
// is a request, for the next would fail, too.
func (em *Emulator) prepared(e *environment.Environment, f *runtimeapi.Failure) {
	em.mu.Lock()
	defer em.mu.Unlock()
	if f != nil {
		em.forget(e)
	}
	if em.first != nil {
		em.first <- f
		em.first = nil
	}
}

// retire takes an environment back. It reports false when an invocation has been given
// to it already.
func (em *Emulator) retire(e *environment.Environment) bool {
	em.mu.Lock()
	defer em.mu.Unlock()
	return em.forget(e)
}

// forget is called with em.mu held.
func (em *Emulator) forget(e *environment.Environment) bool {
	i := slices.Index(em.ahead, e)
	if i < 0 {
		return false
	}
	em.ahead = slices.Delete(em.ahead, i, i+1)
	return true
}
