package environment

import (
	"os"
	"runtime"
	"strconv"
	"strings"
	"time"
)

// fairTick is how often a fair timer looks at the machine.
const fairTick = 50 * time.Millisecond

// fairTimer closes expired when the limit has passed, in time that an environment has a processor of its own for, as on Lambda: where
// more runs on this machine than it has processors, as in a burst of restores, time passes by so much more slowly.
func fairTimer(limit time.Duration) (expired <-chan struct{}, stop func()) {
	over, end := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(over)
		tick := time.NewTicker(fairTick)
		defer tick.Stop()
		for last := time.Now(); limit > 0; {
			select {
			case now := <-tick.C:
				limit -= time.Duration(float64(now.Sub(last)) * processorShare())
				last = now
			case <-end:
				return
			}
		}
	}()
	return over, func() { close(end); <-over }
}

// processorShare is the part of a processor that each of those who want one gets, at most 1; it is 1 where the system does not tell.
// https://man7.org/linux/man-pages/man5/proc_loadavg.5.html
func processorShare() float64 {
	text, _ := os.ReadFile("/proc/loadavg")
	return shareOf(string(text), runtime.NumCPU())
}

// shareOf reads how many run or could: the first number of the fourth field, such as 3/221.
func shareOf(loadavg string, processors int) float64 {
	fields := strings.Fields(loadavg)
	if len(fields) < 4 {
		return 1
	}
	running, _, _ := strings.Cut(fields[3], "/")
	n, err := strconv.Atoi(running)
	if err != nil || n <= processors {
		return 1
	}
	return float64(processors) / float64(n)
}
