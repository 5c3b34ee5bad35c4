package rehearsal

import (
	"os/exec"
	"runtime"
	"sync"
	"syscall"
)

// startOwn starts a process that dies with this one, in a group of its own, and runs
// follow beside the caller, which returns when the process has ended. What is left of
// the group then, such as an MCP server that hears nothing, is killed. To Linux the
// parent of a process is the thread that started it, which is kept for as long.
func startOwn(running *sync.WaitGroup, cmd *exec.Cmd, follow func()) error {
	ownGroup(cmd)
	started := make(chan error, 1)
	running.Go(func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			follow()
			_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		}
	})
	return <-started
}
