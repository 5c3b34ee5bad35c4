package supervise

import (
	"os/exec"
	"runtime"
	"syscall"
	"time"
)

// process is one run of the command.
type process struct {
	cmd       *exec.Cmd
	done      chan struct{} // closed when the process has ended and its output is read
	reason    string        // valid once done is closed
	readyLine <-chan struct{}
	news      <-chan struct{} // has a value when lines were written
	begun     time.Time
}

// outputGrace is how long a process's children may hold its output open after it ended.
const outputGrace = 300 * time.Millisecond

func start(cfg *Config, env []string, t *tail) (*process, error) {
	watch := newWatch(cfg.ReadyLog)
	news := make(chan struct{}, 1)
	p := &process{done: make(chan struct{}), readyLine: watch.seen, news: news, begun: time.Now()}
	cmd := exec.Command(cfg.Command[0], cfg.Command[1:]...)
	cmd.Dir, cmd.Env = cfg.Dir, env
	stdout, stderr := &lineWriter{to: cfg.Stdout, tail: t, watch: watch, news: news}, &lineWriter{to: cfg.Stderr, tail: t, watch: watch, news: news}
	cmd.Stdout, cmd.Stderr = stdout, stderr
	cmd.WaitDelay = outputGrace
	cmd.SysProcAttr = attributes()
	p.cmd = cmd

	started := make(chan error, 1)
	go func() {
		// Pdeathsig is sent when the thread that forked ends, so this thread has to live as long as the child.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cfg.Orphans.start(cmd)
		started <- err
		if err != nil {
			return
		}
		p.reason = exitReason(cfg.Orphans.wait(cmd))
		stdout.flush()
		stderr.flush()
		close(p.done)
	}()
	return p, <-started
}

func exitReason(err error) string {
	if err == nil {
		return "exit status 0"
	}
	return err.Error()
}

// stop ends the process and its group: SIGTERM, grace, SIGKILL. It returns when the process is gone.
func (p *process) stop(grace time.Duration) {
	group := -p.cmd.Process.Pid
	_ = syscall.Kill(group, syscall.SIGTERM)
	timer := time.NewTimer(grace)
	defer timer.Stop()
	select {
	case <-p.done:
	case <-timer.C:
	}
	_ = syscall.Kill(group, syscall.SIGKILL) // whoever of the group is left
	<-p.done
}
