// Package sandbox runs the processes of one execution environment apart from
// the rest of the machine: their own process ids, a /tmp of their own, a
// read-only file system, none of the privileges of the user who runs sluice, and
// a switch that stops and restarts all of them at once. How much of this a machine
// allows differs; a Host finds out once, gives what it can and says what it cannot
// (Host.Missing).
//
//   - Linux with user namespaces, or as root: user, mount, PID and IPC namespaces,
//     no capabilities, a filter of system calls. This program enters them itself,
//     started once more: what imports this package may not do anything of note
//     before main.
//   - Linux with cgroup v2 that this user may write to: cgroup.freeze
//     and, where the memory controller is handed down, memory.max.
//   - Elsewhere (macOS; containers that forbid the above): process groups,
//     SIGSTOP and SIGCONT down the tree of processes, TMPDIR in place of /tmp.
//
// A group can have a network of its own ([Group.CloneIn]); then its processes can be dumped and
// cloned, by root with CRIU ([Host.Clones], [Group.Dump], [Group.Restore]).
//
// As root /tmp is a disk of its own size ([Host.Disks]).
//
// It leaves out: limits on CPU, and else network namespaces (the Runtime API is on
// loopback). docs/sandbox.md says what it keeps an app from, and what not.
package sandbox

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"strings"
	"sync"
	"time"
)

// Spec says what to run and what it may touch.
type Spec struct {
	// Command is run with exactly Env as its environment.
	Command []string
	// Dir is the working directory, inside Root if there is one.
	Dir string
	Env []string
	// Root, if set, becomes the root directory (Linux with mount namespaces only).
	Root string
	// Task, if set, is the directory that is seen at TaskRoot too; see
	// [Host.HasTaskRoot].
	Task string
	// ReadOnly makes every file system read-only except /tmp and Writable.
	ReadOnly bool
	Writable []string
	// Scratch directories are led into /tmp, to an empty directory below
	// /tmp/scratch, as links in an image do. They must be there (Linux with mount
	// namespaces only: elsewhere they are written to as they are).
	Scratch []string
	// Visible paths below /tmp can be seen in the sandbox's own /tmp. So can, whole, the
	// entries of /tmp in which the command, its arguments, Dir and what PATH names lie, or
	// what links in Dir lead to.
	Visible []string
	// OpenFiles is the limit of file descriptors, 0 for the machine's.
	OpenFiles int
	// Output takes standard output and standard error, a line at a time and
	// without its end. It is called by one goroutine per process.
	Output func(line string)

	clone // set by Group.Restore
}

// TaskRoot is where Lambda has a function's files.
const TaskRoot = "/var/task"

// A Host is this machine's ability to run groups. It is safe for concurrent use.
type Host struct {
	// Missing tells, in plain sentences, what this machine does not allow.
	Missing []string

	log     *slog.Logger
	spawner *spawner
	platform
}

// NewHost looks at what the machine allows. It starts a few short processes.
// Close it when all its groups are closed.
func NewHost(log *slog.Logger) *Host {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	h := &Host{log: log, spawner: newSpawner()}
	h.probe()
	return h
}

// Close releases what the host itself holds.
func (h *Host) Close() { h.spawner.close() }

func (h *Host) missing(format string, args ...any) {
	h.Missing = append(h.Missing, fmt.Sprintf(format, args...))
}

// A Group is the set of processes that one execution environment runs, and the
// unit of freezing, killing and memory. Its /tmp outlives its processes.
type Group struct {
	host   *Host
	tmp    string
	limits Limits
	control
	network *Network // of its own, where its processes can be dumped; nil is the machine's

	mu     sync.Mutex // freezing and thawing
	frozen bool

	list  sync.Mutex
	procs []*Process
}

// Limits are a group's, in bytes. 0 is none.
type Limits struct {
	Memory int64
	Disk   int64 // of /tmp, where the host has Disks
}

// NewGroup makes an empty group. name is for people who look at the machine
// (the cgroup carries it); tmp is the directory that its processes see as /tmp, empty yet.
func (h *Host) NewGroup(name, tmp string, limits Limits) (*Group, error) {
	g := &Group{host: h, tmp: tmp, limits: limits}
	if err := g.open(name); err != nil {
		_ = g.release()
		return nil, fmt.Errorf("make process group %s: %w", name, err)
	}
	return g, nil
}

