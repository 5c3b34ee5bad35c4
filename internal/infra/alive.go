package infra

import "syscall"

// alive tells whether a process with the id is there and this user's.
func alive(pid int) bool { return syscall.Kill(pid, 0) == nil }
