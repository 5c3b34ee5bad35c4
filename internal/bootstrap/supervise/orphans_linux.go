//go:build linux && (amd64 || arm64)

package supervise

import (
	"bytes"
	"os"
	"os/signal"
	"strconv"
	"syscall"
	"time"
	"unsafe"
)

// prSetChildSubreaper is PR_SET_CHILD_SUBREAPER of prctl(2).
const prSetChildSubreaper = 36

// AdoptOrphans makes this process the parent of its descendants' orphans, and waits for them until End.
func AdoptOrphans() *Orphans {
	_, _, _ = syscall.RawSyscall6(syscall.SYS_PRCTL, prSetChildSubreaper, 1, 0, 0, 0, 0) // refused, they fall to the PID 1
	o := &Orphans{ours: map[int]bool{}, ends: make(chan os.Signal, 1), quit: make(chan struct{})}
	signal.Notify(o.ends, syscall.SIGCHLD)
	o.close = func() { signal.Stop(o.ends) }
	o.gone.Go(o.reapAll)
	return o
}

func (o *Orphans) reapAll() {
	for {
		var again <-chan time.Time
		if o.reap() {
			again = time.After(oursPause)
		}
		select {
		case <-o.ends:
		case <-again:
		case <-o.quit:
			o.reap()
			return
		}
	}
}

// reap waits for the orphans that have ended, up to an end that is ours.
func (o *Orphans) reap() (ours bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for {
		pid := ended()
		if pid == 0 || o.ours[pid] {
			return pid != 0
		}
		if _, err := syscall.Wait4(pid, nil, syscall.WNOHANG, nil); err != nil && err != syscall.EINTR {
			return false
		}
	}
}

// ended is a child that has ended and was not waited for, and stays so; 0 if there is none.
func ended() int {
	var info struct { // siginfo_t on 64 bits
		_   [4]int32
		pid int32
		_   [27]int32
	}
	const all = 0 // P_ALL
	_, _, errno := syscall.Syscall6(syscall.SYS_WAITID, all, 0, uintptr(unsafe.Pointer(&info)), syscall.WEXITED|syscall.WNOHANG|syscall.WNOWAIT, 0, 0)
	if errno != 0 {
		return 0
	}
	return int(info.pid)
}

// children are the processes whose parent this one is now, without those that are ours or have ended.
func (o *Orphans) children() []int {
	proc, err := os.Open("/proc")
	if err != nil {
		return nil
	}
	defer proc.Close()
	names, _ := proc.Readdirnames(-1)
	o.mu.Lock()
	defer o.mu.Unlock()
	var out []int
	for _, name := range names {
		pid, err := strconv.Atoi(name)
		if err == nil && !o.ours[pid] && isChild(name) {
			out = append(out, pid)
		}
	}
	return out
}

func isChild(pid string) bool {
	stat, err := os.ReadFile("/proc/" + pid + "/stat")
	if err != nil {
		return false
	}
	fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:]) // the name before may hold anything
	return len(fields) > 1 && string(fields[0]) != "Z" && string(fields[1]) == strconv.Itoa(os.Getpid())
}

// end asks pid to end, once, or makes it.
func (o *Orphans) end(pid int, asked, kill bool) {
	switch {
	case kill:
		_ = syscall.Kill(pid, syscall.SIGKILL)
	case !asked:
		_ = syscall.Kill(pid, syscall.SIGTERM)
	}
}
