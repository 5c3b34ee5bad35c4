//go:build !linux

package tempdir

import (
	"os/exec"
	"testing"
)

func apart(t *testing.T, _ *exec.Cmd) {
	t.Skip("PID namespaces are Linux's: run this test there")
}
