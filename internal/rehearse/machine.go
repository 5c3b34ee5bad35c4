package rehearse

import (
	"fmt"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// A ShortError says that this machine's limits are too tight for a rehearsal: it
// would become ready, and then fail requests.
type ShortError struct {
	What       string // "open files"
	Have, Need uint64
}

func (e *ShortError) Error() string {
	return fmt.Sprintf("%d %s are allowed here, and the rehearsal needs %d", e.Have, e.What, e.Need)
}

// What a rehearsal takes, measured with the demo app on Linux and rounded up: 26 open
// files, and 10 for each environment at work. An app with stores takes more, because
// the stores' ends of its connections are here, too.
const (
	ownFiles, environmentFiles, storeFiles = 32, 12, 48
	lambdaFiles                            = 1024 // that an app can have open on Lambda
	ownThreads, environmentThreads         = 100, 40
	lambdaTmp                              = 512 << 20
)

// CheckMachine looks at the limits that the shell and the disk set. The error is a
// *ShortError with which no rehearsal is worth its start; the notes, in plain
// sentences, are of what may become short.
func CheckMachine(environments int) (notes []string, err error) {
	n := uint64(max(environments, 1))
	var files syscall.Rlimit // Go has raised the soft limit to the hard one
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &files); err == nil {
		need := ownFiles + environmentFiles*n
		if files.Cur < need {
			return nil, &ShortError{"open files", files.Cur, need}
		}
		if enough := max(lambdaFiles, ownFiles+storeFiles*n); files.Cur < enough {
			notes = append(notes, fmt.Sprintf("%d open files are allowed here (ulimit -Hn): an app gets no more of the %d that Lambda allows, and one with databases may need %d in all", files.Cur, lambdaFiles, enough))
		}
	}
	var threads unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NPROC, &threads); err == nil && os.Geteuid() != 0 { // which does not hold for root
		if enough := ownThreads + environmentThreads*n; threads.Cur < enough {
			notes = append(notes, fmt.Sprintf("%d processes and threads are allowed here (ulimit -u), of all that you run: the rehearsal may need %d", threads.Cur, enough))
		}
	}
	var disk unix.Statfs_t
	if err := unix.Statfs(os.TempDir(), &disk); err == nil {
		if free := disk.Bavail * uint64(disk.Bsize); free < lambdaTmp {
			notes = append(notes, fmt.Sprintf("%d MB are free in %s: the /tmp of each environment is there, and Lambda's holds %d MB; TMPDIR names another place", free>>20, os.TempDir(), lambdaTmp>>20))
		}
	}
	return notes, nil
}
