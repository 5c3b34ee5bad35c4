package environment

import (
	"log/slog"
	"time"

	"github.com/aproorg/sluice/internal/emulate/lambda/runtimeapi"
	"github.com/aproorg/sluice/internal/emulate/lambda/sandbox"
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

	SnapStart *SnapStart // nil is none

	Stranger func(environment, userAgent string) // see Process.Client

	Record timeline.Record
	Log    *slog.Logger
}

// SnapStart says that environments come from a snapshot.
type SnapStart struct {
	// Label is true of an image whose label says that nothing in it minds being cloned;
	// any other has to call restore/next.
	Label bool
	// Token lets who has it have the role's credentials. It is in the snapshot, and so
	// the same in all environments.
	Token string
	// Clones has environments be clones of the first one: see Environment.Snapshot. From
	// is what those after it are restored from.
	Clones bool
	From   *sandbox.Snapshot
	// Ports of this machine's loopback are those that clones reach in their networks, beside
	// those that their variables name. With From, they are all that the snapshot's environment
	// reached, so that none is taken in a clone which was free there.
	Ports []string
}

// Limits are Lambda's quotas for an environment. All are required.
type Limits struct {
	Init    time.Duration // of the init phase
	Restore time.Duration // from a restore to the runtime's first call of next
	// How long the processes get after SIGTERM or the SHUTDOWN event: where only
	// internal extensions are registered, and with an external one.
	ShutdownInternal, ShutdownExternal time.Duration
	Response                           runtimeapi.Limits
}

const (
	mb = 1 << 20
	// DefaultInit is Lambda's own limit. Where it stands, provisioned environments and
	// those of a snapshot have LongInit or the function's timeout, whichever is longer.
	DefaultInit = 10 * time.Second
	LongInit    = 130 * time.Second
	// credentialsHold is how long those of a snapshot's environment hold. AWS says it
	// nowhere.
	credentialsHold = time.Hour
)
