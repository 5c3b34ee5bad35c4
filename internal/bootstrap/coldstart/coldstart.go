package coldstart

import (
	"context"
	"crypto/sha256"
	"errors"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/aproorg/sluice/internal/bootstrap/logline"
	"github.com/aproorg/sluice/internal/bootstrap/settings"
	"github.com/aproorg/sluice/internal/hint"
)

// Config says what is to be fetched, and from where. The zero value fetches nothing and serves no credentials.
type Config struct {
	settings.ColdStart
	settings.AWS
	// Log gets a line per step, without values. Nil discards.
	Log *slog.Logger
}

// Result is what the app is to be started with.
type Result struct {
	// Env are the variables to add, as NAME=value; Unset are those to take away, before that.
	Env   []string
	Unset []string
	// Steps tell what each part took, for a measurement. They ran side by side.
	Steps []Step
	// Close ends the credentials endpoint and waits for it. It is never nil.
	Close func()

	config [sha256.Size]byte // of the configuration's content
}

// Step is one part of a cold start.
type Step struct {
	Name  string
	Count int // of secrets, variables, paths
	Took  time.Duration
}

// Apply returns the environment with the result's changes.
func (r Result) Apply(env []string) []string {
	drop := map[string]bool{}
	for _, name := range r.Unset {
		drop[name] = true
	}
	for _, entry := range r.Env {
		name, _, _ := strings.Cut(entry, "=")
		drop[name] = true
	}
	env = slices.DeleteFunc(slices.Clone(env), func(entry string) bool {
		name, _, _ := strings.Cut(entry, "=")
		return drop[name]
	})
	return append(env, r.Env...)
}

var errLimit = errors.New(settings.LimitVariable + " is over")

// start is one run: what its steps found. Each step writes fields of its own.
type start struct {
	Config
	aws      clients
	own      []string // names in the function's own environment, which win over fetched ones
	secrets  map[string]settings.Secret
	fetched  map[string]string
	config   map[string]string
	content  [sha256.Size]byte
	endpoint *endpoint
}

// Run fetches everything side by side, within Config.Limit, and returns all errors at once, none of which holds a
// value: servers stand there by host and port. own is the environment that the app would have without it. After an error
// nothing is left running.
func Run(ctx context.Context, cfg Config, own []string) (Result, error) {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Limit > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, cfg.Limit, errLimit)
		defer cancel()
	}
	st := &start{Config: cfg, own: namesOf(own)}
	var err error
	if st.aws, err = cfg.clients(); err != nil {
		return Result{Close: func() {}}, err
	}
	defer st.aws.close()
	steps, err := st.run(ctx)
	result := st.result(steps)
	if err == nil && len(cfg.Reach) > 0 {
		err = st.reachServers(ctx, &result, own)
	}
	if err != nil {
		result.Close()
		return Result{Close: func() {}}, err
	}
	return result, nil
}

// run makes the steps that the settings ask for.
func (st *start) run(ctx context.Context) ([]Step, error) {
	all := []struct {
		name   string
		wanted bool
		do     func(context.Context) (int, error)
	}{
		{"writable paths", len(st.Writable) > 0, st.makeWritable},
		{"secrets", len(st.Secrets) > 0, st.fetchSecrets},
		{"environment", st.EnvS3 != settings.Object{} || st.EnvParameter != "", st.fetchEnvironment},
		{"configuration", st.ConfigS3 != settings.Object{}, st.fetchConfig},
		{"credentials", st.ServeCredentials && st.Keys.ID != "", st.serveCredentials},
	}
	var wg sync.WaitGroup
	steps, errs := make([]Step, len(all)), make([]error, len(all))
	for i, step := range all {
		if !step.wanted {
			continue
		}
		wg.Go(func() {
			began := time.Now()
			n, err := step.do(ctx)
			steps[i], errs[i] = st.log(Step{step.name, n, time.Since(began)}, err), err
		})
	}
	wg.Wait()
	return slices.DeleteFunc(steps, func(s Step) bool { return s.Name == "" }), errors.Join(errs...)
}

// reachServers is the last step, for the servers' addresses are among what was fetched.
func (st *start) reachServers(ctx context.Context, r *Result, own []string) error {
	began := time.Now()
	n, err := st.reach(ctx, settings.Lookup(r.Apply(own)))
	r.Steps = append(r.Steps, st.log(Step{"servers", n, time.Since(began)}, err))
	return err
}

// log writes down a step that has succeeded.
func (st *start) log(s Step, err error) Step {
	if err == nil {
		logline.ColdStart(st.Log, s.Name, s.Count, s.Took)
	}
	return s
}

func (st *start) result(steps []Step) Result {
	values := map[string]string{}
	maps.Copy(values, st.fetched)
	for _, name := range st.own {
		delete(values, name)
	}
	maps.Copy(values, st.config)
	for name, v := range st.secrets {
		values[name] = v.Reveal()
	}
	r := Result{Steps: steps, Close: func() {}, config: st.content}
	if st.endpoint != nil {
		r.Unset = []string{"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"}
		maps.Copy(values, st.endpoint.variables())
		r.Close = st.endpoint.close
	}
	for _, name := range slices.Sorted(maps.Keys(values)) {
		r.Env = append(r.Env, name+"="+values[name])
	}
	return r
}

func namesOf(env []string) []string {
	names := make([]string, 0, len(env))
	for _, entry := range env {
		name, _, _ := strings.Cut(entry, "=")
		names = append(names, name)
	}
	return names
}

// late replaces the error of a call whose context has ended by why it has, and says what to look at.
func late(ctx context.Context, err error) error {
	cause := context.Cause(ctx)
	if cause == nil {
		return err
	}
	if errors.Is(cause, errLimit) {
		return hint.With(cause, "no answer from AWS: does the function's subnet have a NAT gateway, or VPC endpoints for ssm and s3, and may it reach them?")
	}
	return cause
}
