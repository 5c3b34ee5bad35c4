// Package supervise runs the app as a child process: starts it, sees when it is ready, starts it again when it dies, and ends it
// with everything that it started.
//
// The app is the leader of a process group of its own, in the session of its parent, and is killed by the kernel when the
// parent dies. What it leaves behind falls to Orphans. Its output passes through line by line; the last lines are kept for the error of a failed start.
//
// It leaves out requests (relay) and the app's environment, which the caller gives whole.
package supervise

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"regexp"
	"sync"
	"sync/atomic"
	"time"

	"github.com/aproorg/sluice/internal/hint"
)

// Config says what to run and when it is ready.
type Config struct {
	// Command is the program and its arguments.
	Command []string
	Dir     string
	// Env gives the app's variables. It is called before the first start, and again for StartAnew; nil inherits ours.
	Env func(context.Context) ([]string, error)
	// Stdout and Stderr get the app's lines, each in one Write.
	Stdout, Stderr io.Writer

	// Address is the host:port where the app listens.
	Address string
	// ReadyPath is probed with a GET; if empty, the app is ready once its port is open.
	ReadyPath string
	// ReadyStatus says which statuses of ReadyPath mean ready; nil accepts 2xx and 3xx.
	ReadyStatus func(status int) bool
	Attempts    int
	Interval    time.Duration
	// Fair leaves out of the attempts the time in which the app waits for a processor,
	// as on a machine where much else runs. Ten times the attempts are the most.
	Fair bool
	// ReadyLog, if set, must also have matched a line of the output.
	ReadyLog *regexp.Regexp

	// OnReady, if set, is called when a process is ready, before Ready says so.
	OnReady func(context.Context)

	// Orphans, if set, waits for the processes that the app leaves behind.
	Orphans *Orphans
	// StopGrace is the time between SIGTERM and SIGKILL.
	StopGrace time.Duration
	Logger    *slog.Logger
}

// App is a supervised process. It is safe for concurrent use.
type App struct {
	cfg  Config
	tail *tail
	seen atomic.Pointer[sighting] // by the latest probe

	anew chan struct{} // has an element when the process is to be replaced

	mu      sync.Mutex
	state   *startup // of the process that runs now
	started int
}

// startup is one process's way to readiness.
type startup struct {
	done  chan struct{} // closed when ready or failed
	err   error         // valid once done is closed
	ended chan struct{} // closed when the process is gone
}

func newStartup() *startup {
	return &startup{done: make(chan struct{}), ended: make(chan struct{})}
}

// ErrStart is in the chain of every error that says why the app did not become ready.
var ErrStart = errors.New("the app did not start")

// New makes an App; Run runs it.
func New(cfg Config) *App {
	return &App{cfg: cfg, tail: &tail{}, anew: make(chan struct{}, 1), state: newStartup()}
}

// Address is the host:port where the app listens.
func (a *App) Address() string { return a.cfg.Address }

// Tail returns the app's last lines of output.
func (a *App) Tail() []string { return a.tail.lines() }

// Starts counts the processes started so far.
func (a *App) Starts() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.started
}

// Ready waits until the present process is ready, has failed (an error that is ErrStart), or ctx ends. The error then also
// says what the latest probe saw.
func (a *App) Ready(ctx context.Context) error {
	state := a.current()
	select {
	case <-state.done:
		return state.err
	default:
	}
	select {
	case <-state.done:
		return state.err
	case <-ctx.Done():
		return a.unready(ctx.Err())
	}
}

