package supervise

import (
	"os"
	"os/exec"
	"sync"
	"time"
)

// Orphans are the processes that fall to this one when their parents end: all of a container's where this process has the PID 1, and
// the app's descendants where it does not. They are waited for, else each would be a zombie as long as this process lives.
//
// A process has one Orphans at most. Apps must be started with it (Config.Orphans), so that their ends are left to who waits for them, and
// no other process may be started.
type Orphans struct {
	mu   sync.Mutex
	ours map[int]bool // processes that a Cmd waits for

	ends  chan os.Signal
	quit  chan struct{}
	gone  sync.WaitGroup
	close func()
}

// start starts cmd while no end is looked at: it could be that of the new process, not yet known as ours.
func (o *Orphans) start(cmd *exec.Cmd) error {
	if o == nil {
		return cmd.Start()
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if err := cmd.Start(); err != nil {
		return err
	}
	o.ours[cmd.Process.Pid] = true
	return nil
}

func (o *Orphans) wait(cmd *exec.Cmd) error {
	err := cmd.Wait()
	if o != nil {
		o.mu.Lock()
		defer o.mu.Unlock()
		delete(o.ours, cmd.Process.Pid)
	}
	return err
}

const (
	// oursPause is the time after which ends are looked at again where one is ours, behind which others may stand.
	oursPause = 20 * time.Millisecond
	// orphanGrace is the time between SIGTERM and SIGKILL for the orphans that are left at the end. The app has had its own before.
	orphanGrace = 200 * time.Millisecond
	// orphanLimit bounds the wait for orphans that are killed: one in a system call that cannot be interrupted does not end.
	orphanLimit = time.Second
	orphanPause = 5 * time.Millisecond
)

// End ends the orphans that are left, and theirs, and stops waiting for any. The app must have ended.
func (o *Orphans) End() {
	if o == nil {
		return
	}
	o.endLeft()
	o.close()
	close(o.quit)
	o.gone.Wait()
}

// endLeft ends the orphans of an app that has ended, and theirs. So a process that the app put into a session of its own does not
// outlive it: to the next one it would be a second instance, which holds the first one's ports and files.
func (o *Orphans) endLeft() {
	if o == nil {
		return
	}
	begun := time.Now()
	asked := map[int]bool{}
	for left := o.children(); len(left) > 0 && time.Since(begun) < orphanLimit; left = o.children() {
		for _, pid := range left {
			o.end(pid, asked[pid], time.Since(begun) > orphanGrace)
			asked[pid] = true
		}
		time.Sleep(orphanPause) // until some have ended, whose children are then ours
	}
}
