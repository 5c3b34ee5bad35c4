package librechat

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"time"

	"github.com/aproorg/sluice/internal/app"
	"github.com/aproorg/sluice/internal/app/librechat/facts"
	"github.com/aproorg/sluice/internal/app/librechat/rehearsal"
	"github.com/aproorg/sluice/internal/bounded"
	"github.com/aproorg/sluice/internal/emulate/llm"
	"github.com/aproorg/sluice/internal/hint"
	"github.com/aproorg/sluice/internal/rehearse/stores"
	"github.com/aproorg/sluice/internal/tempdir"
)

// directoryVariable names the release where --librechat does not.
const directoryVariable = "SLUICE_LIBRECHAT_DIR"

// prepare turns the flags of `sluice up --app librechat` into a rehearsal.
type prepare struct {
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

	request app.Request
	release facts.Release
	yaml    []byte
}

func (p *prepare) Flags(f *flag.FlagSet) {
	f.StringVar(&p.dir, "librechat", "", "`DIR` with a built LibreChat (default: $"+directoryVariable+")")
	f.StringVar(&p.config, "config", "", "`FILE` librechat.yaml (default: one with a stub model)")
	f.StringVar(&p.mongo, "mongo", "", "`URI` of a real MongoDB (default: an embedded database)")
	f.StringVar(&p.redis, "redis", "", "`URI` of a real Redis (default: an embedded one)")
	f.BoolVar(&p.strict, "strict", false, "refuse what Amazon DocumentDB refuses, instead of reporting it")
	f.StringVar(&p.state, "state-dir", "", "`DIR` that keeps the embedded database (default: a temporary one)")
	f.BoolVar(&p.log, "app-log", false, "show all that LibreChat logs, not warnings and errors only")
	f.IntVar(&p.tokens, "llm-tokens", 60, "length of the stub model's answers, in `WORDS`")
	f.Float64Var(&p.rate, "llm-rate", 20, "pace of the stub model, in `WORDS` a second")
	f.DurationVar(&p.first, "llm-first", 300*time.Millisecond, "silence of the stub model before its first word")
}

func (p *prepare) Check(_ context.Context, request app.Request) error {
	p.request = request
	if err := p.checkFlags(); err != nil {
		return &app.UsageError{Err: err}
	}
	if err := request.Refuse("LibreChat's are known"); err != nil {
		return err
	}
	if p.dir == "" {
		p.dir = request.Getenv(directoryVariable)
	}
	if p.dir == "" {
		return &app.UsageError{Err: hint.With(errors.New("--app librechat wants --librechat DIR, a built LibreChat"), "git clone it, npm ci, npm run frontend")}
	}
	release, err := facts.Detect(p.dir)
	if errors.Is(err, facts.ErrUnknownVersion) {
		request.Warn(err) // it may well work
	} else if err != nil {
		return err
	}
	p.release = release
	p.fit()
	if p.config == "" {
		return nil
	}
	if p.yaml, err = bounded.ReadFile(p.config, maxConfig); err != nil {
		return hint.With(fmt.Errorf("read librechat.yaml: %w", err), "--config takes a file; without it a stub model answers")
	}
	return nil
}

// maxConfig is what the bootstrap takes of a configuration file.
const maxConfig = 4 << 20

func (p *prepare) checkFlags() error {
	switch {
	case p.tokens < 1:
		return fmt.Errorf("--llm-tokens %d: want at least 1", p.tokens)
	case p.rate <= 0:
		return fmt.Errorf("--llm-rate %v: want words a second, above 0", p.rate)
	case p.first < 0:
		return fmt.Errorf("--llm-first %s: want no time before now", p.first)
	}
	return nil
}

func (p *prepare) Start(ctx context.Context, siteURL string) (app.Prepared, error) {
	p.fitSite(siteURL)
	state, removeState, err := p.stateDir()
	if err != nil {
		return app.Prepared{}, err
	}
	chat, err := rehearsal.Start(ctx, rehearsal.Config{
		Release: p.release, SiteURL: siteURL, YAML: p.yaml, YAMLFile: p.config,
		Env: p.request.Env, Function: p.request.Function, Image: p.request.Image, Path: p.request.Getenv("PATH"),
		Stores: stores.Config{
			Dir: state, Mongo: p.mongo, MongoAdvice: "--mongo URI rehearses with a real MongoDB", Redis: p.redis, Strict: p.strict,
			Model:  llm.Config{Tokens: p.tokens, Rate: p.rate, First: p.first},
			Record: p.request.Recorder.Record,
		},
	})
	if err != nil {
		return app.Prepared{}, errors.Join(withFlag(err), removeState())
	}
	prepared := app.Prepared{
		App: chat.App, Site: os.DirFS(p.release.SiteDir()), Routes: facts.Routes(), Stores: chat.Stores,
		Note:    p.release.Hooks(),
		User:    &app.User{Email: facts.UserEmail, Password: facts.UserPassword},
		Summary: func(environments, concurrency int) string { return chat.Budget(environments).For(concurrency) },
		Close:   func() error { return errors.Join(chat.Close(), removeState()) },
	}
	if !p.log {
		prepared.Routine = new(facts.Lines).Routine
	}
	return prepared, nil
}

// withFlag adds the flags that mend a store which cannot be reached.
func withFlag(err error) error {
	var failed interface{ Unwrap() []error }
	if errors.As(err, &failed) {
		for _, one := range failed.Unwrap() {
			err = withFlagOf(err, one)
		}
		return err
	}
	return withFlagOf(err, err)
}

func withFlagOf(err, cause error) error {
	var store *stores.ConfigError
	if !errors.As(cause, &store) {
		return err
	}
	flag := map[string]string{"Mongo": "--mongo", "Redis": "--redis"}[store.Field]
	return hint.With(err, "leave %s out for the embedded one", flag)
}

// stateDir is where the database lies, and what removes a temporary one.
func (p *prepare) stateDir() (dir string, remove func() error, err error) {
	if p.state == "" {
		dir, err = tempdir.Make("state")
		return dir, func() error { return os.RemoveAll(dir) }, err
	}
	if err := os.MkdirAll(p.state, 0o700); err != nil {
		return "", nil, fmt.Errorf("make the state directory: %w", err)
	}
	return p.state, func() error { return nil }, nil
}
