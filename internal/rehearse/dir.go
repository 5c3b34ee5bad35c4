package rehearse

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

const dirPrefix = "sluice-up-"

// makeDir makes the directory for the files of a rehearsal, and removes those of
// rehearsals that were killed and could not do so themselves.
func makeDir() (string, error) {
	removeStale(os.TempDir())
	return os.MkdirTemp("", fmt.Sprintf("%s%d-", dirPrefix, os.Getpid()))
}

// removeStale looks at the process that a directory's name has. What belongs to
// a living process, or to another user, stays.
func removeStale(dir string) {
	found, _ := filepath.Glob(filepath.Join(dir, dirPrefix+"*-*")) // its only error is a bad pattern
	for _, path := range found {
		id, _, _ := strings.Cut(strings.TrimPrefix(filepath.Base(path), dirPrefix), "-")
		if pid, err := strconv.Atoi(id); err == nil && errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) {
			_ = os.RemoveAll(path) // of another user it cannot be removed, and need not be
		}
	}
}
