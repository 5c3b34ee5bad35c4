package bootstrap_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/aproorg/sluice/internal/testkit"
)

// childrenOf lists the processes whose parent is pid, and those of them that are zombies.
func childrenOf(pid int) (all, zombies []int) {
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, file := range stats {
		stat, err := os.ReadFile(file)
		if err != nil {
			continue
		}
		fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
		if len(fields) < 2 || fields[1] != strconv.Itoa(pid) {
			continue
		}
		child, _ := strconv.Atoi(filepath.Base(filepath.Dir(file)))
		if all = append(all, child); fields[0] == "Z" {
			zombies = append(zombies, child)
		}
	}
	return all, zombies
}

// noZombies waits until pid has no child that has ended and was not waited for.
func noZombies(t *testing.T, pid int) {
	t.Helper()
	testkit.Wait(t, 5*time.Second, "the end of all zombies", func() (string, bool) {
		_, zombies := childrenOf(pid)
		return fmt.Sprint(zombies), len(zombies) == 0
	})
}

func onlyLinux(t *testing.T) {
	t.Helper()
	if runtime.GOOS != "linux" {
		t.Skip("only Linux gives a process its descendants' orphans; run on Linux: go test ./internal/bootstrap -run Orphans")
	}
}

// TestOrphansAreReaped: what the app leaves behind becomes no zombie, what it put into a session of its own outlives neither the app nor the
// bootstrap, and the app's own end is still known.
func TestOrphansAreReaped(t *testing.T) {
	onlyLinux(t)
	w := start(t, goApp("bin"))
	daemon, err := strconv.Atoi(strings.TrimSpace(w.do(get("/orphans")).body))
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		before := daemon
		if got := w.do(get("/crash")); got.status != 502 {
			t.Errorf("status %d", got.status)
		}
		if daemon, err = strconv.Atoi(strings.TrimSpace(w.do(get("/orphans")).body)); err != nil {
			t.Fatal(err)
		}
		if alive(before) {
			t.Errorf("the daemon %d of the app before lives", before)
		}
	}
	testkit.Wait(t, 5*time.Second, "the app and one daemon, none of them a zombie", func() (string, bool) {
		all, zombies := childrenOf(w.cmd.Process.Pid)
		return fmt.Sprint(all, zombies), len(all) == 2 && len(zombies) == 0
	})
	w.wantLogged("ended: exit status 7", 3)
	if !alive(daemon) {
		t.Error("a daemon of the app that runs has ended")
	}
	_ = w.cmd.Process.Signal(syscall.SIGTERM)
	w.wantEnd(5 * time.Second)
	testkit.Wait(t, 5*time.Second, "the daemon's end", func() (string, bool) { return "it lives", !alive(daemon) })
}

// TestPID1 runs the bootstrap as a container's first process.
func TestPID1(t *testing.T) {
	onlyLinux(t)
	inside := []string{"unshare", "--pid", "--fork", "--mount-proc", "--kill-child"}
	if out, err := exec.Command(inside[0], append(inside[1:], "true")...).CombinedOutput(); err != nil {
		t.Skipf("no PID namespace can be made (%v: %s); run as root: go test ./internal/bootstrap -run TestPID1", err, out)
	}
	w := startBy(t, inside, goApp("bin"))
	for range 3 {
		w.do(get("/orphans"))
	}
	all, _ := childrenOf(w.cmd.Process.Pid)
	if len(all) != 1 {
		t.Fatalf("processes of unshare: %v", all)
	}
	noZombies(t, all[0])
	if got := w.do(get("/crash")); got.status != 502 {
		t.Errorf("status %d", got.status)
	}
	if got := w.do(get("/get")); got.status != 200 {
		t.Errorf("after the app's end: status %d", got.status)
	}
	w.wantLogged("ended: exit status 7", 1)
	_ = syscall.Kill(all[0], syscall.SIGTERM)
	w.wantEnd(5 * time.Second)
}

// TestClosedOutput: nobody who reads the output is no reason to end.
func TestClosedOutput(t *testing.T) {
	bash, err := exec.LookPath("bash")
	if err != nil {
		t.Skip("needs bash; install it and run: go test ./internal/bootstrap -run TestClosedOutput")
	}
	w := startBy(t, []string{bash, "-c", `exec "$@" > >(exec true) 2>&1`, "bash"}, goApp("forks"))
	for range 3 {
		if got := w.do(get("/say")); got.status != 200 {
			t.Errorf("status %d", got.status)
		}
	}
	_ = w.cmd.Process.Signal(syscall.SIGTERM)
	w.wantEnd(5 * time.Second)
	if w.err != nil {
		t.Error(w.err)
	}
}
