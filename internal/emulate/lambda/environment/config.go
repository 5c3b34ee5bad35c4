package environment

import (
	"log/slog"
	"time"

	"github.com/aproorg/sluice/internal/emulate/lambda/runtimeapi"
	"github.com/aproorg/sluice/internal/stack"
	"github.com/aproorg/sluice/internal/timeline"
)

// Config is what all environments of a function have in common. Package lambda
// completes and checks it.
type Config struct {
	Function    stack.Function
	Process     Process
	Extensions  []Extension
	Region      string
	Account     string
	Version     string
	Credentials Credentials
	Limits      Limits

	NoFreeze      bool // processes run between invocations, too
	NoMemoryLimit bool
	// MaxAge and MaxInvocations end an environment that is older or has served more,
	// between two invocations. 0 is no bound.
	MaxAge         time.Duration
	MaxInvocations int

	Stranger func(environment, userAgent string) // see Process.Client

	Record timeline.Record
	Log    *slog.Logger
}

// Limits are Lambda's quotas for an environment. All are required.
type Limits struct {
	Init time.Duration // of the init phase
	// How long the processes get after SIGTERM or the SHUTDOWN event: where only
	// internal extensions are registered, and with an external one.
	ShutdownInternal, ShutdownExternal time.Duration
	Response                           runtimeapi.Limits
}

const (
	mb = 1 << 20
	// DefaultInit is Lambda's own limit. Where it stands, provisioned environments have
	// provisionedInit or the function's timeout, whichever is longer.
	DefaultInit     = 10 * time.Second
	provisionedInit = 130 * time.Second
)
