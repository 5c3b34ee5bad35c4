package image_test

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/aproorg/sluice/internal/image"
)

// TestReadCompileCache: what Node did not make, or did not finish, is left out.
func TestReadCompileCache(t *testing.T) {
	dir := t.TempDir()
	for name, content := range map[string]string{
		"v24.16.0-x64-cf738c9d-993/1f": "a", "v24.16.0-x64-cf738c9d-993/bfe36f9f": "b", "v25.0.0-nightly2025-arm64-1-0/0": "c",
		"v24.16.0-x64-cf738c9d-993/bfe36f9f.Xy12ab": "half", "v24.16.0-x64-cf738c9d-993/README": "x", "other/1f": "x", "README": "x",
	} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(secret, filepath.Join(dir, "v24.16.0-x64-cf738c9d-993/2f")); err != nil {
		t.Fatal(err)
	}
	files, err := image.ReadCompileCache(dir)
	want := []string{"v24.16.0-x64-cf738c9d-993/1f", "v24.16.0-x64-cf738c9d-993/bfe36f9f", "v25.0.0-nightly2025-arm64-1-0/0"}
	if got := slices.Sorted(maps.Keys(files)); err != nil || !slices.Equal(got, want) || string(files[want[1]]) != "b" {
		t.Errorf("%v, %v", got, err)
	}
	if err := os.Truncate(filepath.Join(dir, want[0]), 257<<20); err != nil {
		t.Fatal(err)
	}
	if _, err := image.ReadCompileCache(dir); err == nil || !strings.Contains(err.Error(), "larger than 256 MB") {
		t.Error(err)
	}
}
