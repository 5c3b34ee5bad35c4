// Package bootstrap is Lambda's runtime client and the app's parent process put together: it starts the app, serves
// invocations one after the other, holds each open until the app's work is done, and ends the app at shutdown.
//
// The order of an environment's life:
//
//	init      extension registered, Prepare run, app started and probed; at the init limit the rest moves into the first invocation
//	snapshot  with SnapStart: the app warmed and at rest, restore/next, and what makes each restored environment one of its own
//	invoke    next, event to the app, response streamed, work after the response waited for, next
//	shutdown  SIGTERM (the context's end) passed on to the app, waited for, then SIGKILL to its process group
//
// It leaves out where settings come from (settings) and every part's own work; see relay, supervise, drain and runtimeapi.
package bootstrap

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/aproorg/sluice/internal/bootstrap/drain"
	"github.com/aproorg/sluice/internal/bootstrap/relay"
	"github.com/aproorg/sluice/internal/bootstrap/runtimeapi"
	"github.com/aproorg/sluice/internal/bootstrap/settings"
	"github.com/aproorg/sluice/internal/bootstrap/snapshot"
	"github.com/aproorg/sluice/internal/bootstrap/supervise"
	"github.com/aproorg/sluice/internal/bootstrap/uploads"
	"github.com/aproorg/sluice/internal/hint"
)

// Config is what Run needs besides the settings.
type Config struct {
	Settings settings.Settings
	// Command is the app's program and arguments.
	Command []string
	// Env are the variables that the app inherits, as os.Environ gives them.
	Env []string
	// Prepare, if set, runs in the init phase before the app is started, for what needs the network: secrets, configuration,
	// a credentials endpoint. It gets the environment that the app would have and returns the one that it shall have. It runs inside
	// the init limit and, past it, in the first invocation; its error becomes the init error. Its ctx ends when Run does, so a
	// server that it starts may live by it.
	Prepare func(ctx context.Context, env []string) ([]string, error)
	// Refresh, if set, prepares again, after a restore, what is of that age or older, and returns the names of the variables that Prepare gives
	// other values from then on. env is as for Prepare.
	Refresh func(ctx context.Context, env []string, age time.Duration) (changed []string, err error)
	// LateSecret says that Prepare brings the origin secret, from where secrets are kept. The app does not see it then either.
	LateSecret bool
	// UploadStore, if set, takes bodies that are too large for Lambda.
	UploadStore *uploads.Store
	// Orphans, if set, waits for the processes that the app leaves behind. Its owner ends it after Run.
	Orphans *supervise.Orphans
	// Stdout and Stderr get the app's lines.
	Stdout, Stderr io.Writer
	Logger         *slog.Logger
}

// Run serves invocations until ctx ends, and returns nil then. Any other end is an error, after which the process is to exit
// with a status that is not zero: Lambda then makes a new environment. The app is gone when Run returns.
func Run(ctx context.Context, cfg Config) error {
	ctx, cancel := context.WithCancel(ctx)
	e := &environment{cfg: cfg, api: runtimeapi.New(cfg.Settings.RuntimeAPI), failed: make(chan struct{})}
	defer e.background.Wait()
	defer cancel()

	if cfg.Settings.Extension {
		e.registerExtension(ctx)
	}
	if err := e.assemble(); err != nil {
		return e.failInit(ctx, err)
	}
	defer e.close()
	e.background.Go(func() { e.runApp(ctx) })
	if err := e.init(ctx); err != nil {
		return e.failInit(ctx, err)
	}
	if cfg.Settings.SnapStart {
		if err := e.snapshot(ctx); err != nil {
			return err
		}
	}
	return e.serve(ctx)
}

// Refuse reports an error that was found before Run could be called, such as a bad setting, as the init error. address is the host:port of
// the Runtime API; without one there is nobody to tell.
func Refuse(ctx context.Context, address string, reason error) error {
	if address == "" {
		return nil
	}
	return runtimeapi.New(address).FailInit(ctx, runtimeapi.Failure{Type: "Sluice.BadSetting", Message: hint.Text(reason)})
}