// StartAnew ends the process that runs, at once, and starts another with new variables. It returns when the first has ended, or ctx has.
// Ready then waits for the other. The present process must be ready.
func (a *App) StartAnew(ctx context.Context) error {
	ended := a.Ended()
	a.anew <- struct{}{}
	select {
	case <-ended:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// errAnew ends a process that StartAnew replaces.
var errAnew = errors.New("the app is started anew")

// Ended is closed when the process that runs now, or is about to, is gone.
func (a *App) Ended() <-chan struct{} { return a.current().ended }

func (a *App) current() *startup {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.state
}

const (
	// maxUnready is how many processes in a row may die before they were ready, after one that was.
	maxUnready = 3
	// steady is the life after which an end no longer counts as one of a row. In a row, each start waits restartStep longer.
	steady      = 10 * time.Second
	restartStep = 250 * time.Millisecond
	restartMax  = 5 * time.Second
)

// Run starts the app and keeps it running until ctx ends, then ends it and returns nil. A first process that does not become
// ready, or several in a row that do not, end Run with an error that is ErrStart.
func (a *App) Run(ctx context.Context) error {
	env, err := a.env(ctx)
	if err != nil {
		a.finish(a.begin(), err)
		return err
	}
	for unready, quick := 0, 0; ; {
		begun := time.Now()
		ready, err := a.runOnce(ctx, env)
		if ctx.Err() != nil {
			return nil
		}
		if errors.Is(err, errAnew) {
			if env, err = a.env(ctx); err != nil {
				a.finish(a.begin(), err)
				return err
			}
			continue
		}
		if unready++; ready {
			unready = 0
		}
		if quick++; time.Since(begun) > steady {
			quick = 1
		}
		if unready > maxUnready || unready > 0 && a.Starts() == 1 {
			return err
		}
		a.cfg.Logger.Error("the app ended; it is started again", "error", hint.Text(err), "output", a.Tail())
		if !sleep(ctx, min(time.Duration(quick-1)*restartStep, restartMax)) {
			return nil
		}
	}
}

func (a *App) env(ctx context.Context) ([]string, error) {
	if a.cfg.Env == nil {
		return nil, nil
	}
	env, err := a.cfg.Env(ctx)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrStart, err)
	}
	return env, nil
}

// runOnce runs one process to its end and says whether it ever was ready.
func (a *App) runOnce(ctx context.Context, env []string) (ready bool, err error) {
	state := a.begin()
	steps := newSteps(a.cfg.Logger)
	p, err := start(&a.cfg, env, a.tail)
	if err != nil {
		err = fmt.Errorf("%w: start %q: %w", ErrStart, a.cfg.Command, err)
		a.finish(state, err)
		return false, err
	}
	steps.done("spawn")
	probed := make(chan error, 1)
	probeCtx, cancel := context.WithCancel(ctx)
	var probing sync.WaitGroup
	probing.Go(func() { probed <- a.probe(probeCtx, p, steps) })
	grace := a.cfg.StopGrace
	defer func() {
		cancel()
		p.stop(grace)
		a.cfg.Orphans.endLeft()
		probing.Wait()
	}()

	for {
		select {
		case <-ctx.Done():
			a.finish(state, ctx.Err())
			return ready, ctx.Err()
		case err := <-probed:
			if err != nil {
				err = fmt.Errorf("%w: %w", ErrStart, err)
				a.finish(state, err)
				return false, err
			}
			ready, probed = true, nil
			if a.cfg.OnReady != nil {
				a.cfg.OnReady(ctx)
			}
			a.finish(state, nil)
		case <-a.anew:
			grace = 0
			a.await()
			close(state.ended)
			return true, errAnew
		case <-p.done:
			err := fmt.Errorf("%w: %s ended: %s", ErrStart, a.cfg.Command[0], p.reason)
			if ready {
				err = fmt.Errorf("%s ended: %s", a.cfg.Command[0], p.reason)
				a.await() // requests wait for the next process
				close(state.ended)
				return true, err
			}
			a.finish(state, err)
			return false, err
		}
	}
}

// begin makes the state of a new process; the first and those after a crash have theirs already.
func (a *App) begin() *startup {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.started++
	select {
	case <-a.state.done:
		a.state = newStartup()
	default:
	}
	return a.state
}

// await makes Ready wait from now on.
func (a *App) await() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.state = newStartup()
}

func (a *App) finish(s *startup, err error) {
	select {
	case <-s.done:
	default:
		s.err = err
		close(s.done)
	}
}

func sleep(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
