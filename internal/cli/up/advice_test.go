package up

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestHiddenBeside(t *testing.T) {
	parent, err := os.MkdirTemp("/tmp", "sluice-beside-")
	if err != nil {
		t.Skip(err)
	}
	t.Cleanup(func() { os.RemoveAll(parent) })
	app := filepath.Join(parent, "server")
	if err := os.Mkdir(app, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{app, parent, "/usr/bin", "."} {
		if note := hiddenBeside(dir); note != "" {
			t.Errorf("%s: %s", dir, note)
		}
	}
	if err := os.Mkdir(filepath.Join(parent, "shared"), 0o700); err != nil {
		t.Fatal(err)
	}
	if note := hiddenBeside(app); !strings.Contains(note, app) || !strings.Contains(note, "nothing beside it") {
		t.Errorf("note %q", note)
	}
}