// environment is one execution environment.
type environment struct {
	cfg   Config
	api   *runtimeapi.Client
	app   *supervise.App
	relay *relay.Relay
	drain *drain.Drain
	// processes are those of Node in an environment of SnapStart; nil where no script is to be loaded.
	processes *snapshot.Processes
	address   string // of the app

	lateSecret atomic.Pointer[string] // that Prepare brought
	uploads    atomic.Pointer[uploads.Uploads]

	background sync.WaitGroup
	// failed is closed when the app will not run any more; reason is valid then.
	failed chan struct{}
	reason error

	blind sync.Once // nothing tells whether work is left, and it was said

	mu   sync.Mutex
	busy int // invocations being served
}

func (e *environment) registerExtension(ctx context.Context) {
	wait, err := e.api.RegisterExtension(ctx, "sluice-bootstrap")
	if err != nil {
		e.cfg.Logger.Warn("no SIGTERM will come before the environment ends", "error", err)
		return
	}
	e.background.Go(wait)
}

// assemble makes the parts.
func (e *environment) assemble() error {
	s := e.cfg.Settings
	var err error
	if e.address, err = appAddress(s.AppHost, s.AppPort); err != nil {
		return err
	}
	if s.SnapStart && s.Preload {
		if e.processes, err = snapshot.Listen(e.cfg.Logger, s.Snapshot.Age); err != nil {
			return fmt.Errorf("tell the app of a snapshot: %w", err)
		}
	}
	e.drain = drain.New(drain.Config{
		Preload: s.Preload && s.DrainLimit > 0, TimerLimit: s.DrainTimer, StartLimit: s.DrainStart, LongTimer: time.Minute, BusyURL: busyURL(s, e.address), Logger: e.cfg.Logger,
	})
	e.app = supervise.New(supervise.Config{
		Command: e.cfg.Command, Dir: s.AppDir,
		Env:    e.appEnvironment,
		Stdout: e.cfg.Stdout, Stderr: e.cfg.Stderr, Address: e.address, ReadyPath: s.ReadyPath, ReadyStatus: s.ReadyStatus.Contain, Attempts: s.ReadyAttempts,
		Interval: s.ReadyInterval, Fair: s.ReadyFair, ReadyLog: s.ReadyLog, OnReady: e.drain.Started, StopGrace: s.StopGrace, Orphans: e.cfg.Orphans, Logger: e.cfg.Logger,
	})
	e.relay = relay.New(relayConfig(e))
	return nil
}

// init waits until the app is ready or the init phase has to end.
func (e *environment) init(ctx context.Context) error {
	wait := ctx
	if !e.cfg.Settings.LongInit {
		bounded, cancel := context.WithTimeout(ctx, e.cfg.Settings.InitLimit)
		defer cancel()
		wait = bounded
	}
	begun := time.Now()
	err := e.awaitApp(wait)
	switch {
	case err == nil:
		e.cfg.Logger.Info("the app is ready", "after", time.Since(begun).Round(time.Millisecond).String())
	case errors.Is(err, supervise.ErrStart):
		return err
	case ctx.Err() == nil:
		e.cfg.Logger.Info(settings.NotReady+"; its start goes on in the first invocation", "after", time.Since(begun).Round(time.Millisecond).String(), "error", hint.Text(err))
	}
	return nil
}

// patience is how long an app may start in silence.
const patience = 3 * time.Second

// awaitApp waits until the app is ready, and says what it waits for where that takes
// long.
func (e *environment) awaitApp(ctx context.Context) error {
	short, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	err := e.app.Ready(short)
	if err == nil || short.Err() == nil || ctx.Err() != nil {
		return err
	}
	if seen := e.app.Seen(); seen != nil {
		e.cfg.Logger.Info(settings.NotReady, "after", patience.String(), "error", hint.Text(seen))
	}
	return e.app.Ready(ctx)
}

// failInit reports an error of the init phase and returns it.
func (e *environment) failInit(ctx context.Context, err error) error {
	failure := runtimeapi.Failure{Type: "Sluice.InitFailed", Message: hint.Text(err)}
	if e.app != nil {
		failure.Trace = e.app.Tail()
	}
	return errors.Join(fmt.Errorf("init: %w", err), e.api.FailInit(ctx, failure))
}

func (e *environment) runApp(ctx context.Context) {
	if err := e.app.Run(ctx); err != nil {
		e.reason = err
		close(e.failed)
	}
}

func (e *environment) close() {
	e.drain.Close()
	if e.processes != nil {
		e.processes.Close()
	}
}
