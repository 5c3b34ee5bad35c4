package sandbox

import "golang.org/x/sys/unix"

const (
	nativeArch = unix.AUDIT_ARCH_AARCH64
	otherCalls = 0xffffffff // there are no others
)

// refusedHere are the calls that only some processors have.
var refusedHere = []uint32{unix.SYS_KEXEC_FILE_LOAD}
