package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/aproorg/sluice/internal/app/librechat"
	"github.com/aproorg/sluice/internal/app/librechat/rehearsal"
	"github.com/aproorg/sluice/internal/hint"
	"github.com/aproorg/sluice/internal/rehearse"
	"github.com/aproorg/sluice/internal/stack"
	"github.com/aproorg/sluice/internal/timeline"
	"github.com/aproorg/sluice/internal/ui"
)

// upOptions are the flags of up.
type upOptions struct {
	appOptions
	librechat librechatOptions
	image     imageSource
	stack     stackSource

	site     string
	routes   []string
	listen   string
	timeline string

	concurrency int
	memory      int
	timeout     time.Duration
	noFreeze    bool
	speed       float64
}

func newUp(a *app) *cobra.Command {
	o := upOptions{}
	command := &cobra.Command{
		Use:   "up",
		Short: "Rehearse the whole path on this machine: CloudFront, API Gateway, Lambda, the app",
		Long: `Up runs an app as it will run on AWS: behind an emulated distribution and REST
stage, in execution environments that serve one request at a time, start cold,
freeze between requests and keep Lambda's limits, with the real bootstrap in
front of the app. Everything streams, and a timeline page shows it live.`,
		Example: `  sluice up
  sluice up --app ./server --command "node server.js" --ready-path /health
  sluice up --app ./server --command "node server.js" --site ./dist --routes "/api/*"
  sluice up --app librechat --librechat ../LibreChat
  sluice up --image oci:out
  sluice up --concurrency 40 --memory 1024 --env-file .env --json`,
		Args:        cobra.NoArgs,
		Annotations: exitCodes("0  ended by Ctrl-C or SIGTERM, nothing is left running", "1  it could not start; standard error says why"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if o.app != librechatApp {
				if err := o.librechat.without(cmd.Flags()); err != nil {
					return err
				}
			}
			return runUp(cmd.Context(), a, o)
		},
	}
	f := command.Flags()
	o.appOptions.addFlags(f)
	o.librechat.addFlags(f)
	o.image.addFlags(f)
	f.StringVar(&o.site, "site", "", "`DIR` with the built front end (default: the demo's; none for another app)")
	f.StringSliceVar(&o.routes, "routes", nil, "path `PATTERNS` of the API, such as /api/*,/health (default: the stack's; /* for an app without --site)")
	f.StringVar(&o.listen, "listen", rehearse.DefaultListen, "`HOST:PORT` of the site; port 0 takes a free one")
	f.StringVar(&o.timeline, "timeline", "", "`HOST:PORT` of the timeline page (default: the next free port)")
	o.stack.addFlags(command, f)
	f.IntVar(&o.concurrency, "concurrency", rehearse.DefaultConcurrency, "most environments at a time; a request beyond gets 429 from Lambda")
	f.IntVar(&o.memory, "memory", 0, "`MB` of memory per environment (default: the stack's)")
	f.DurationVar(&o.timeout, "timeout", 0, "timeout of the function, at most 15m (default: the stack's)")
	f.BoolVar(&o.noFreeze, "no-freeze", false, "let environments run on between requests, as they never do on Lambda")
	f.Float64Var(&o.speed, "speed", 1, "divide the limits of the init phase by this `FACTOR`, for tests of slow starts")
	return command
}

func (o upOptions) check() error {
	switch {
	case o.concurrency < 1:
		return &usageError{fmt.Errorf("--concurrency %d: want at least 1", o.concurrency)}
	case o.memory != 0 && (o.memory < 128 || o.memory > 10240):
		return &usageError{fmt.Errorf("--memory %d: Lambda allows 128 to 10240 MB", o.memory)}
	case o.timeout != 0 && (o.timeout < time.Second || o.timeout > 900*time.Second || o.timeout%time.Second != 0):
		return &usageError{fmt.Errorf("--timeout %s: Lambda allows 1s to 15m, in whole seconds", o.timeout)}
	case o.speed <= 0 || o.speed > 1000:
		return &usageError{fmt.Errorf("--speed %v: want a factor above 0, at most 1000", o.speed)}
	}
	return o.librechat.check()
}

