package sandbox

import (
	"fmt"
	"runtime"
	"slices"
	"unsafe"

	"golang.org/x/sys/unix"
)

// refused are the system calls that no function needs and that have opened
// machines before: they change mounts, namespaces, modules, clocks or keys, look
// into other processes, or hand programs to the kernel. Each fails with EPERM, as
// it does for lack of a capability.
var refused = slices.Concat(refusedHere, []uint32{
	unix.SYS_MOUNT, unix.SYS_UMOUNT2, unix.SYS_PIVOT_ROOT, unix.SYS_CHROOT, unix.SYS_FSOPEN, unix.SYS_FSCONFIG, unix.SYS_FSMOUNT,
	unix.SYS_FSPICK, unix.SYS_MOVE_MOUNT, unix.SYS_OPEN_TREE, unix.SYS_MOUNT_SETATTR, unix.SYS_SETNS,
	unix.SYS_NAME_TO_HANDLE_AT, unix.SYS_OPEN_BY_HANDLE_AT, unix.SYS_QUOTACTL, unix.SYS_QUOTACTL_FD, unix.SYS_FANOTIFY_INIT,
	unix.SYS_INIT_MODULE, unix.SYS_FINIT_MODULE, unix.SYS_DELETE_MODULE, unix.SYS_KEXEC_LOAD, unix.SYS_REBOOT,
	unix.SYS_SWAPON, unix.SYS_SWAPOFF, unix.SYS_ACCT, unix.SYS_SYSLOG, unix.SYS_VHANGUP, unix.SYS_SETHOSTNAME, unix.SYS_SETDOMAINNAME,
	unix.SYS_SETTIMEOFDAY, unix.SYS_CLOCK_SETTIME, unix.SYS_CLOCK_ADJTIME, unix.SYS_ADJTIMEX,
	unix.SYS_PTRACE, unix.SYS_PROCESS_VM_READV, unix.SYS_PROCESS_VM_WRITEV, unix.SYS_PROCESS_MADVISE, unix.SYS_PIDFD_GETFD, unix.SYS_KCMP,
	unix.SYS_BPF, unix.SYS_PERF_EVENT_OPEN, unix.SYS_USERFAULTFD, unix.SYS_IO_URING_SETUP, unix.SYS_IO_URING_ENTER, unix.SYS_IO_URING_REGISTER,
	unix.SYS_ADD_KEY, unix.SYS_REQUEST_KEY, unix.SYS_KEYCTL, unix.SYS_LOOKUP_DCOOKIE, unix.SYS_NFSSERVCTL,
})

// newNamespace is any of them, as a flag of clone; unshare has one more.
const newNamespace = unix.CLONE_NEWNS | unix.CLONE_NEWCGROUP | unix.CLONE_NEWUTS | unix.CLONE_NEWIPC |
	unix.CLONE_NEWUSER | unix.CLONE_NEWPID | unix.CLONE_NEWNET

// Offsets in what a filter looks at.
// https://man7.org/linux/man-pages/man2/seccomp.2.html
const (
	dataCall      = 0
	dataArch      = 4
	dataArguments = 16 // of 8 bytes each, the lower half first
)

// filter answers each system call. The order is: the machine's own way of calling
// only, calls that are refused, calls that are refused with some arguments. Processes that
// are to be cloned get no memory protection keys, by which V8 guards the code of
// WebAssembly: CRIU does not restore them, and a clone that compiles some would end.
// https://man7.org/linux/man-pages/man7/pkeys.7.html
func filter(cloneable bool) []unix.SockFilter {
	const (
		load  = unix.BPF_LD | unix.BPF_W | unix.BPF_ABS
		equal = unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K
		above = unix.BPF_JMP | unix.BPF_JGE | unix.BPF_K
		bits  = unix.BPF_JMP | unix.BPF_JSET | unix.BPF_K
		ret   = unix.BPF_RET | unix.BPF_K
	)
	fail := func(errno unix.Errno) unix.SockFilter {
		return unix.SockFilter{Code: ret, K: unix.SECCOMP_RET_ERRNO | uint32(errno)}
	}
	allow := unix.SockFilter{Code: ret, K: unix.SECCOMP_RET_ALLOW}
	p := []unix.SockFilter{
		{Code: load, K: dataArch}, {Code: equal, K: nativeArch, Jt: 1}, fail(unix.ENOSYS),
		{Code: load, K: dataCall}, {Code: above, K: otherCalls, Jf: 1}, fail(unix.ENOSYS),
	}
	for _, call := range refused {
		p = append(p, unix.SockFilter{Code: equal, K: call, Jf: 1}, fail(unix.EPERM))
	}
	if cloneable {
		p = append(p, unix.SockFilter{Code: equal, K: unix.SYS_PKEY_ALLOC, Jf: 1}, fail(unix.ENOSPC))
	}
	// Its flags are in memory, where no filter looks: callers fall back on clone.
	p = append(p, unix.SockFilter{Code: equal, K: unix.SYS_CLONE3, Jf: 1}, fail(unix.ENOSYS))
	for _, c := range []struct {
		call, argument uint32
		test           uint16
		values         []uint32
	}{
		{unix.SYS_CLONE, 0, bits, []uint32{newNamespace}},
		{unix.SYS_UNSHARE, 0, bits, []uint32{newNamespace | unix.CLONE_NEWTIME}},
		{unix.SYS_IOCTL, 1, equal, []uint32{unix.TIOCSTI, unix.TIOCLINUX}}, // they type into a terminal
		{unix.SYS_SOCKET, 0, equal, []uint32{unix.AF_VSOCK, unix.AF_ALG}},  // a virtual machine's host; the kernel's ciphers
	} {
		p = append(p, unix.SockFilter{Code: equal, K: c.call, Jf: uint8(2 + 2*len(c.values))}, unix.SockFilter{Code: load, K: dataArguments + 8*c.argument})
		for _, v := range c.values {
			p = append(p, unix.SockFilter{Code: c.test, K: v, Jf: 1}, fail(unix.EPERM))
		}
		p = append(p, allow)
	}
	return append(p, allow)
}

// filterSystemCalls holds for this thread and what it starts. A kernel that was
// built without seccomp is rare, and runs the rest of the sandbox.
func filterSystemCalls(cloneable bool) error {
	if len(refusedHere) == 0 {
		return nil // a processor whose numbers nobody wrote down
	}
	p := filter(cloneable)
	program := unix.SockFprog{Len: uint16(len(p)), Filter: &p[0]}
	// Before Linux 5.16 a filter would also switch a processor's speculation off, which
	// costs an app up to a third of its speed; Lambda does not do so.
	_, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, unix.SECCOMP_FILTER_FLAG_SPEC_ALLOW, uintptr(unsafe.Pointer(&program)))
	if errno == unix.EINVAL { // a kernel before 4.17 knows no such flag
		_, _, errno = unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, 0, uintptr(unsafe.Pointer(&program)))
	}
	runtime.KeepAlive(p)
	if errno != 0 && errno != unix.EINVAL && errno != unix.ENOSYS {
		return fmt.Errorf("filter system calls: %w", errno)
	}
	return nil
}
