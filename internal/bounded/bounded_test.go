package bounded

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestReadFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, []byte("12345678"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got, err := ReadFile(file, 8); string(got) != "12345678" || err != nil {
		t.Errorf("at the limit: %q, %v", got, err)
	}
	var large *TooLarge
	if got, err := ReadFile(file, 7); got != nil || !errors.As(err, &large) || !strings.Contains(err.Error(), file+": it is larger than 7 bytes") {
		t.Errorf("past the limit: %q, %v", got, err)
	}
	if _, err := ReadFile(file+"x", 7); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
	if _, err := ReadFile("/dev/zero", 1<<20); err == nil || !strings.Contains(err.Error(), "larger than 1 MB") {
		t.Errorf("no end: %v", err)
	}
}
