package sandbox

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// platform is what probe found out about a Linux machine.
type platform struct {
	namespaces bool   // mount namespaces work
	pids       bool   // PID namespaces work, with a /proc of their own
	user       bool   // so do user namespaces, which root can do without
	cgroup     string // directory to make cgroups in; empty without
	disks      bool   // a group's /tmp can be a disk of its own
	criu       string // the program that clones processes, once Clones has found it
}

func (h *Host) probe() {
	h.useCgroup()
	h.useNamespaces()
	if err := h.tryDisk(); err != nil {
		h.missing("no disk for each /tmp (%v): it is as large as the one it lies on, whatever ephemeral_storage says", err)
	}
}

// useNamespaces tries the best sandbox first and goes down from there.
func (h *Host) useNamespaces() {
	h.namespaces, h.pids, h.user = true, true, true
	err := h.try()
	if err == nil {
		return
	}
	if os.Geteuid() == 0 {
		h.user = false
		if h.try() == nil {
			h.missing("no user namespaces (%v): the app sees itself as root, without a root's capabilities", err)
			return
		}
	}
	h.pids = false
	h.missing("no PID namespaces (%v): a process that leaves its process tree can outlive its environment, and sees the others", err)
	if err = h.try(); err != nil {
		h.namespaces = false
		h.missing("no mount namespaces (%v): no /tmp of its own (TMPDIR instead) and no read-only file system: the app can write what you can write", err)
	}
}

// try runs a command that does next to nothing.
func (h *Host) try() error {
	tmp, err := os.MkdirTemp("", "sluice-probe-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(tmp)
	g := &Group{host: h, tmp: tmp} // in no cgroup
	var lines []string
	p, err := g.Start(Spec{
		Command: []string{"sh", "-c", ": > /tmp/probe && kill -0 $$"}, ReadOnly: true,
		Env:    []string{"PATH=" + os.Getenv("PATH")},
		Output: func(l string) { lines = append(lines, l) },
	})
	if err != nil {
		return err
	}
	select {
	case <-p.Done():
	case <-time.After(5 * time.Second):
		_ = g.Kill()
		return errors.New("no answer in 5 s")
	}
	if _, err := os.Stat(filepath.Join(tmp, "probe")); err != nil || p.Exit() != (Exit{}) {
		return fmt.Errorf("%s: %s", p.Exit(), strings.Join(lines, "; "))
	}
	return nil
}

// HasTaskRoot reports whether processes can see their Task at TaskRoot.
func (h *Host) HasTaskRoot() bool { return h.namespaces }

// Disks reports whether a group's /tmp has the size that it is to have.
func (h *Host) Disks() bool { return h.disks }

// wrapped is true when another process stays as the parent of the command.
func (g *Group) wrapped() bool { return g.host.namespaces && g.host.pids }

func (g *Group) command(s Spec) (*exec.Cmd, error) {
	h := g.host
	attr := &syscall.SysProcAttr{Setsid: true, Pdeathsig: syscall.SIGKILL} // a session of its own has no terminal
	if g.dirfd != nil {
		attr.UseCgroupFD, attr.CgroupFD = true, int(g.dirfd.Fd())
	}
	e := entry{Dir: s.Dir, Tmp: g.tmp, OpenFiles: s.OpenFiles, Command: s.Command, Env: s.Env}
	if !h.namespaces {
		if s.Root != "" {
			return nil, errors.New("run an image's root directory: this machine allows no mount namespaces; run sluice as root, or allow user namespaces")
		}
		e.Env = append(slices.Clone(s.Env), "TMPDIR="+g.tmp)
		return e.start(attr)
	}
	view := s.viewOfTmp()
	if err := g.place(view, s.Writable); err != nil {
		return nil, err
	}
	for _, p := range s.Scratch {
		if err := os.MkdirAll(g.reach(filepath.Join(g.tmp, "scratch", p)), 0o755); err != nil {
			return nil, err
		}
	}
	e.Namespaces, e.PIDs, e.User, e.ReadOnly, e.Root = true, h.pids, h.user && g.network == nil, s.ReadOnly, s.Root
	e.Task, e.Shown, e.Kept, e.Scratch, e.Hidden, e.Needed = s.Task, view.shown, s.Writable, s.Scratch, private(), s.needed()
	if g.network == nil {
		return e.start(h.namespace(attr, h.user))
	}
	e.Cloneable, e.Image = true, s.image
	return e.start(h.namespace(attr, false), g.network.files(s.snapshot)...)
}

// Lambda runs a function as this user, which an image of its own need not name. To
// the machine it is the user who runs sluice.
const (
	lambdaUser, lambdaGroup = 993, 990
	lambdaPasswd            = "sbx_user1051:x:993:990::/home/sbx_user1051:/sbin/nologin\n"
)

// namespace adds the namespaces to what a process is started with.
func (h *Host) namespace(attr *syscall.SysProcAttr, user bool) *syscall.SysProcAttr {
	attr.Cloneflags = syscall.CLONE_NEWNS | syscall.CLONE_NEWIPC
	if h.pids {
		attr.Cloneflags |= syscall.CLONE_NEWPID
	}
	if user {
		attr.Cloneflags |= syscall.CLONE_NEWUSER
		attr.UidMappings = []syscall.SysProcIDMap{{ContainerID: lambdaUser, HostID: os.Geteuid(), Size: 1}}
		attr.GidMappings = []syscall.SysProcIDMap{{ContainerID: lambdaGroup, HostID: os.Getegid(), Size: 1}}
		attr.AmbientCaps = []uintptr{unix.CAP_SYS_ADMIN, unix.CAP_SYS_CHROOT, unix.CAP_SETPCAP} // until the files are set up
	}
	return attr
}

// Terminate sends SIGTERM to the command and the process group it leads; the
// process in front of it ignores it.
func (p *Process) Terminate() error { return syscall.Kill(-p.PID(), syscall.SIGTERM) }
