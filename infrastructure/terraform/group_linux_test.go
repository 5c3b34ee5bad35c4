package terraform

import "syscall"

// ownGroup starts a child in a process group of its own, which ends with this process.
func ownGroup() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