// Start runs a process in the group. The caller must Kill the group, or see the
// process end, before it closes the group.
func (g *Group) Start(spec Spec) (*Process, error) {
	if len(spec.Command) == 0 {
		return nil, errors.New("start process: no command")
	}
	cmd, err := g.command(spec)
	if err != nil {
		return nil, err
	}
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	cmd.Stdout, cmd.Stderr = w, w
	err = g.spawner().do(cmd.Start)
	w.Close()
	for _, handed := range cmd.ExtraFiles[:min(1, len(cmd.ExtraFiles))] {
		handed.Close()
	}
	if err != nil {
		r.Close()
		return nil, fmt.Errorf("start %s: %w", spec.Command[0], err)
	}
	p := &Process{group: g, cmd: cmd, wrapped: g.wrapped(), done: make(chan struct{})}
	g.list.Lock()
	g.procs = append(g.procs, p)
	g.list.Unlock()
	go p.watch(r, spec.Output)
	return p, nil
}

// Processes gives the ids of the live processes of the group, as this machine
// numbers them.
func (g *Group) Processes() []int { return g.pids() }

// Freeze stops every process of the group, also those in process groups of their
// own.
func (g *Group) Freeze() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.frozen {
		return nil
	}
	g.frozen = true
	return g.freeze(true)
}

// Thaw lets the group run again.
func (g *Group) Thaw() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.frozen {
		return nil
	}
	g.frozen = false
	return g.freeze(false)
}

// Kill ends every process of the group with SIGKILL and waits until they are
// gone, for at most five seconds.
func (g *Group) Kill() error {
	g.kill()
	if err := g.Thaw(); err != nil {
		g.host.log.Debug("thaw for the kill", "error", err)
	}
	g.list.Lock()
	procs := g.procs
	g.procs = nil
	g.list.Unlock()
	limit := time.After(5 * time.Second)
	for _, p := range procs {
		select {
		case <-p.done:
		case <-limit:
			return fmt.Errorf("process %d did not end after SIGKILL", p.cmd.Process.Pid)
		}
	}
	g.forget()
	return nil
}

// Memory is what the group holds now, in bytes: memory of its own and shared
// memory, without the pages of files.
func (g *Group) Memory() int64 { return g.usage() }

// MemoryLimited is true when the kernel itself holds the group to its memory.
// Otherwise the caller watches Memory.
func (g *Group) MemoryLimited() bool { return g.limited() }

// OutOfMemory is true when, since the last Kill, the kernel has killed a process of the group for
// having passed the limit.
func (g *Group) OutOfMemory() bool { return g.oomKilled() }

// Close kills what is left and removes the group. The directory /tmp stays with
// the caller.
func (g *Group) Close() error {
	return errors.Join(g.Kill(), g.release())
}

// Process is one process of a group and its children.
type Process struct {
	group   *Group
	cmd     *exec.Cmd
	wrapped bool // another process is the parent of the command and passes its exit code on
	done    chan struct{}
	exit    Exit
}

// PID is the id on this machine of the process that leads the process group.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Done is closed when the process has ended and its output was read.
func (p *Process) Done() <-chan struct{} { return p.done }

// Exit says how the process ended. It is valid once Done is closed.
func (p *Process) Exit() Exit { return p.exit }

// watch reads the output and waits for the end. Children that keep the output
// open are killed with the group; they must not keep the process from ending.
func (p *Process) watch(r *os.File, output func(string)) {
	read := make(chan struct{})
	go func() {
		defer close(read)
		readLines(r, output)
	}()
	err := p.cmd.Wait()
	p.exit = exitOf(err, p.wrapped)
	select {
	case <-read:
	case <-time.After(100 * time.Millisecond):
	}
	r.Close()
	<-read
	close(p.done)
}

// maxLine is where a line without end is cut.
const maxLine = 64 << 10

func readLines(r io.Reader, output func(string)) {
	var line []byte
	buf := make([]byte, 4<<10)
	emit := func(l []byte) {
		if output != nil {
			output(strings.TrimSuffix(string(l), "\r"))
		}
	}
	for {
		n, err := r.Read(buf)
		for _, c := range buf[:n] {
			if c != '\n' {
				line = append(line, c)
			}
			if c == '\n' || len(line) == maxLine {
				emit(line)
				line = line[:0]
			}
		}
		if err != nil {
			if len(line) > 0 {
				emit(line)
			}
			return
		}
	}
}
