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

// tree asks the kernel for the children of each process, which is quick; where
// it was built without such lists, it reads the whole process table. A list is
// only sure to be complete when its process is stopped.
// https://man7.org/linux/man-pages/man5/proc_tid_children.5.html
func (g *Group) tree() []int {
	self := strconv.Itoa(os.Getpid())
	if _, err := os.Stat("/proc/" + self + "/task/" + self + "/children"); err != nil {
		return g.scan()
	}
	out := g.roots()
	seen := map[int]bool{}
	for i := 0; i < len(out); i++ {
		for _, child := range childrenOf(out[i]) {
			if !seen[child] {
				seen[child] = true
				out = append(out, child)
			}
		}
	}
	return out
}

// childrenOf reads the list of each thread: a child belongs to the one that made it.
func childrenOf(pid int) []int {
	dir := "/proc/" + strconv.Itoa(pid) + "/task"
	threads, _ := os.ReadDir(dir)
	var children []int
	for _, t := range threads {
		b, _ := os.ReadFile(dir + "/" + t.Name() + "/children")
		for f := range strings.FieldsSeq(string(b)) {
			if n, err := strconv.Atoi(f); err == nil {
				children = append(children, n)
			}
		}
	}
	return children
}

// scan finds the tree in the process table.
func (g *Group) scan() []int {
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
// kernel's own count. The process that waits for the command is no part of the
// function.
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
	waiting := g.roots()
	for _, pid := range g.pids() {
		if g.wrapped() && slices.Contains(waiting, pid) {
			continue
		}
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
		var pids []int
		if g.dirfd != nil {
			pids = g.pids()
		} else {
			pids = slices.Concat(g.roots(), g.scan())
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
// it: one may fork while the others are stopped. What is stopped makes no other
// process, so that those which are let go are known.
func (g *Group) stop(on bool) error {
	if !on {
		for _, pid := range g.stopped {
			_ = syscall.Kill(pid, syscall.SIGCONT)
		}
		g.stopped = nil
		return nil
	}
	sent := map[int]bool{}
	for before := -1; len(sent) != before; {
		before = len(sent)
		for _, pid := range g.tree() {
			if !sent[pid] {
				sent[pid] = true
				g.stopped = append(g.stopped, pid)
				_ = syscall.Kill(pid, syscall.SIGSTOP)
			}
		}
	}
	return nil
}
