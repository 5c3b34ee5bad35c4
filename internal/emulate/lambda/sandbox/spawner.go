package sandbox

import "runtime"

// spawner starts every process from one operating system thread that lives as
// long as the host: Linux sends a child its parent-death signal when the thread
// that made it ends, not the process.
type spawner struct {
	work chan func()
	gone chan struct{}
}

func newSpawner() *spawner {
	s := &spawner{work: make(chan func()), gone: make(chan struct{})}
	go func() {
		defer close(s.gone)
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
		for f := range s.work {
			f()
		}
	}()
	return s
}

func (s *spawner) do(f func() error) error {
	result := make(chan error, 1)
	s.work <- func() { result <- f() }
	return <-result
}

func (s *spawner) close() {
	close(s.work)
	<-s.gone
}
