package lambda

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"sync"
	"time"

	"github.com/aproorg/sluice/internal/emulate/lambda/environment"
	"github.com/aproorg/sluice/internal/emulate/lambda/runtimeapi"
	"github.com/aproorg/sluice/internal/emulate/lambda/sandbox"
	"github.com/aproorg/sluice/internal/stack"
	"github.com/aproorg/sluice/internal/tempdir"
	"github.com/aproorg/sluice/internal/timeline"
)

// What a function's environments are made of; see package environment.
type (
	Process     = environment.Process
	Extension   = environment.Extension
	Credentials = environment.Credentials
)

// Config says which function runs, as what, and within which bounds. Only
// Process.Command is required.
type Config struct {
	Function stack.Function
	Process  Process
	// Extensions are started beside the runtime, as those in /opt/extensions are.
	Extensions []Extension

	// Concurrency is the most environments at a time; 0 means 10, the quota of a new
	// account. The function's ReservedConcurrency lowers it.
	Concurrency int
	// Queue lets an invocation wait for an environment where Lambda would throttle
	// it: for an app of which this machine can run only one.
	Queue bool
	// NoFreeze lets the processes run between invocations, as Lambda never does.
	NoFreeze bool
	// NoMemoryLimit lets the processes take what they want, as Lambda never does.
	NoMemoryLimit bool
	Limits        Limits
	// MaxAge and MaxInvocations end an environment that is older or has served more,
	// between two invocations. 0 is no bound.
	MaxAge         time.Duration
	MaxInvocations int

	// SnapStart, if not nil, has environments come from a snapshot; see Publish.
	SnapStart *SnapStart

	Region      string // eu-west-1 if empty
	Account     string // 12 digits; 123456789012 if empty
	Version     string // $LATEST if empty, 1 with SnapStart
	Credentials Credentials

	// Stranger hears of a program that asks for invocations beside Process.Client.
	Stranger func(environment, userAgent string)

	// Unbounded are more variables of the function, where this machine cannot give /tmp
	// the size of its ephemeral storage.
	Unbounded map[string]string

	// Dir is where each environment keeps its /tmp; a temporary directory that New
	// makes and Close removes if empty.
	Dir    string
	Record timeline.Record
	Log    *slog.Logger
}

// Emulator is a Lambda function's data plane. It is safe for concurrent use.
type Emulator struct {
	cfg  Config
	arn  string
	host *sandbox.Host
	own  bool // Dir was made here

	mu      sync.Mutex
	envs    map[string]*environment.Environment
	idle    []*environment.Environment      // most recently used last
	waiters []chan *environment.Environment // each holds one; closed instead where there is room for a new one, or no room ever
	made    int
	closing bool
	ahead   []*environment.Environment // of a snapshot, held or on their way there; oldest first
	publishing

	running sync.WaitGroup // environments
	stop    chan struct{}  // closed when the emulator ends
}

// New checks the configuration as Lambda would and starts the provisioned
// environments. Call Close when done.
func New(cfg Config) (*Emulator, error) {
	if err := cfg.complete(); err != nil {
		return nil, err
	}
	em := &Emulator{cfg: cfg, envs: map[string]*environment.Environment{}, stop: make(chan struct{})}
	if cfg.Dir == "" {
		dir, err := tempdir.Make("lambda")
		if err != nil {
			return nil, fmt.Errorf("make the environments' directory: %w", err)
		}
		em.cfg.Dir, em.own = dir, true
	}
	em.arn = fmt.Sprintf("arn:aws:lambda:%s:%s:function:%s", cfg.Region, cfg.Account, cfg.Function.FunctionName)
	em.host = sandbox.NewHost(cfg.Log)
	em.token = runtimeapi.NewID()
	for _, m := range em.host.Missing {
		cfg.Log.Warn("the rehearsal is less strict on this machine", "why", m)
	}
	if !em.host.Disks() {
		all := map[string]string{}
		maps.Copy(all, cfg.Function.Environment)
		maps.Copy(all, cfg.Unbounded)
		em.cfg.Function.Environment = all
	}
	if err := cfg.Process.CheckHost(em.host); err != nil {
		return nil, errors.Join(fmt.Errorf("lambda: %w", err), em.Close(context.Background()))
	}
	em.provision()
	return em, nil
}

