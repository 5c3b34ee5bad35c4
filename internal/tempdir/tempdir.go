// Package tempdir makes temporary directories that outlive no process for long: each is locked by its owner, and whoever
// makes one removes those whose owners were killed and could not do so themselves. A lock tells that from within another PID
// namespace too, such as a container that shares /tmp, where the owner's process id means nothing.
package tempdir

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"sync"
	"syscall"
	"time"
)

// Make makes the directory sluice-NAME-PID-RANDOM in the system's place for such. The caller removes it. name holds
// lower-case letters only.
func Make(name string) (string, error) {
	RemoveStale(filepath.Join(os.TempDir(), ".sluice-*-*-*"))
	removeDead(os.TempDir())
	// Until it is locked it has a name under which nobody looks at its owner.
	made, err := os.MkdirTemp("", fmt.Sprintf(".sluice-%s-%d-", name, os.Getpid()))
	if err != nil {
		return "", err
	}
	dir := filepath.Join(filepath.Dir(made), filepath.Base(made)[1:])
	if err := errors.Join(hold(made), os.Rename(made, dir)); err != nil {
		return "", errors.Join(err, os.RemoveAll(made))
	}
	return dir, nil
}

// Beside makes the directory PATH.partial-RANDOM, in which path is made until it is complete, and removes those that
// were left. The caller removes or renames it.
func Beside(path string) (string, error) {
	pattern := filepath.Base(path) + ".partial-"
	RemoveStale(filepath.Join(filepath.Dir(path), pattern+"*"))
	dir, err := os.MkdirTemp(filepath.Dir(path), pattern)
	if err != nil {
		return "", err
	}
	return dir, hold(dir)
}

// held are the locked directories. The kernel lets go of them when the process ends, however it ends.
var (
	mu   sync.Mutex
	held = map[string]*os.File{}
)

func hold(dir string) error {
	mu.Lock()
	defer mu.Unlock()
	for name, f := range held { // of those that were renamed or removed since
		if own, err := f.Stat(); err == nil && own.Sys().(*syscall.Stat_t).Nlink == 0 {
			f.Close()
			delete(held, name)
		}
	}
	f, err := lock(dir)
	if err != nil {
		return fmt.Errorf("lock %s: %w", dir, err)
	}
	held[dir] = f
	return nil
}

// lock fails where another process, or another caller of this one, has the lock.
func lock(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

var owned = regexp.MustCompile(`^sluice-[a-z]+-(\d+)-\d+$`)

// forgotten is the age at which an unlocked directory goes although a process has its owner's id: ids come back, and
// sluice before 0.2 locked none.
const forgotten = 24 * time.Hour

func removeDead(dir string) {
	found, _ := filepath.Glob(filepath.Join(dir, "sluice-*-*-*")) // its only error is a bad pattern
	for _, path := range found {
		m := owned.FindStringSubmatch(filepath.Base(path))
		if m == nil {
			continue
		}
		pid, err := strconv.Atoi(m[1])
		gone := err == nil && errors.Is(syscall.Kill(pid, 0), syscall.ESRCH)
		if gone || olderThan(path, forgotten) {
			removeUnlocked(path)
		}
	}
}

// RemoveStale removes the files and directories that match the pattern, that nobody has locked, and that were not written
// to for an hour: what a download or a copy leaves when it is killed.
func RemoveStale(pattern string) {
	found, _ := filepath.Glob(pattern) // its only error is a bad pattern
	for _, path := range found {
		if olderThan(path, time.Hour) {
			removeUnlocked(path)
		}
	}
}

func olderThan(path string, age time.Duration) bool {
	info, err := os.Lstat(path)
	return err == nil && time.Since(info.ModTime()) > age
}

// removeUnlocked keeps the lock while it removes. What belongs to another user cannot be removed, and need not be.
func removeUnlocked(path string) {
	f, err := lock(path)
	if err != nil {
		return
	}
	defer f.Close()
	_ = os.RemoveAll(path)
}
