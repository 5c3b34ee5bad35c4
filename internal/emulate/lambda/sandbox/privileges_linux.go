package sandbox

import (
	"errors"
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"
)

// dropPrivileges takes from this thread, and from what it starts, all that a
// function on Lambda has not got either: capabilities, setuid programs, the system
// calls of [refused], and the abstract sockets and processes outside of the
// sandbox. One that is to be cloned has a network of its own, and no abstract sockets but
// its own: there the last is left out, which would keep CRIU from its part in the process.
func dropPrivileges(cloneable bool) error {
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("forbid new privileges: %w", err)
	}
	if err := dropCapabilities(); err != nil {
		return err
	}
	if !cloneable {
		if err := scope(); err != nil {
			return err
		}
	}
	return filterSystemCalls(cloneable)
}

// dropCapabilities empties every set. Where the bounding set may not be changed,
// as in a container, no_new_privs keeps a program of root from gaining what its
// parent has not got: https://man7.org/linux/man-pages/man7/capabilities.7.html
func dropCapabilities() error {
	for c := uintptr(0); ; c++ {
		err := unix.Prctl(unix.PR_CAPBSET_DROP, c, 0, 0, 0)
		if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.EPERM) {
			break // there is no such capability, or the set may not be changed
		}
		if err != nil {
			return fmt.Errorf("drop capability %d: %w", c, err)
		}
	}
	const noRoot = 1<<0 | 1<<1 // SECBIT_NOROOT, and locked: user 0 is a user like others
	if err := unix.Prctl(unix.PR_SET_SECUREBITS, noRoot, 0, 0, 0); err != nil && !errors.Is(err, unix.EPERM) {
		return fmt.Errorf("set the secure bits: %w", err)
	}
	_ = unix.Prctl(unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) // the next call empties them, too
	var none [2]unix.CapUserData
	if err := unix.Capset(&unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}, &none[0]); err != nil {
		return fmt.Errorf("drop capabilities: %w", err)
	}
	return nil
}

// scope keeps the thread from the abstract sockets and the processes outside, if
// the kernel can: Landlock, its sixth version.
// https://docs.kernel.org/userspace-api/landlock.html
func scope() error {
	version, _, errno := unix.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET, 0, 0, unix.LANDLOCK_CREATE_RULESET_VERSION)
	if errno != 0 || version < 6 {
		return nil
	}
	rules := struct{ files, net, scoped uint64 }{scoped: unix.LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET | unix.LANDLOCK_SCOPE_SIGNAL}
	fd, _, errno := unix.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET, uintptr(unsafe.Pointer(&rules)), unsafe.Sizeof(rules), 0)
	if errno != 0 {
		return fmt.Errorf("make Landlock rules: %w", errno)
	}
	defer unix.Close(int(fd))
	if _, _, errno := unix.Syscall(unix.SYS_LANDLOCK_RESTRICT_SELF, fd, 0, 0); errno != 0 {
		return fmt.Errorf("apply Landlock rules: %w", errno)
	}
	return nil
}
