package infra

import "syscall"

// attributes put the program into a group of its own, which a terminal's Ctrl-C does
// not reach, and have it interrupted when this process dies without a word: it then
// writes its state and gives the lock back.
func attributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGINT}
}
