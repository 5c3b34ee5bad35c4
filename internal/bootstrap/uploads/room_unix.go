//go:build unix

package uploads

import (
	"fmt"
	"os"
	"syscall"

	"github.com/aproorg/sluice/internal/bootstrap/settings"
)

// room is the size of the largest body that the app can write to its directory for temporary files.
func room() (int64, error) {
	var s syscall.Statfs_t
	if err := syscall.Statfs(os.TempDir(), &s); err != nil {
		return 0, fmt.Errorf("find the free space of %s: %w", os.TempDir(), err)
	}
	return max(0, int64(s.Bavail)*int64(s.Bsize)-settings.TmpMargin), nil
}
