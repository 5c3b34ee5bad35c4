//go:build !linux

package supervise

import "syscall"

// attributes put the app into a process group of its own. Only Linux, which Lambda
// runs, ends it with its parent; elsewhere the bootstrap is in a rehearsal, which does.
func attributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
