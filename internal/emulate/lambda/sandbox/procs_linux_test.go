package sandbox

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aproorg/sluice/internal/testkit"
)

// signalGroup is a group without a cgroup, with count processes in it.
func signalGroup(t testing.TB, g *Group, count int) {
	t.Helper()
	if g.dirfd != nil {
		_ = g.release()
	}
	var out output
	_, err := g.Start(Spec{Output: out.add, Env: []string{"PATH=" + os.Getenv("PATH")},
		Command: sh(fmt.Sprintf("for i in $(seq %d); do setsid sh -c 'echo up; sleep 60; true' & done; wait", count/2))})
	if err != nil {
		t.Fatal(err)
	}
	testkit.Wait(t, 10*time.Second, fmt.Sprintf("%d sleeping children of shells", count/2), func() (string, bool) {
		asleep := 0 // a shell that still waits for its child's program is in no state that a signal changes
		for _, pid := range g.scan() {
			if strings.Contains(stateForTest(pid), "(sleep) ") {
				asleep++
			}
		}
		return fmt.Sprintf("%d shells are up, %d children sleep", len(out.get()), asleep), asleep >= count/2
	})
}

// TestChildrenGiveTheSameTreeAsTheTable reads the tree in both ways.
func TestChildrenGiveTheSameTreeAsTheTable(t *testing.T) {
	g := newGroup(t)
	signalGroup(t, g, 20)
	testkit.Wait(t, 10*time.Second, "the same 20 processes both ways", func() (string, bool) { // the sleeps begin after their shells have spoken
		tree, scan := g.tree(), g.scan()
		slices.Sort(tree)
		slices.Sort(scan)
		return fmt.Sprintf("by lists of children %v, by the process table %v", tree, scan), len(tree) >= 20 && slices.Equal(tree, scan)
	})
}

// TestStoppedProcessesAreLetGo looks at the state of each process, also after a
// second round.
func TestStoppedProcessesAreLetGo(t *testing.T) {
	g := newGroup(t)
	signalGroup(t, g, 20)
	for range 2 {
		if err := g.Freeze(); err != nil {
			t.Fatal(err)
		}
		pids := g.scan()
		if len(pids) < 10 {
			t.Fatalf("only %d processes", len(pids))
		}
		settled(t, pids, true)
		if err := g.Thaw(); err != nil {
			t.Fatal(err)
		}
		settled(t, pids, false)
	}
}

func settled(t *testing.T, pids []int, stopped bool) {
	t.Helper()
	left := pids
	testkit.Wait(t, 10*time.Second, fmt.Sprintf("the state of %v, stopped: %v", pids, stopped), func() (string, bool) {
		left = slices.DeleteFunc(slices.Clone(left), func(pid int) bool {
			s := stateForTest(pid)
			return s == "" || strings.Contains(s, ") T ") == stopped
		})
		return fmt.Sprintf("%v in the other state", left), len(left) == 0
	})
}

// BenchmarkSignals shows what a freeze and a thaw by signals cost, as ratios to a
// look at the process table.
func BenchmarkSignals(b *testing.B) {
	h := NewHost(nil)
	defer h.Close()
	g, err := h.NewGroup("bench", b.TempDir(), Limits{})
	if err != nil {
		b.Fatal(err)
	}
	defer g.Close()
	signalGroup(b, g, 4)
	var scan, freeze, thaw time.Duration
	for b.Loop() {
		begin := time.Now()
		g.scan()
		scan += time.Since(begin)
		begin = time.Now()
		_ = g.Freeze()
		freeze += time.Since(begin)
		begin = time.Now()
		_ = g.Thaw()
		thaw += time.Since(begin)
	}
	b.ReportMetric(float64(freeze)/float64(scan), "freeze/scan")
	b.ReportMetric(float64(thaw)/float64(scan), "thaw/scan")
	b.ReportMetric(float64(thaw.Microseconds())/float64(b.N), "thaw-us")
}
