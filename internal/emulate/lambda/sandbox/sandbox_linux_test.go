package sandbox

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aproorg/sluice/internal/testkit"
)

type output struct {
	mu    sync.Mutex
	lines []string
}

func (o *output) add(l string) { o.mu.Lock(); o.lines = append(o.lines, l); o.mu.Unlock() }
func (o *output) get() []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.Clone(o.lines)
}

func newGroup(t *testing.T) *Group {
	t.Helper()
	h := NewHost(nil)
	t.Cleanup(h.Close)
	for _, m := range h.Missing {
		t.Log(m)
	}
	g, err := h.NewGroup("test", t.TempDir(), Limits{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := g.Close(); err != nil {
			t.Error(err)
		}
	})
	return g
}

func run(t *testing.T, g *Group, s Spec) ([]string, Exit) {
	t.Helper()
	var out output
	s.Output = out.add
	s.Env = append(s.Env, "PATH="+os.Getenv("PATH"))
	p, err := g.Start(s)
	if err != nil {
		t.Fatal(err)
	}
	select {
	case <-p.Done():
	case <-time.After(time.Minute):
		t.Fatal("the process did not end")
	}
	return out.get(), p.Exit()
}

func sh(script string) []string { return []string{"sh", "-c", script} }

func TestExit(t *testing.T) {
	g := newGroup(t)
	for _, c := range []struct{ script, want string }{
		{"exit 0", "exit status 0"}, {"exit 3", "exit status 3"}, {"kill -9 $$", "signal: killed"},
	} {
		if _, exit := run(t, g, Spec{Command: sh(c.script)}); exit.String() != c.want {
			t.Errorf("%s: %s, want %s", c.script, exit, c.want)
		}
	}
}

// TestEnvironment: the command gets its variables to the letter, and nothing else in the sandbox has them in its environment.
func TestEnvironment(t *testing.T) {
	g := newGroup(t)
	if !g.host.pids {
		t.Skip("no PID namespaces here; run as root, or allow user namespaces: go test ./internal/emulate/lambda/sandbox -run TestEnvironment")
	}
	want := []string{"A='quoted' \"$HOME\" `x` \\", "B=two\nlines\n", "C=", "UID=7", "_X9=" + strings.Repeat("long", 10_000), "SECRET=s3cr3t", "dotted.name=1"}
	got, _ := run(t, g, Spec{Env: want, Command: []string{"/usr/bin/env", "-0"}})
	all := strings.Split(strings.Join(got, "\n"), "\x00")
	for _, entry := range want {
		if !slices.Contains(all, entry) && entry != "UID=7" && entry != "dotted.name=1" { // which depend on the shell
			t.Errorf("%.80q is not in the command's environment: %.2000q", entry, all)
		}
	}
	got, _ = run(t, g, Spec{Env: want, Command: sh("SECRET= exec cat /proc/[0-9]*/environ")})
	if len(got) == 0 || strings.Contains(strings.Join(got, "\n"), "s3cr3t") {
		t.Errorf("the environments in the sandbox: %.2000q", got)
	}
	if got, _ = run(t, g, Spec{Env: want, Command: sh("for n in 3 4; do [ ! -e /proc/self/fd/$n ] || echo $n; done")}); len(got) > 0 {
		t.Errorf("the command has the shell's files %q", got)
	}
}

// TestHost: what unshare can do here, the sandbox must find out that it can.
func TestHost(t *testing.T) {
	g := newGroup(t)
	args := []string{"--mount", "--pid", "--fork", "--mount-proc", "true"}
	if os.Geteuid() != 0 {
		args = append([]string{"--map-root-user"}, args...)
	}
	if out, err := exec.Command("unshare", args...).CombinedOutput(); err != nil {
		t.Skipf("no namespaces here (%v: %s); run as root, or allow user namespaces", err, out)
	}
	if !g.host.namespaces || !g.host.pids {
		t.Errorf("missing: %q", g.host.Missing)
	}
}

func TestFileSystem(t *testing.T) {
	g := newGroup(t)
	if !g.host.namespaces {
		t.Skip("no mount namespaces here; run as root, or: sudo sysctl kernel.unprivileged_userns_clone=1")
	}
	ro, rw := t.TempDir(), t.TempDir()
	out, _ := run(t, g, Spec{
		ReadOnly: true, Writable: []string{rw}, Dir: ro, OpenFiles: 1024,
		Command: sh("echo x >/tmp/mine && echo tmp; echo x >here || echo readonly; echo x >/etc/sluice-test || echo readonly; echo x >" +
			rw + "/kept && echo kept; pwd; ulimit -n; ls /proc | grep -c '^[0-9]'"),
	})
	out = slices.DeleteFunc(out, func(l string) bool { return strings.Contains(l, "Read-only") })
	want := []string{"tmp", "readonly", "readonly", "kept", ro, "1024"}
	if len(out) != len(want)+1 || !slices.Equal(out[:len(want)], want) {
		t.Errorf("got %q, want %q and a number of processes", out, want)
	}
	if n, _ := strconv.Atoi(out[len(out)-1]); g.host.pids && n > 5 {
		t.Errorf("the sandbox sees %d processes", n)
	}
	if _, err := os.Stat(filepath.Join(g.tmp, "mine")); err != nil {
		t.Error("the file in /tmp is not in the group's directory:", err)
	}
}

