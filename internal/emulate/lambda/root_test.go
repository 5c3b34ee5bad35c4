package lambda_test

import (
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
	if len(start(t, nil).em.Missing()) > 1 {
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
