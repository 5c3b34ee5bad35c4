//go:build !linux

package infra

import "syscall"

// attributes put the program into a group of its own, which a terminal's Ctrl-C does
// not reach. Nothing tells it here that this process has died: it ends its work, and
// the next run names it where it holds the state's lock.
func attributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
