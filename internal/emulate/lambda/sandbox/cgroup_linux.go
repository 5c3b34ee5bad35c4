package sandbox

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
)

// control is a group's cgroup, or nothing where there is none, and its disk. Interface files:
// https://docs.kernel.org/admin-guide/cgroup-v2.html
type control struct {
	disk *spawner // in whose mount namespace it is mounted; nil without one
	root string   // of that namespace, seen from here

	dir      string
	dirfd    *os.File
	oomKills int // before the processes that run now

	stopped []int // where there is no cgroup: the processes that got SIGSTOP; guarded by Group.mu
}

const cgroupPrefix = "sluice-"

// opened numbers the groups of this process.
var opened atomic.Int64

func (g *Group) open(name string) error {
	if g.limits.Disk > 0 && g.host.disks {
		if err := g.openDisk(); err != nil {
			return err
		}
	}
	if g.host.cgroup == "" {
		return nil
	}
	g.dir = filepath.Join(g.host.cgroup, fmt.Sprintf("%s%d-%d-%s", cgroupPrefix, os.Getpid(), opened.Add(1), name))
	if err := os.Mkdir(g.dir, 0o755); err != nil {
		return err
	}
	fd, err := os.Open(g.dir)
	if err != nil {
		return err
	}
	g.dirfd = fd
	return g.limitMemory()
}

// limitMemory holds the group to its memory if the kernel can. An older one knows
// not all of the files.
func (g *Group) limitMemory() error {
	if g.limits.Memory == 0 || !g.limited() {
		return nil
	}
	for file, value := range map[string]string{
		"memory.max": strconv.FormatInt(g.limits.Memory, 10), "memory.swap.max": "0", "memory.oom.group": "1",
	} {
		if err := g.set(file, value); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// spawner is who starts the group's processes.
func (g *Group) spawner() *spawner {
	if g.disk != nil {
		return g.disk
	}
	return g.host.spawner
}

func (g *Group) release() error { return errors.Join(g.closeDisk(), g.removeCgroup()) }

func (g *Group) removeCgroup() error {
	if g.dirfd == nil {
		return nil
	}
	g.dirfd.Close()
	g.dirfd = nil
	err := os.Remove(g.dir)
	for i := 0; i < 100 && errors.Is(err, syscall.EBUSY); i++ { // the last process is not reaped yet
		time.Sleep(5 * time.Millisecond)
		err = os.Remove(g.dir)
	}
	return err
}

func (g *Group) set(file, value string) error {
	f, err := os.OpenFile(filepath.Join(g.dir, file), os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteString(value)
	return errors.Join(err, f.Close())
}

func (g *Group) get(file string) string {
	b, _ := os.ReadFile(filepath.Join(g.dir, file))
	return string(b)
}

func (g *Group) limited() bool {
	if g.dirfd == nil {
		return false
	}
	_, err := os.Stat(filepath.Join(g.dir, "memory.max"))
	return err == nil
}

func (g *Group) oomKilled() bool { return g.oomCount() > g.oomKills }

func (g *Group) oomCount() int {
	n, _ := strconv.Atoi(field(g.get("memory.events"), "oom_kill"))
	return n
}

// forget starts the count of kills anew.
func (g *Group) forget() { g.oomKills = g.oomCount() }

// freeze is called with g.mu held. It does not wait until the kernel calls the
// group frozen, which on a busy machine is when each thread has been scheduled
// once more: the order alone keeps every thread from another instruction of its
// program, but for the moment an interrupt takes to reach another processor.
func (g *Group) freeze(on bool) error {
	if g.dirfd == nil {
		return g.stop(on)
	}
	if on {
		return g.set("cgroup.freeze", "1")
	}
	return g.set("cgroup.freeze", "0")
}

// field finds "key value" among lines.
func field(lines, key string) string {
	for line := range strings.Lines(lines) {
		if v, ok := strings.CutPrefix(line, key+" "); ok {
			return strings.TrimSpace(v)
		}
	}
	return ""
}

// cgroupPlaces lists the directories of the unified hierarchy in which cgroups
// may be made: beside our own cgroup if the memory controller is handed down
// there, then below our own.
func cgroupPlaces() []string {
	own := ownCgroup()
	if own == "" {
		return nil
	}
	parent := filepath.Dir(own)
	control, _ := os.ReadFile(filepath.Join(parent, "cgroup.subtree_control"))
	if bytes.Contains(control, []byte("memory")) {
		return []string{parent, own}
	}
	return []string{own}
}

// useCgroup takes the first place in which a process can be started and frozen.
func (h *Host) useCgroup() {
	for _, dir := range cgroupPlaces() {
		removeStale(dir)
		h.cgroup = dir
		if h.tryCgroup() == nil {
			return
		}
	}
	h.cgroup = ""
	h.missing("no cgroup v2 that this user may write to: processes are frozen with SIGSTOP, one by one, and memory is watched, not limited; on a machine with systemd start sluice by: systemd-run --user --scope sluice")
}

func (h *Host) tryCgroup() error {
	g, err := h.NewGroup("probe", os.TempDir(), Limits{})
	if err != nil {
		return err
	}
	_, err = g.Start(Spec{Command: []string{"sleep", "9"}, Env: []string{"PATH=" + os.Getenv("PATH")}})
	return errors.Join(err, g.Freeze(), g.Close())
}

// ownCgroup is the directory of this process in the unified hierarchy.
func ownCgroup() string {
	self, _ := os.ReadFile("/proc/self/cgroup")
	mounts, _ := os.ReadFile("/proc/self/mounts")
	for line := range strings.Lines(string(mounts)) {
		f := strings.Fields(line)
		if len(f) < 3 || f[2] != "cgroup2" {
			continue
		}
		for entry := range strings.Lines(string(self)) {
			if path, ok := strings.CutPrefix(strings.TrimSpace(entry), "0::"); ok {
				return filepath.Join(f[1], path)
			}
		}
	}
	return ""
}

// removeStale removes the empty cgroups of a sluice that was killed. Those of a
// living one are not touched.
func removeStale(dir string) {
	old, _ := filepath.Glob(filepath.Join(dir, cgroupPrefix+"*"))
	for _, path := range old {
		pid, _, _ := strings.Cut(strings.TrimPrefix(filepath.Base(path), cgroupPrefix), "-")
		n, err := strconv.Atoi(pid)
		if err == nil && syscall.Kill(n, 0) == syscall.ESRCH {
			os.Remove(path)
		}
	}
}
