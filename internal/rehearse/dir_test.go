package rehearse

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
	stale := filepath.Join(os.TempDir(), fmt.Sprintf("%s%d-1", dirPrefix, dead.Process.Pid))
	keep := []string{
		filepath.Join(os.TempDir(), fmt.Sprintf("%s%d-1", dirPrefix, os.Getppid())),
		filepath.Join(os.TempDir(), dirPrefix+"x-1"),
		filepath.Join(os.TempDir(), "other"),
	}
	for _, dir := range append(keep, stale) {
		if err := os.MkdirAll(filepath.Join(dir, "environments", "env-1"), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	made, err := makeDir()
	if err != nil {
		t.Fatal(err)
	}
	for _, dir := range append(keep, made) {
		if _, err := os.Stat(dir); err != nil {
			t.Error(err)
		}
	}
	if _, err := os.Stat(stale); !os.IsNotExist(err) {
		t.Errorf("%s is still there: %v", stale, err)
	}
}
