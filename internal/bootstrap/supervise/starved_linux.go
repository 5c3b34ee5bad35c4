package supervise

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// tick is USER_HZ, which is 100 everywhere: https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html
const tick = time.Second / 100

// threads lists those of the process group.
// https://docs.kernel.org/scheduler/sched-stats.html has what schedstat says; a kernel
// without it has states and times in stat.
func threads(group int) map[int]thread {
	all := map[int]thread{}
	processes, _ := filepath.Glob("/proc/[0-9]*")
	for _, process := range processes {
		if f := statFields(process); len(f) < 3 || f[2] != strconv.Itoa(group) {
			continue
		}
		tasks, _ := filepath.Glob(process + "/task/[0-9]*")
		for _, task := range tasks {
			id, _ := strconv.Atoi(filepath.Base(task))
			if t, ok := readThread(task); ok {
				all[id] = t
			}
		}
	}
	return all
}

func readThread(task string) (thread, bool) {
	f := statFields(task)
	if len(f) < 13 {
		return thread{}, false // it has ended
	}
	user, _ := strconv.ParseInt(f[11], 10, 64)
	system, _ := strconv.ParseInt(f[12], 10, 64)
	t := thread{state: f[0][0], ran: time.Duration(user+system) * tick}
	text, err := os.ReadFile(task + "/schedstat")
	if n := strings.Fields(string(text)); err == nil && len(n) == 3 {
		ran, _ := strconv.ParseInt(n[0], 10, 64)
		held, _ := strconv.ParseInt(n[1], 10, 64)
		t.ran, t.held = time.Duration(ran), time.Duration(held)
	}
	return t, true
}

// statFields are those after the name, which may hold anything: state, parent, group, …
func statFields(dir string) []string {
	text, err := os.ReadFile(dir + "/stat")
	if err != nil {
		return nil
	}
	return strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
}

// loadAverage is that of the last minute.
func loadAverage() string {
	text, _ := os.ReadFile("/proc/loadavg")
	first, _, _ := strings.Cut(string(text), " ")
	return first
}
