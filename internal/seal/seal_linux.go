package seal

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strconv"
	"syscall"
)

// EraseEnvironment overwrites the variables that the process was started with, so that /proc/PID/environ shows none. os.Getenv,
// os.Environ and programs that are started with them work on: Go has copied them before main began.
//
// It must come before Process, after which a user other than root has no access to his own /proc/self/mem.
func EraseEnvironment() error {
	start, end, err := environment()
	if err != nil {
		return fmt.Errorf("erase the environment: %w", err)
	}
	// The kernel checks the addresses, which a write by unsafe would not.
	memory, err := os.OpenFile("/proc/self/mem", os.O_WRONLY, 0)
	if err != nil {
		return fmt.Errorf("erase the environment: %w", err)
	}
	defer memory.Close()
	if _, err := memory.WriteAt(make([]byte, end-start), start); err != nil {
		return fmt.Errorf("erase the environment: %w", err)
	}
	return nil
}

// environment is where the kernel has put the variables: env_start and env_end of proc_pid_stat(5), its 50th and 51st field.
func environment() (start, end int64, err error) {
	stat, err := os.ReadFile("/proc/self/stat")
	if err != nil {
		return 0, 0, err
	}
	const third, fiftieth = 3, 50
	fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:]) // the second, the name, may hold anything
	if len(fields) <= fiftieth+1-third {
		return 0, 0, errors.New("/proc/self/stat does not say where it is")
	}
	start, startErr := strconv.ParseInt(string(fields[fiftieth-third]), 10, 64)
	end, endErr := strconv.ParseInt(string(fields[fiftieth+1-third]), 10, 64)
	const most = 64 << 20 // far above what execve(2) takes
	if err := errors.Join(startErr, endErr); err != nil || start <= 0 || end < start || end-start > most {
		return 0, 0, errors.New("/proc/self/stat does not say where it is")
	}
	return start, end, nil
}

// Process makes the process one that only CAP_SYS_PTRACE can trace and read, also for its own user, and that leaves no core dump. Its children
// are not, once they have called execve.
//
// Its files in /proc are root's from then on: /proc/PID/fd cannot be listed by another process of the user, but stat, status and task can
// (PR_SET_DUMPABLE of prctl(2), proc(5)).
func Process() error {
	if _, _, errno := syscall.RawSyscall6(syscall.SYS_PRCTL, syscall.PR_SET_DUMPABLE, 0, 0, 0, 0, 0); errno != 0 {
		return fmt.Errorf("keep other processes from reading this one's memory: %w", errno)
	}
	return nil
}
