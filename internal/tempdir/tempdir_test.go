package tempdir

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// TestMain is also the process that owns a directory until it is killed.
func TestMain(m *testing.M) {
	if os.Getenv("SLUICE_TEST_OWNER") == "" {
		os.Exit(m.Run())
	}
	dir, err := Make("up")
	fmt.Println(dir, err)
	time.Sleep(time.Minute) // it is killed before
}

// owner starts a process with a directory of its own, in a PID namespace of its
// own if asked for.
func owner(t *testing.T, namespace bool) (string, *exec.Cmd) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "SLUICE_TEST_OWNER=1")
	if namespace {
		apart(t, cmd)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		if namespace {
			t.Skipf("no PID namespaces here (%v); run as root, or: sudo sysctl kernel.unprivileged_userns_clone=1", err)
		}
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	line, err := bufio.NewReader(out).ReadString('\n')
	var dir string
	if _, scan := fmt.Sscanf(line, "%s <nil>\n", &dir); err != nil || scan != nil {
		t.Fatalf("%q: %v, %v", line, err, scan)
	}
	return dir, cmd
}

func TestDirectoriesOfTheKilledAreRemoved(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	dead := exec.Command("true")
	if err := dead.Run(); err != nil {
		t.Fatal(err)
	}
	at := func(format string, a ...any) string { return filepath.Join(os.TempDir(), fmt.Sprintf(format, a...)) }
	stale := []string{at("sluice-up-%d-1", dead.Process.Pid), at("sluice-state-%d-22", dead.Process.Pid), at("sluice-up-%d-2", os.Getppid())}
	keep := []string{at("sluice-up-%d-1", os.Getppid()), at("sluice-up-x-1"), at("sluice-state-1-2-3"), at("sluice-%d", dead.Process.Pid), at("other")}
	for _, dir := range append(keep, stale...) {
		if err := os.MkdirAll(filepath.Join(dir, "environments", "env-1"), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	old := time.Now().Add(-25 * time.Hour) // its owner's id was taken again
	if err := os.Chtimes(stale[2], old, old); err != nil {
		t.Fatal(err)
	}
	made, err := Make("up")
	if err != nil {
		t.Fatal(err)
	}
	exist(t, append(keep, made)...)
	gone(t, stale...)
}

// TestOwnerInAnotherNamespace: there the owner has the id 1 or 7, and here that is
// another process or none.
func TestOwnerInAnotherNamespace(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	dir, cmd := owner(t, true)
	var pid int
	if _, err := fmt.Sscanf(filepath.Base(dir), "sluice-up-%d-", &pid); err != nil || pid == cmd.Process.Pid {
		t.Fatalf("%s: %v; the process is in no other namespace", dir, err)
	}
	// The id that it has there is that of a process that has ended here.
	dead := exec.Command("true")
	if err := dead.Run(); err != nil {
		t.Fatal(err)
	}
	renamed := filepath.Join(os.TempDir(), fmt.Sprintf("sluice-up-%d-5", dead.Process.Pid))
	if err := os.Rename(dir, renamed); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if _, err := Make("up"); err != nil {
			t.Fatal(err)
		}
	}
	exist(t, renamed)
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	if _, err := Make("up"); err != nil {
		t.Fatal(err)
	}
	gone(t, renamed)
}

func TestOwnerThatWasKilled(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	dir, cmd := owner(t, false)
	if _, err := Make("up"); err != nil {
		t.Fatal(err)
	}
	exist(t, dir)
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	if _, err := Make("up"); err != nil {
		t.Fatal(err)
	}
	gone(t, dir)
}

// TestBeside: of what was left beside a path, what is old and unlocked goes.
func TestBeside(t *testing.T) {
	path := filepath.Join(t.TempDir(), "entry")
	locked, err := Beside(path)
	if err != nil {
		t.Fatal(err)
	}
	old, young := path+".partial-1", path+".partial-2"
	for _, dir := range []string{old, young, path + ".other"} {
		if err := os.MkdirAll(filepath.Join(dir, "sub"), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	long := time.Now().Add(-2 * time.Hour)
	for _, dir := range []string{old, locked, path + ".other"} {
		if err := os.Chtimes(dir, long, long); err != nil {
			t.Fatal(err)
		}
	}
	next, err := Beside(path)
	if err != nil {
		t.Fatal(err)
	}
	exist(t, locked, young, next, path+".other")
	gone(t, old)
}

// TestNothingIsHeldForLong: a directory that was removed costs no file any more.
func TestNothingIsHeldForLong(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	for range 10 {
		dir, err := Make("up")
		if err != nil {
			t.Fatal(err)
		}
		if err := os.RemoveAll(dir); err != nil {
			t.Fatal(err)
		}
	}
	mu.Lock()
	defer mu.Unlock()
	if len(held) > 5 { // the other tests' are removed, too, or few
		t.Errorf("%d are held", len(held))
	}
}

func exist(t *testing.T, dirs ...string) {
	t.Helper()
	for _, dir := range dirs {
		if _, err := os.Stat(dir); err != nil {
			t.Error(err)
		}
	}
}

func gone(t *testing.T, dirs ...string) {
	t.Helper()
	for _, dir := range dirs {
		if _, err := os.Stat(dir); !os.IsNotExist(err) {
			t.Errorf("%s is still there: %v", dir, err)
		}
	}
}
