package sandbox

// roots are the processes that were started in the group and have not ended.
// They stay in a tree even when the process table has lost sight of them.
func (g *Group) roots() []int {
	g.list.Lock()
	defer g.list.Unlock()
	var pids []int
	for _, p := range g.procs {
		select {
		case <-p.done:
		default:
			pids = append(pids, p.PID())
		}
	}
	return pids
}

// treeOf lists the roots and everything below them, parents first.
func treeOf(roots []int, children map[int][]int) []int {
	seen := map[int]bool{}
	queue := append([]int(nil), roots...)
	var out []int
	for len(queue) > 0 {
		pid := queue[0]
		queue = queue[1:]
		if seen[pid] {
			continue
		}
		seen[pid] = true
		out = append(out, pid)
		queue = append(queue, children[pid]...)
	}
	return out
}