// complete fills in what is left open and refuses what Lambda refuses.
func (c *Config) complete() error {
	or(&c.Function.FunctionName, "function")
	or(&c.Region, "eu-west-1")
	or(&c.Account, "123456789012")
	if c.SnapStart != nil {
		or(&c.Version, "1")
	}
	or(&c.Version, "$LATEST")
	or(&c.Process.Handler, "function.handler")
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Stranger == nil {
		c.Stranger = func(string, string) {}
	}
	if c.Concurrency == 0 {
		c.Concurrency = 10
	}
	if n := c.Function.ReservedConcurrency; n > 0 {
		c.Concurrency = min(c.Concurrency, n)
	}
	c.Limits = c.Limits.withDefaults()
	for _, check := range []func() error{c.Process.Check, c.checkFunction} {
		if err := check(); err != nil {
			return fmt.Errorf("lambda: %w", err)
		}
	}
	return nil
}

func (c *Config) checkFunction() error {
	f := &c.Function
	if f.MemorySize == 0 {
		f.MemorySize = 128
	}
	if f.Timeout == 0 {
		f.Timeout = 3 * time.Second
	}
	if f.Timeout > 900*time.Second || f.Timeout < 0 {
		return fmt.Errorf("timeout %s: Lambda allows 1 s to 900 s", f.Timeout)
	}
	if f.EphemeralStorage == 0 {
		f.EphemeralStorage = 512
	}
	if f.EphemeralStorage < 512 || f.EphemeralStorage > 10240 {
		return fmt.Errorf("ephemeral storage %d MB: Lambda allows 512 to 10240 MB", f.EphemeralStorage)
	}
	if c.SnapStart != nil && f.EphemeralStorage > 512 {
		return fmt.Errorf("SnapStart and ephemeral storage of %d MB: Lambda takes no snapshot of more than 512", f.EphemeralStorage)
	}
	if f.MemorySize < 128 || f.MemorySize > 10240 {
		return fmt.Errorf("memory size %d MB: Lambda allows 128 to 10240 MB", f.MemorySize)
	}
	if c.SnapStart != nil && f.ProvisionedConcurrency > 0 {
		return errors.New("SnapStart and provisioned concurrency: Lambda allows a version one of them")
	}
	return environment.CheckVariables(f.Environment, c.Limits.Environment)
}

// environment is what the environments need to know.
func (em *Emulator) environment() environment.Config {
	c := em.cfg
	out := environment.Config{
		Function: c.Function, Process: c.Process, Extensions: c.Extensions,
		Region: c.Region, Account: c.Account, Version: c.Version, Credentials: c.Credentials, Limits: c.Limits.environment(),
		NoFreeze: c.NoFreeze, NoMemoryLimit: c.NoMemoryLimit, MaxAge: c.MaxAge, MaxInvocations: c.MaxInvocations,
		Stranger: c.Stranger, Record: c.Record, Log: c.Log,
	}
	if c.SnapStart != nil {
		out.SnapStart = &environment.SnapStart{Label: c.SnapStart.Label, Token: em.token, Clones: em.clones, From: em.snapshot, Ports: em.ports}
	}
	return out
}

func or(s *string, value string) {
	if *s == "" {
		*s = value
	}
}

// Missing says what this machine does not allow, in plain sentences; see
// package sandbox.
func (em *Emulator) Missing() []string { return em.host.Missing }

// ARN is the function's.
func (em *Emulator) ARN() string { return em.arn }

// Close takes every environment through its shutdown phase and returns when no
// process, goroutine or file of theirs is left. When ctx ends first, what still
// runs is killed.
func (em *Emulator) Close(ctx context.Context) error {
	em.mu.Lock()
	if em.closing {
		em.mu.Unlock()
		return nil
	}
	em.closing = true
	em.dismiss()
	em.mu.Unlock()
	close(em.stop)
	done := make(chan struct{})
	go func() { em.running.Wait(); close(done) }()
	select {
	case <-done:
	case <-ctx.Done():
		em.KillAll()
		<-done
	}
	em.host.Close()
	if em.snapshot != nil {
		if err := em.snapshot.Close(); err != nil {
			return fmt.Errorf("remove the snapshot: %w", err)
		}
	}
	if em.own {
		return os.RemoveAll(em.cfg.Dir)
	}
	return nil
}