// TestScratch writes where a read-only image has links into /tmp.
func TestScratch(t *testing.T) {
	g := newGroup(t)
	if !g.host.namespaces {
		t.Skip("no mount namespaces here; run as root, or: sudo sysctl kernel.unprivileged_userns_clone=1")
	}
	app, elsewhere := t.TempDir(), "/var/tmp/sluice-scratch-test-"+strconv.Itoa(os.Getpid())
	logs, data := filepath.Join(app, "logs"), filepath.Join(elsewhere, "data")
	for _, dir := range []string{logs, data} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() { os.RemoveAll(elsewhere) })
	lines, exit := run(t, g, Spec{Dir: app, ReadOnly: true, Scratch: []string{logs, data}, Command: sh(
		"echo 1 >logs/a && echo 2 >" + data + "/b && cat /tmp/scratch" + logs + "/a /tmp/scratch" + data + "/b; touch x || echo read-only")})
	want := []string{"1", "2", "read-only"}
	if exit != (Exit{}) || len(lines) < 3 || !slices.Equal(append(slices.Clone(lines[:2]), lines[len(lines)-1]), want) {
		t.Errorf("%s: %q, want %q", exit, lines, want)
	}
	for _, dir := range []string{logs, data} {
		if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
			t.Errorf("%s holds %v, %v: it was written to", dir, left, err)
		}
	}
}

// TestFreeze counts the ticks of a process, and of a child in a session of its
// own, while the group is frozen.
func TestFreeze(t *testing.T) {
	for _, mode := range []string{"cgroup", "signals"} {
		t.Run(mode, func(t *testing.T) {
			g := newGroup(t)
			if mode == "cgroup" && g.dirfd == nil {
				t.Skip("no cgroup v2 to write to; run as root, or: systemd-run --user --scope go test ./internal/emulate/lambda/sandbox")
			}
			if mode == "signals" && g.dirfd != nil {
				_ = g.release()
			}
			var out output
			_, err := g.Start(Spec{Output: out.add, Env: []string{"PATH=" + os.Getenv("PATH")},
				Command: sh("setsid sh -c 'while :; do echo child; sleep 0.02; done' & while :; do echo parent; sleep 0.02; done")})
			if err != nil {
				t.Fatal(err)
			}
			testkit.Wait(t, 10*time.Second, "lines of the parent and the child", func() (string, bool) {
				l := out.get()
				return fmt.Sprintf("%q", l), slices.Contains(l, "child") && slices.Contains(l, "parent")
			})
			start := time.Now()
			if err := g.Freeze(); err != nil {
				t.Fatal(err)
			}
			t.Log("frozen in", time.Since(start), "processes", len(g.Processes()))
			time.Sleep(30 * time.Millisecond) // what was written before is read
			before := len(out.get())
			time.Sleep(200 * time.Millisecond) // ten lines of each, if they ran
			if after := len(out.get()); after != before || before < 2 {
				t.Errorf("%d lines before the freeze, %d after 200 ms of it", before, after)
			}
			if err := g.Thaw(); err != nil {
				t.Fatal(err)
			}
			testkit.Wait(t, 10*time.Second, "lines of both after the thaw", func() (string, bool) {
				lines := out.get()[before:]
				return fmt.Sprintf("%q", lines), slices.Contains(lines, "child") && slices.Contains(lines, "parent")
			})
			if g.Memory() <= 0 {
				t.Error("no memory in use")
			}
			pids := g.Processes()
			_ = g.Freeze()
			if err := g.Kill(); err != nil {
				t.Fatal(err)
			}
			testkit.Wait(t, 10*time.Second, "the end of all processes", func() (saw string, ok bool) {
				ok = true
				for _, pid := range pids {
					if s := stateForTest(pid); s != "" {
						saw, ok = saw+fmt.Sprintf("process %d lives: %s; ", pid, s), false
					}
				}
				return saw, ok
			})
		})
	}
}

func stateForTest(pid int) string {
	b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil || strings.Contains(string(b), ") Z ") {
		return ""
	}
	return string(b)
}
