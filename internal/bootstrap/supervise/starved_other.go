//go:build !linux

package supervise

import (
	"os/exec"
	"strconv"
	"strings"
	"time"
)

// threads lists the processes of the process group, which ps tells more about than of
// their threads.
func threads(group int) map[int]thread {
	all := map[int]thread{}
	out, _ := exec.Command("ps", "-A", "-o", "pid=,pgid=,state=,time=").Output()
	for line := range strings.Lines(string(out)) {
		f := strings.Fields(line)
		if len(f) != 4 || f[1] != strconv.Itoa(group) {
			continue
		}
		id, _ := strconv.Atoi(f[0])
		all[id] = thread{state: f[2][0], ran: cpuTime(f[3])}
	}
	return all
}

// cpuTime reads hours, minutes and seconds: 0:01.25.
func cpuTime(text string) (total time.Duration) {
	for part := range strings.SplitSeq(text, ":") {
		seconds, _ := strconv.ParseFloat(part, 64)
		total = total*60 + time.Duration(seconds*float64(time.Second))
	}
	return total
}

// loadAverage is that of the last minute.
func loadAverage() string {
	out, _ := exec.Command("sysctl", "-n", "vm.loadavg").Output()
	f := strings.Fields(strings.Trim(strings.TrimSpace(string(out)), "{}"))
	if len(f) == 0 {
		return ""
	}
	return f[0]
}
