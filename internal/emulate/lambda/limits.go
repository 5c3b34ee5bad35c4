package lambda

import (
	"time"

	"github.com/aproorg/sluice/internal/emulate/lambda/environment"
	"github.com/aproorg/sluice/internal/emulate/lambda/runtimeapi"
	"github.com/aproorg/sluice/internal/stack"
)

// Limits are Lambda's quotas. A zero field is Lambda's own value, which is also
// the default; tests shorten them.
// https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
type Limits struct {
	Init             time.Duration // of the init phase: 10 s
	Restore          time.Duration // of a restore from a snapshot: 10 s
	Request          int64         // bytes of the event: 6 MB
	BufferedResponse int64         // bytes of an answer that is not streamed: 6,291,556
	StreamedResponse int64         // bytes of a streamed answer: 200 MB
	// The first Burst bytes of a streamed answer pass unhindered, the rest at Rate
	// bytes per second: 6 MB and 2 MB/s.
	Burst, Rate int64
	// How long the processes get after SIGTERM or the SHUTDOWN event: 500 ms where
	// only internal extensions are registered, 2 s with an external one.
	ShutdownInternal, ShutdownExternal time.Duration
	// Environment is the most bytes of the configured environment: 4,096.
	Environment int
}

// LongInit is the least limit of the init phase of provisioned environments, and of the one that a snapshot is taken of.
const LongInit = environment.LongInit

const (
	mb = 1 << 20
	// maxPayload of an answer is 6 MB and what the service's own envelope needs.
	maxPayload = 6*mb + 100
)

func (l Limits) withDefaults() Limits {
	orDuration(&l.Init, environment.DefaultInit)
	orDuration(&l.Restore, 10*time.Second)
	orDuration(&l.ShutdownInternal, 500*time.Millisecond)
	orDuration(&l.ShutdownExternal, 2*time.Second)
	orBytes(&l.Request, 6*mb)
	orBytes(&l.BufferedResponse, maxPayload)
	orBytes(&l.StreamedResponse, 200*mb)
	orBytes(&l.Burst, 6*mb)
	orBytes(&l.Rate, 2*mb)
	if l.Environment == 0 {
		l.Environment = stack.MaxEnvironment
	}
	return l
}

func orDuration(d *time.Duration, v time.Duration) {
	if *d == 0 {
		*d = v
	}
}

func orBytes(n *int64, v int64) {
	if *n == 0 {
		*n = v
	}
}

func (l Limits) environment() environment.Limits {
	return environment.Limits{
		Init: l.Init, Restore: l.Restore, ShutdownInternal: l.ShutdownInternal, ShutdownExternal: l.ShutdownExternal,
		Response: runtimeapi.Limits{Buffered: l.BufferedResponse, Streamed: l.StreamedResponse, Burst: l.Burst, Rate: l.Rate},
	}
}
