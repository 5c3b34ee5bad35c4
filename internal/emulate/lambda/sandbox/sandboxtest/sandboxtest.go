// Package sandboxtest says, for tests, what this machine's sandboxes can do. It starts
// nothing.
package sandboxtest

import (
	"testing"

	"github.com/aproorg/sluice/internal/emulate/lambda/sandbox"
)

// NeedClones skips a test where the machine cannot clone processes.
func NeedClones(t testing.TB) {
	t.Helper()
	host := sandbox.NewHost(nil)
	defer host.Close()
	if err := host.Clones(); err != nil {
		t.Skipf("no clones here (%v): run as root on Linux, with CRIU 4.2 or later on PATH", err)
	}
}
