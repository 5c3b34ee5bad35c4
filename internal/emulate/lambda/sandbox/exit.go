package sandbox

import (
	"errors"
	"fmt"
	"os/exec"
	"syscall"
)

// Exit says how a process ended: by a signal, or with a code.
type Exit struct {
	Code   int
	Signal syscall.Signal
}

// String is "exit status 3" or "signal: killed", as Lambda words it.
func (e Exit) String() string {
	if e.Signal != 0 {
		return "signal: " + e.Signal.String()
	}
	return fmt.Sprintf("exit status %d", e.Code)
}

// exitOf reads the result of exec.Cmd.Wait. A shell in between tells a signal by
// the code 128 + signal.
func exitOf(err error, wrapped bool) Exit {
	var ee *exec.ExitError
	if !errors.As(err, &ee) {
		return Exit{}
	}
	status, ok := ee.Sys().(syscall.WaitStatus)
	if !ok {
		return Exit{Code: ee.ExitCode()}
	}
	if status.Signaled() {
		return Exit{Signal: status.Signal()}
	}
	code := status.ExitStatus()
	if wrapped && code > 128 && code <= 128+31 {
		return Exit{Signal: syscall.Signal(code - 128)}
	}
	return Exit{Code: code}
}
