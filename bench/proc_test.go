package bench

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// memory is what a bootstrap and its app hold, in bytes.
type memory struct {
	Bootstrap, App int64 // RSS
	Own            int64 // both, of pages that nobody shares
}

// memoryOf looks at a bootstrap and its child.
func memoryOf(pid int) memory {
	m := memory{Bootstrap: residentOf(pid), Own: private(pid)}
	for _, child := range children(pid) {
		m.App += residentOf(child)
		m.Own += private(child)
	}
	return m
}

// residentOf is the resident memory of a process; 0 if it has ended.
func residentOf(pid int) int64 { return sumOf(fmt.Sprintf("/proc/%d/status", pid), "VmRSS:") }

func private(pid int) int64 {
	return sumOf(fmt.Sprintf("/proc/%d/smaps_rollup", pid), "Private_Clean:", "Private_Dirty:")
}

// sumOf adds the lines NAME: N kB of a file.
func sumOf(path string, names ...string) (bytes int64) {
	data, _ := os.ReadFile(path)
	for line := range strings.Lines(string(data)) {
		fields := strings.Fields(line)
		for _, name := range names {
			if len(fields) > 1 && fields[0] == name {
				n, _ := strconv.ParseInt(fields[1], 10, 64)
				bytes += n << 10
			}
		}
	}
	return bytes
}

func children(pid int) []int {
	var all []int
	threads, _ := os.ReadDir(fmt.Sprintf("/proc/%d/task", pid))
	for _, thread := range threads {
		data, _ := os.ReadFile(fmt.Sprintf("/proc/%d/task/%s/children", pid, thread.Name()))
		for _, field := range strings.Fields(string(data)) {
			if child, err := strconv.Atoi(field); err == nil {
				all = append(all, child)
			}
		}
	}
	return all
}

// tick is the unit of /proc/PID/stat.
const tick = 10 * time.Millisecond

// cpuOf is the processor time of a process, without its children.
func cpuOf(pid int) time.Duration {
	data, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	_, after, _ := strings.Cut(string(data), ") ")
	fields := strings.Fields(after)
	if len(fields) < 13 {
		return 0
	}
	user, _ := strconv.Atoi(fields[11])
	system, _ := strconv.Atoi(fields[12])
	return time.Duration(user+system) * tick
}

// command is the name of a process's program.
func command(pid int) string {
	data, _ := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid))
	return strings.TrimSpace(string(data))
}
