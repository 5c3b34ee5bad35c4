package sandbox

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"slices"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// A sandbox is entered by this program itself, started once more under the name
// entryName: it sets up the file system of the namespaces that it was started in,
// gives up every privilege and runs the command. Its orders come through a pipe,
// so that neither its command line nor its environment, which an app may read as
// those of process 1, shows more than the name.
const entryName = "sluice-sandbox"

// entry is the order.
type entry struct {
	Namespaces bool // a mount namespace is there to be changed
	PIDs       bool // so is a PID namespace, whose first process this is
	User       bool // and a user namespace, in which this is Lambda's user
	ReadOnly   bool
	Root       string
	Dir        string
	Tmp        string // becomes /tmp
	Task       string // is seen at TaskRoot too
	OpenFiles  int
	Shown      []string // paths below /tmp that stay visible in the new one
	Kept       []string // paths that stay writable
	Scratch    []string // paths that lead to the same path below /tmp/scratch
	Hidden     []string // files and directories of the machine that are emptied
	Needed     []string // what must be seen even if it lies in a hidden directory
	Command    []string
	Env        []string

	Cloneable bool         // the command is to be dumped, or comes from a dump
	Join      bool         // enter the namespaces of the files after the orders, and dump
	Image     *cloneOrders // what is to be restored instead of the command, or to be dumped
}

// orders is the file descriptor of the pipe.
const orders = 3

// init runs before main, of whatever program this package is a part of.
func init() {
	if os.Args[0] != entryName {
		return
	}
	runtime.LockOSThread() // privileges and the filter of system calls belong to a thread, and its children
	code, err := enter()
	if err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", entryName, err)
	}
	os.Exit(code)
}

// notStarted is how a shell says that a command could not be run.
const notStarted = 126

func enter() (int, error) {
	var e entry
	pipe := os.NewFile(orders, "orders")
	text, err := io.ReadAll(pipe)
	pipe.Close()
	if err != nil {
		return notStarted, err
	}
	if err := json.Unmarshal(text, &e); err != nil {
		return notStarted, fmt.Errorf("read orders: %w", err)
	}
	if e.Join {
		return e.dump()
	}
	if e.Cloneable {
		if err := joinNetwork(); err != nil {
			return notStarted, err
		}
	}
	if e.Namespaces {
		if err := e.buildFiles(); err != nil {
			return notStarted, err
		}
	}
	if e.Image != nil {
		return e.restore()
	}
	if err := e.settle(); err != nil {
		return notStarted, err
	}
	if err := dropPrivileges(e.Cloneable); err != nil {
		return notStarted, err
	}
	return e.run()
}

// settle sets what the command inherits.
func (e *entry) settle() error {
	if e.Dir != "" {
		if err := os.Chdir(e.Dir); err != nil {
			return err
		}
	}
	if e.OpenFiles > 0 {
		if err := limitOpenFiles(uint64(e.OpenFiles)); err != nil {
			return err
		}
	}
	return nil
}

// limitOpenFiles sets the limit, or the machine's where that is lower.
func limitOpenFiles(n uint64) error {
	var now syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &now); err != nil {
		return err
	}
	n = min(n, now.Max)
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &syscall.Rlimit{Cur: n, Max: n}); err != nil {
		return fmt.Errorf("limit open files to %d: %w", n, err)
	}
	return nil
}

// run replaces this process by the command, or, as the first process of a PID
// namespace, waits for it: when the first process ends, the kernel ends all the
// others.
func (e *entry) run() (int, error) {
	// What the user's shell had open, and this program inherited, is not the app's. A kernel
	// before 5.11 cannot.
	_ = unix.CloseRange(orders, ^uint(0), unix.CLOSE_RANGE_CLOEXEC)
	os.Clearenv()
	for _, kv := range e.Env {
		if path, ok := strings.CutPrefix(kv, "PATH="); ok {
			os.Setenv("PATH", path)
		}
	}
	program, err := exec.LookPath(e.Command[0])
	if err != nil && !errors.Is(err, exec.ErrDot) {
		return notStarted + 1, err
	}
	if !e.PIDs {
		return notStarted, fmt.Errorf("run %s: %w", program, syscall.Exec(program, e.Command, e.Env))
	}
	signals := ignoreSignals()
	// The app must not read the memory of its first process, or what it has open.
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
		return notStarted, fmt.Errorf("hide the first process: %w", err)
	}
	attr := &syscall.ProcAttr{Env: e.Env, Files: []uintptr{0, 1, 2}}
	if e.Cloneable {
		if err := nothingToRead(); err != nil {
			return notStarted, err
		}
		attr.Sys = &syscall.SysProcAttr{Setsid: true}
	}
	pid, err := syscall.ForkExec(program, e.Command, attr)
	if err != nil {
		return notStarted, fmt.Errorf("run %s: %w", program, err)
	}
	if e.Cloneable {
		go passTerm(signals, pid)
	}
	for _, fd := range []int{0, 1, 2} { // the output ends with the processes that write it
		_ = syscall.Close(fd)
	}
	return reap(pid), nil
}

// ignoreSignals has a handler take what the app sends here; the first process gets no
// signal from its own namespace that it has no handler for.
func ignoreSignals() <-chan os.Signal {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP, syscall.SIGQUIT, syscall.SIGPIPE, syscall.SIGUSR1, syscall.SIGUSR2, syscall.SIGABRT, syscall.SIGALRM)
	return signals
}

// reap waits for every process that comes to its end here, until it is pid's turn.
// The code is that of a shell: 128 and the signal for a process that was killed.
func reap(pid int) int {
	for {
		var status syscall.WaitStatus
		ended, err := syscall.Wait4(-1, &status, 0, nil)
		switch {
		case errors.Is(err, syscall.EINTR):
		case err != nil:
			return notStarted
		case ended == pid && status.Signaled():
			return 128 + int(status.Signal())
		case ended == pid:
			return status.ExitStatus()
		}
	}
}

// start makes the command that enters the sandbox, with files after the orders. Who starts it
// closes its first file, the orders.
func (e *entry) start(attr *syscall.SysProcAttr, files ...*os.File) (*exec.Cmd, error) {
	text, err := json.Marshal(e)
	if err != nil {
		return nil, err
	}
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	cmd := exec.Command("/proc/self/exe")
	cmd.Args = []string{entryName}
	cmd.Env = []string{} // not this program's, which exec.Cmd takes for nil
	cmd.ExtraFiles = append([]*os.File{r}, files...)
	cmd.SysProcAttr = attr
	go func() {
		_, _ = w.Write(text) // who dies early does not read to the end
		w.Close()
	}()
	return cmd, nil
}

// needed lists what the command itself names.
func (s *Spec) needed() []string {
	return slices.Concat([]string{s.Dir, s.Task}, s.Command, s.searchPath(), s.Visible, s.Writable, s.Scratch)
}
