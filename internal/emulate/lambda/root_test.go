package lambda_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/aproorg/sluice/internal/emulate/lambda"
)

// TestRoot runs a function in an unpacked image of one static program.
func TestRoot(t *testing.T) {
	if !isolates(start(t, nil)) {
		t.Skip("no mount namespaces here; run as root, or allow user namespaces")
	}
	root := t.TempDir()
	for _, dir := range []string{"app", "etc"} {
		if err := os.Mkdir(filepath.Join(root, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	build := exec.Command("go", "build", "-o", filepath.Join(root, "bootstrap"), "../emulatetest/testfunction/bootstrap")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	w := start(t, func(cfg *lambda.Config) {
		cfg.Process = lambda.Process{Command: []string{"/bootstrap"}, Root: root, Dir: "/app"}
	})
	for _, c := range []struct{ path, want string }{
		{"/tmp/x", "<nil>"},
		{"x", "read-only file system"}, // in the working directory
		{"/etc/x", "read-only file system"},
		{root + "/x", "no such file"},
	} {
		if got, failure := w.invoke(event{Do: "write", Path: c.path}); !strings.Contains(got, c.want) {
			t.Errorf("write %s: %s %s", c.path, got, failure)
		}
	}
	if got, _ := w.invoke(event{Do: "read", Path: "/proc/self/status"}); strings.HasPrefix(got, `"0`) {
		t.Errorf("/proc: %s", got)
	}
	entries, _ := os.ReadDir(root)
	names := make([]string, len(entries))
	for i, e := range entries {
		names[i] = e.Name()
	}
	if slices.Contains(names, "x") {
		t.Errorf("the image has changed: %v", names)
	}
}

// isolates is false where this machine has no mount namespaces, or no PID namespaces.
func isolates(w *world) bool {
	return !slices.ContainsFunc(w.em.Missing(), func(m string) bool {
		return strings.Contains(m, "no mount namespace") || strings.Contains(m, "no PID namespace")
	})
}

// TestTaskRoot: what LAMBDA_TASK_ROOT names is there, and holds the function.
func TestTaskRoot(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "of-the-function"), []byte("four"), 0o644); err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(dir, "bootstrap")
	if err := os.Link(self, program); err != nil {
		if err := copyFile(self, program); err != nil {
			t.Fatal(err)
		}
	}
	for name, change := range map[string]func(*lambda.Process){
		"an app's directory":   func(p *lambda.Process) { p.Dir = dir },
		"a function":           func(p *lambda.Process) { p.Task, p.Command = dir, []string{"./bootstrap"} },
		"a function, by path":  func(p *lambda.Process) { p.Task, p.Command = dir, []string{"/var/task/bootstrap"} },
		"a function elsewhere": func(p *lambda.Process) { p.Task, p.Dir = dir, "/" },
	} {
		w := start(t, func(cfg *lambda.Config) { change(&cfg.Process) })
		got, failure := w.invoke(event{Do: "task"})
		var answer struct{ Root, Dir, File string }
		if err := json.Unmarshal([]byte(got), &answer); err != nil || answer.File != "four" {
			t.Errorf("%s: %s %s", name, got, failure)
		}
		if hasRoot := !strings.Contains(strings.Join(w.em.Missing(), "\n"), "no mount namespaces"); hasRoot && answer.Root != "/var/task" || !hasRoot && answer.Root != dir {
			t.Errorf("%s: LAMBDA_TASK_ROOT is %s", name, answer.Root)
		}
		if name == "a function" && answer.Dir != answer.Root {
			t.Errorf("%s: it runs in %s", name, answer.Dir)
		}
		if got, _ := w.invoke(event{Do: "write", Path: answer.Root + "/x"}); !strings.Contains(got, "read-only file system") && answer.Root == "/var/task" {
			t.Errorf("%s: write: %s", name, got)
		}
	}
}

func copyFile(from, to string) error {
	b, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return os.WriteFile(to, b, 0o755)
}
