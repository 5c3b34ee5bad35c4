// Package tempdir makes temporary directories that outlive no process for long: each is named after its owner, and whoever
// makes one removes those of owners that were killed and could not do so themselves.
package tempdir

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"syscall"
)

// Make makes the directory sluice-NAME-PID-RANDOM in the system's place for such. The caller removes it. name holds
// lower-case letters only.
func Make(name string) (string, error) {
	removeStale(os.TempDir())
	return os.MkdirTemp("", fmt.Sprintf("sluice-%s-%d-", name, os.Getpid()))
}

var owned = regexp.MustCompile(`^sluice-[a-z]+-(\d+)-\d+$`)

// removeStale looks at the process that a directory's name has. What belongs to
// a living process, or to another user, stays.
func removeStale(dir string) {
	found, _ := filepath.Glob(filepath.Join(dir, "sluice-*-*-*")) // its only error is a bad pattern
	for _, path := range found {
		m := owned.FindStringSubmatch(filepath.Base(path))
		if m == nil {
			continue
		}
		if pid, err := strconv.Atoi(m[1]); err == nil && errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) {
			_ = os.RemoveAll(path) // of another user it cannot be removed, and need not be
		}
	}
}
