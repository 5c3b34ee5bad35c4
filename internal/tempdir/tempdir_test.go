package tempdir

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

func TestDirectoriesOfTheKilledAreRemoved(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	dead := exec.Command("true")
	if err := dead.Run(); err != nil {
		t.Fatal(err)
	}
	at := func(format string, a ...any) string { return filepath.Join(os.TempDir(), fmt.Sprintf(format, a...)) }
	stale := []string{at("sluice-up-%d-1", dead.Process.Pid), at("sluice-state-%d-22", dead.Process.Pid)}
	keep := []string{at("sluice-up-%d-1", os.Getppid()), at("sluice-up-x-1"), at("sluice-state-1-2-3"), at("sluice-%d", dead.Process.Pid), at("other")}
	for _, dir := range append(keep, stale...) {
		if err := os.MkdirAll(filepath.Join(dir, "environments", "env-1"), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	made, err := Make("up")
	if err != nil {
		t.Fatal(err)
	}
	for _, dir := range append(keep, made) {
		if _, err := os.Stat(dir); err != nil {
			t.Error(err)
		}
	}
	for _, dir := range stale {
		if _, err := os.Stat(dir); !os.IsNotExist(err) {
			t.Errorf("%s is still there: %v", dir, err)
		}
	}
}