// config turns flags into a rehearsal, and what is to be closed after it.
func (o upOptions) config(ctx context.Context, a *app) (rehearse.Config, io.Closer, error) {
	if err := o.check(); err != nil {
		return rehearse.Config{}, nil, err
	}
	topology, err := o.stack.load()
	if err != nil {
		return rehearse.Config{}, nil, err
	}
	if o.site != "" {
		if info, err := os.Stat(o.site); err != nil {
			return rehearse.Config{}, nil, fmt.Errorf("open the site: %w", err)
		} else if !info.IsDir() {
			return rehearse.Config{}, nil, &usageError{fmt.Errorf("--site %s is not a directory", o.site)}
		}
	}
	recorder := timeline.NewRecorder(0)
	c, closer, err := o.resolve(ctx, a, topology, recorder)
	if err != nil {
		return rehearse.Config{}, nil, err
	}
	if o.site != "" {
		c.Site = os.DirFS(o.site)
	}
	c.Stack = topology
	if len(o.routes) > 0 {
		c.Routes = o.routes
	}
	c.Listen, c.TimelineListen = o.listen, o.timeline
	c.Concurrency, c.MemorySize, c.Timeout = o.concurrency, o.memory, o.timeout
	c.NoFreeze, c.Speed = o.noFreeze, o.speed
	c.Recorder = recorder
	return c, closer, nil
}

// resolve finds the app that was asked for. The closer may be nil.
func (o upOptions) resolve(ctx context.Context, a *app, topology *stack.Stack, recorder *timeline.Recorder) (rehearse.Config, io.Closer, error) {
	switch {
	case o.image.ref != "":
		return o.image.resolve(ctx, o.appOptions)
	case o.app != librechatApp:
		c, err := o.appOptions.resolve(a)
		return c, nil, err
	}
	return o.librechat.resolve(a, o.appOptions, topology.Function.Environment, recorder)
}

func runUp(ctx context.Context, a *app, o upOptions) (err error) {
	begin := time.Now()
	config, stores, err := o.config(ctx, a)
	if err != nil {
		return err
	}
	if stores != nil {
		defer func() { err = errors.Join(err, stores.Close()) }()
	}
	view := newUpView(a)
	if o.app == librechatApp && !o.librechat.log {
		view.routine = new(librechat.Lines).Routine
	}
	config.Log = slog.New(&warnings{view: view})
	view.starting(config)
	world, err := rehearse.Start(ctx, config)
	if err != nil {
		view.stop()
		return err
	}
	view.ready(world, time.Since(begin))
	chat, _ := stores.(*rehearsal.Chat)
	if chat != nil {
		view.user(librechat.UserEmail, librechat.UserPassword)
	}
	view.follow(ctx, world.Recorder)
	if chat != nil {
		view.findings(chat.Stores().Mongo.Findings())
		view.note(chat.Budget(len(world.Lambda.Environments())).For(config.Concurrency))
	}
	view.ending()
	err = world.Close(context.WithoutCancel(ctx))
	view.ended()
	return err
}

// warnings shows what the hops warn of; the rest of their log is for tests.
type warnings struct {
	view *upView
	with []slog.Attr
}

func (w *warnings) Enabled(_ context.Context, level slog.Level) bool { return level >= slog.LevelWarn }

func (w *warnings) Handle(_ context.Context, r slog.Record) error {
	text := r.Message
	add := func(attr slog.Attr) bool {
		text += fmt.Sprintf(", %s: %s", attr.Key, attr.Value)
		return true
	}
	for _, attr := range w.with {
		add(attr)
	}
	r.Attrs(add)
	w.view.warn(ui.Clean(text))
	return nil
}

func (w *warnings) WithAttrs(attrs []slog.Attr) slog.Handler {
	return &warnings{w.view, append(append([]slog.Attr(nil), w.with...), attrs...)}
}

func (w *warnings) WithGroup(string) slog.Handler { return w }

// environment is what --env-file and --env configure; --env wins.
func (o appOptions) environment() (map[string]string, error) {
	env := map[string]string{}
	for _, path := range o.envFiles {
		file, err := environmentFile(path)
		if err != nil {
			return nil, err
		}
		maps.Copy(env, file)
	}
	flags, err := assignments("--env", o.env)
	if err != nil {
		return nil, err
	}
	maps.Copy(env, flags)
	return env, nil
}

var errNoCommand = hint.With(errors.New("no command for the app"), `give it with --command, such as --command "node server.js"`)
