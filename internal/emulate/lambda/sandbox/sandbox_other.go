//go:build !linux

package sandbox

import (
	"errors"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
)

type platform struct{}

type control struct{}

func (h *Host) probe() {
	h.missing("not Linux: no mount namespaces, so no /tmp of its own (TMPDIR instead, as large as the disk that it lies on), no read-only file system, no PID namespace; processes are frozen with SIGSTOP, one by one, and memory is watched, not limited")
}

// Check refuses nothing: processes see the machine's /tmp.
func (h *Host) Check(Spec, []string) error { return nil }

// HasTaskRoot reports whether processes can see their Task at TaskRoot.
func (h *Host) HasTaskRoot() bool { return false }

// Disks reports whether a group's /tmp has the size that it is to have.
func (h *Host) Disks() bool { return false }

func (g *Group) spawner() *spawner { return g.host.spawner }
func (g *Group) open(string) error { return nil }
func (g *Group) release() error    { return nil }
func (g *Group) wrapped() bool     { return false }
func (g *Group) limited() bool     { return false }
func (g *Group) oomKilled() bool   { return false }
func (g *Group) forget()           {}

func (g *Group) command(s Spec) (*exec.Cmd, error) {
	if s.Root != "" {
		return nil, errors.New("run an image's root directory: only Linux can")
	}
	cmd := exec.Command(s.Command[0], s.Command[1:]...)
	cmd.Dir = s.Dir
	cmd.Env = append(append([]string(nil), s.Env...), "TMPDIR="+g.tmp)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	return cmd, nil
}

// table asks ps for pid, parent and resident kilobytes of every process.
func table() (children map[int][]int, rss map[int]int64) {
	children, rss = map[int][]int{}, map[int]int64{}
	out, _ := exec.Command("ps", "-A", "-o", "pid=,ppid=,rss=").Output()
	for line := range strings.Lines(string(out)) {
		f := strings.Fields(line)
		if len(f) != 3 {
			continue
		}
		pid, _ := strconv.Atoi(f[0])
		parent, _ := strconv.Atoi(f[1])
		kb, _ := strconv.ParseInt(f[2], 10, 64)
		children[parent] = append(children[parent], pid)
		rss[pid] = kb << 10
	}
	return children, rss
}

func (g *Group) pids() []int {
	children, _ := table()
	return treeOf(g.roots(), children)
}

func (g *Group) usage() int64 {
	children, rss := table()
	var total int64
	for _, pid := range treeOf(g.roots(), children) {
		total += rss[pid]
	}
	return total
}

func (g *Group) kill() {
	for _, pid := range g.pids() {
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}
}

// freeze stops parents before their children, twice: a child may have been
// forked between the look and the signal.
func (g *Group) freeze(on bool) error {
	if !on {
		for _, pid := range g.pids() {
			_ = syscall.Kill(pid, syscall.SIGCONT)
		}
		return nil
	}
	for range 2 {
		for _, pid := range g.pids() {
			_ = syscall.Kill(pid, syscall.SIGSTOP)
		}
	}
	return nil
}

// Terminate sends SIGTERM to the process group that the process leads.
func (p *Process) Terminate() error { return syscall.Kill(-p.PID(), syscall.SIGTERM) }
