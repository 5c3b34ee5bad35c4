package sandbox

import (
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// pids lists the group's processes: those of the cgroup, else the trees below
// the processes that were started.
func (g *Group) pids() []int {
	if g.dirfd == nil {
		return g.tree()
	}
	var pids []int
	for f := range strings.FieldsSeq(g.get("cgroup.procs")) {
		if n, err := strconv.Atoi(f); err == nil {
			pids = append(pids, n)
		}
	}
	return pids
}

func (g *Group) tree() []int {
	children := map[int][]int{}
	dirs, _ := os.ReadDir("/proc")
	for _, d := range dirs {
		if pid, err := strconv.Atoi(d.Name()); err == nil {
			parent := parentOf(pid)
			children[parent] = append(children[parent], pid)
		}
	}
	return treeOf(g.roots(), children)
}

// parentOf reads the fourth field of /proc/PID/stat; the second, the name, is in
// parentheses and may hold anything.
func parentOf(pid int) int {
	b, _ := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	_, rest, _ := strings.Cut(string(b[max(strings.LastIndexByte(string(b), ')'), 0):]), ") ")
	f := strings.Fields(rest)
	if len(f) < 2 {
		return 0
	}
	n, _ := strconv.Atoi(f[1])
	return n
}

// usage sums the anonymous and shared memory of all processes, or takes the
// kernel's own count.
func (g *Group) usage() int64 {
	if g.limited() {
		var total int64
		for _, key := range []string{"anon", "shmem", "kernel"} {
			n, _ := strconv.ParseInt(field(g.get("memory.stat"), key), 10, 64)
			total += n
		}
		return total
	}
	var total int64
	for _, pid := range g.pids() {
		b, _ := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/status")
		total += kilobytes(string(b), "RssAnon:") + kilobytes(string(b), "RssShmem:")
	}
	return total
}

func kilobytes(status, key string) int64 {
	_, rest, _ := strings.Cut(status, key)
	f := strings.Fields(rest)
	if len(f) == 0 {
		return 0
	}
	n, _ := strconv.ParseInt(f[0], 10, 64)
	return n << 10
}

// kill sends SIGKILL to all until none is left, but not for ever. It does not use
// cgroup.kill: Linux 6.18 then also kills what is later started in the cgroup by
// clone3. The end of the first process of a PID namespace ends the rest.
func (g *Group) kill() {
	for range 100 {
		pids := g.pids()
		if g.dirfd == nil {
			pids = slices.Concat(g.roots(), pids)
		}
		for _, pid := range pids {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
		if len(pids) == 0 || g.dirfd == nil {
			return
		}
		time.Sleep(500 * time.Microsecond)
	}
}

// stop sends SIGSTOP until a look at the tree shows no process that has not got
// it: one may fork while the others are stopped.
func (g *Group) stop(on bool) error {
	if !on {
		for _, pid := range g.tree() {
			_ = syscall.Kill(pid, syscall.SIGCONT)
		}
		return nil
	}
	sent := map[int]bool{}
	for before := -1; len(sent) != before; {
		before = len(sent)
		for _, pid := range g.tree() {
			if !sent[pid] {
				sent[pid] = true
				_ = syscall.Kill(pid, syscall.SIGSTOP)
			}
		}
	}
	return nil
}
