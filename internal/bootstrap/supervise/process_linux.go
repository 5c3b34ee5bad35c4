package supervise

import "syscall"

// attributes put the app into a process group of its own, and end it with the
// bootstrap, however that ends.
func attributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
