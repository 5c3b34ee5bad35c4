package cli

import (
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/pflag"

	"github.com/aproorg/sluice/internal/app/librechat"
	"github.com/aproorg/sluice/internal/app/librechat/rehearsal"
	"github.com/aproorg/sluice/internal/emulate/llm"
	"github.com/aproorg/sluice/internal/hint"
	"github.com/aproorg/sluice/internal/rehearse"
	"github.com/aproorg/sluice/internal/rehearse/stores"
	"github.com/aproorg/sluice/internal/tempdir"
	"github.com/aproorg/sluice/internal/timeline"
)

// librechatApp is what --app takes for LibreChat.
const librechatApp = "librechat"

// librechatOptions are the flags of --app librechat.
type librechatOptions struct {
	dir    string
	config string
	mongo  string
	redis  string
	strict bool
	state  string
	rate   float64
	tokens int
	first  time.Duration
	log    bool
}

func (o *librechatOptions) addFlags(f *pflag.FlagSet) {
	f.StringVar(&o.dir, "librechat", "", "`DIR` with a built LibreChat, for --app librechat (default: $SLUICE_LIBRECHAT_DIR)")
	f.StringVar(&o.config, "config", "", "`FILE` librechat.yaml (default: one with a stub model)")
	f.StringVar(&o.mongo, "mongo", "", "`URI` of a real MongoDB (default: an embedded database)")
	f.StringVar(&o.redis, "redis", "", "`URI` of a real Redis (default: an embedded one)")
	f.BoolVar(&o.strict, "strict", false, "refuse what Amazon DocumentDB refuses, instead of reporting it")
	f.StringVar(&o.state, "state-dir", "", "`DIR` that keeps the embedded database (default: a temporary one)")
	f.BoolVar(&o.log, "app-log", false, "show all that LibreChat logs, not warnings and errors only")
	f.IntVar(&o.tokens, "llm-tokens", 60, "length of the stub model's answers, in words")
	f.Float64Var(&o.rate, "llm-rate", 20, "pace of the stub model, in words a second")
	f.DurationVar(&o.first, "llm-first", 300*time.Millisecond, "silence of the stub model before its first word")
}

// resolve prepares LibreChat. The returned Config's AppAt starts its stores; the
// closer ends them. function is the environment that the plan gives the function.
func (o librechatOptions) resolve(a *app, app appOptions, function map[string]string, recorder *timeline.Recorder) (rehearse.Config, io.Closer, error) {
	if app.command != "" || app.port != 0 || app.readyPath != "" || app.readyStatus != "" || len(app.scratch) > 0 {
		return rehearse.Config{}, nil, &usageError{errors.New("--command, --app-port, --ready-path, --ready-status and --scratch go with --app DIR: of LibreChat they are known")}
	}
	env, err := app.environment()
	if err != nil {
		return rehearse.Config{}, nil, err
	}
	dir := o.dir
	if dir == "" {
		dir = a.Getenv("SLUICE_LIBRECHAT_DIR")
	}
	if dir == "" {
		return rehearse.Config{}, nil, &usageError{hint.With(errors.New("--app librechat wants --librechat DIR, a built LibreChat"), "git clone it, npm ci, npm run frontend")}
	}
	o.leaveStores(a, env)
	release, err := librechat.Detect(dir)
	if errors.Is(err, librechat.ErrUnknownVersion) {
		a.remark("warning", err) // it may well work
	} else if err != nil {
		return rehearse.Config{}, nil, err
	}
	state, err := o.stateDir()
	if err != nil {
		return rehearse.Config{}, nil, err
	}
	chat, err := rehearsal.New(rehearsal.Config{
		Release: release, ConfigFile: o.config, Env: env, Function: function, Path: a.Getenv("PATH"),
		Stores: stores.Config{
			Dir: state, Mongo: o.mongo, Redis: o.redis, Strict: o.strict,
			Model:  llm.Config{Tokens: o.tokens, Rate: o.rate, First: o.first},
			Record: recorder.Record,
		},
		Temporary: o.state == "",
	})
	if err != nil {
		return rehearse.Config{}, nil, errors.Join(err, o.removeState(state))
	}
	return rehearse.Config{
		App:  rehearse.App{Name: "LibreChat " + release.Version, Env: map[string]string{}},
		Site: os.DirFS(release.SiteDir()), Routes: librechat.Routes(), AppAt: chat.App,
	}, chat, nil
}

func (o librechatOptions) stateDir() (string, error) {
	if o.state == "" {
		return tempdir.Make("state")
	}
	if err := os.MkdirAll(o.state, 0o700); err != nil {
		return "", fmt.Errorf("make the state directory: %w", err)
	}
	return o.state, nil
}

func (o librechatOptions) removeState(dir string) error {
	if o.state != "" {
		return nil
	}
	return os.RemoveAll(dir)
}

// leaveStores takes addresses of stores off the user's variables: a .env file of a
// deployment must not have a rehearsal write into its database.
func (o librechatOptions) leaveStores(a *app, env map[string]string) {
	for name, flag := range map[string]string{"MONGO_URI": "--mongo", "REDIS_URI": "--redis"} {
		if _, ok := env[name]; ok {
			delete(env, name)
			left := fmt.Errorf("%s of --env or --env-file is left out: a rehearsal has stores of its own", name)
			a.remark("warning", hint.With(left, "%s URI names a real one", flag))
		}
	}
}

// without refuses flags that would be without effect: all of its own.
func (o librechatOptions) without(f *pflag.FlagSet) (err error) {
	own := pflag.NewFlagSet("", pflag.ContinueOnError)
	o.addFlags(own) // o is a copy, whose values are of no use here
	own.VisitAll(func(flag *pflag.Flag) {
		if err == nil && f.Changed(flag.Name) {
			err = &usageError{fmt.Errorf("--%s goes with --app librechat", flag.Name)}
		}
	})
	return err
}

func (o librechatOptions) check() error {
	switch {
	case o.tokens < 1:
		return &usageError{fmt.Errorf("--llm-tokens %d: want at least 1", o.tokens)}
	case o.rate <= 0:
		return &usageError{fmt.Errorf("--llm-rate %v: want words a second, above 0", o.rate)}
	case o.first < 0:
		return &usageError{fmt.Errorf("--llm-first %s: want no time before now", o.first)}
	}
	return nil
}
