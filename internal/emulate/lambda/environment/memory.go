package environment

import "time"

// memoryInterval is how often an environment's memory is looked at while it
// works. It costs about 50 µs per process.
const memoryInterval = 100 * time.Millisecond

func (e *Environment) watchMemory() *time.Ticker { return time.NewTicker(memoryInterval) }

// sampleMemory notes the most memory that was seen. It looks at most once per
// interval, so that quick invocations stay quick.
func (e *Environment) sampleMemory() {
	now := time.Now()
	if e.session == nil || now.Sub(e.sampled) < memoryInterval {
		return
	}
	e.sampled = now
	n := e.group.Memory()
	e.mu.Lock()
	e.maxMemory = max(e.maxMemory, n)
	e.mu.Unlock()
}

// checkMemory kills the processes when the kernel does not do it itself.
func (e *Environment) checkMemory() {
	n := e.group.Memory()
	e.sampled = time.Now()
	e.mu.Lock()
	e.maxMemory = max(e.maxMemory, n)
	e.mu.Unlock()
	limit := e.memoryLimit()
	if limit == 0 || n <= limit || e.group.MemoryLimited() {
		return
	}
	e.oom = true
	_ = e.group.Kill() // seen as the runtime's exit
}
