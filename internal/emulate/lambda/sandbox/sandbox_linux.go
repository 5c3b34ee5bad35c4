package sandbox

import (
	_ "embed"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

//go:embed sandbox.sh
var script string

// platform is what probe found out about a Linux machine.
type platform struct {
	sh, mount, unshare string
	namespaces         bool   // mount namespaces work
	pids               bool   // PID namespaces work, with a /proc of their own
	user               bool   // only inside a user namespace
	cgroup             string // directory to make cgroups in; empty without
}

// probe tries the best sandbox first and goes down from there.
func (h *Host) probe() {
	h.sh, _ = exec.LookPath("sh")
	h.mount, _ = exec.LookPath("mount")
	h.unshare, _ = exec.LookPath("unshare")
	h.user = os.Geteuid() != 0
	h.useCgroup()
	if h.sh == "" || h.mount == "" {
		h.missing("no sh or no mount command: no /tmp of its own (TMPDIR instead) and no read-only file system")
		return
	}
	h.namespaces, h.pids = true, true
	err := h.try()
	if err == nil {
		return
	}
	h.pids = false
	h.missing("no PID namespaces (%v): a process that leaves its process tree can outlive its environment", err)
	if err = h.try(); err != nil {
		h.namespaces = false
		h.missing("no mount namespaces (%v): no /tmp of its own (TMPDIR instead) and no read-only file system", err)
	}
}

// try runs the script around a command that does nothing.
func (h *Host) try() error {
	tmp, err := os.MkdirTemp("", "sluice-probe-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(tmp)
	g := &Group{host: h, tmp: tmp} // in no cgroup
	var lines []string
	p, err := g.Start(Spec{
		Command: []string{h.sh, "-c", ": > /tmp/probe && kill -0 $$"}, ReadOnly: true,
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

// wrapped is true when sh stays as the parent of the command.
func (g *Group) wrapped() bool { return g.host.namespaces && g.host.pids }

func (g *Group) command(s Spec) (*exec.Cmd, error) {
	h := g.host
	attr := &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if g.dirfd != nil {
		attr.UseCgroupFD, attr.CgroupFD = true, int(g.dirfd.Fd())
	}
	if !h.namespaces {
		return g.plain(s, attr)
	}
	if s.Root != "" && h.unshare == "" {
		return nil, errors.New("run an image's root directory: the unshare command (util-linux 2.37 or newer) is needed; install util-linux")
	}
	shown, err := g.shown(s)
	if err != nil {
		return nil, err
	}
	files := ""
	if s.OpenFiles > 0 {
		files = strconv.Itoa(s.OpenFiles)
	}
	args := []string{"-c", script, "sluice-sandbox", h.mount, h.unshare, yes(h.pids), g.tmp, s.Root, s.Dir, files, yes(s.ReadOnly)}
	args = append(append(args, strconv.Itoa(len(shown))), shown...)
	args = append(append(args, strconv.Itoa(len(s.Writable))), s.Writable...)
	for _, p := range s.Scratch {
		if err := os.MkdirAll(filepath.Join(g.tmp, "scratch", p), 0o755); err != nil {
			return nil, err
		}
	}
	args = append(append(args, strconv.Itoa(len(s.Scratch))), s.Scratch...)
	cmd := exec.Command(h.sh, append(args, s.Command...)...)
	cmd.SysProcAttr = h.namespace(attr)
	var handed string
	cmd.Env, handed = divide(s.Env)
	return cmd, handOver(cmd, handed)
}

// yes is how a switch reaches the script.
func yes(on bool) string {
	if on {
		return "yes"
	}
	return ""
}

// namespace adds the namespaces to what a process is started with.
func (h *Host) namespace(attr *syscall.SysProcAttr) *syscall.SysProcAttr {
	attr.Cloneflags = syscall.CLONE_NEWNS
	if h.pids {
		attr.Cloneflags |= syscall.CLONE_NEWPID
	}
	if h.user {
		attr.Cloneflags |= syscall.CLONE_NEWUSER
		attr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Geteuid(), Size: 1}}
		attr.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getegid(), Size: 1}}
	}
	return attr
}

// shown lists the paths below /tmp that the sandbox must not lose, and makes a
// place to mount each of them, and each writable one, in the new /tmp.
func (g *Group) shown(s Spec) ([]string, error) {
	var paths []string
	if s.Root == "" {
		paths = append(append(paths, s.Dir), s.Command...)
	}
	paths = slices.DeleteFunc(append(paths, s.Visible...), func(p string) bool {
		return !strings.HasPrefix(filepath.Clean(p), "/tmp/") || slices.Contains(s.Writable, p) || !exists(p)
	})
	slices.Sort(paths)
	paths = slices.Compact(paths)
	for _, p := range append(slices.Clone(paths), s.Writable...) {
		if rel, ok := strings.CutPrefix(p, "/tmp/"); ok {
			if err := placeholder(p, filepath.Join(g.tmp, rel)); err != nil {
				return nil, err
			}
		}
	}
	return paths, nil
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// placeholder makes at the path what can be mounted over with source.
func placeholder(source, path string) error {
	info, err := os.Stat(source)
	if err != nil {
		return err
	}
	if info.IsDir() {
		return os.MkdirAll(path, 0o755)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_CREATE, 0o644)
	if err != nil {
		return err
	}
	return f.Close()
}

// plain runs the command with no namespaces.
func (g *Group) plain(s Spec, attr *syscall.SysProcAttr) (*exec.Cmd, error) {
	if s.Root != "" {
		return nil, errors.New("run an image's root directory: this machine allows no mount namespaces; run sluice as root, or allow user namespaces")
	}
	command := s.Command
	if s.OpenFiles > 0 && g.host.sh != "" {
		limit := fmt.Sprintf(`ulimit -n %d; exec "$@"`, s.OpenFiles)
		command = append([]string{g.host.sh, "-c", limit, "sluice-sandbox"}, command...)
	}
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Dir, cmd.SysProcAttr = s.Dir, attr
	cmd.Env = append(append([]string(nil), s.Env...), "TMPDIR="+g.tmp)
	return cmd, nil
}

// Terminate sends SIGTERM to the command and the process group it leads; the
// shell in front of it ignores it.
func (p *Process) Terminate() error { return syscall.Kill(-p.PID(), syscall.SIGTERM) }
