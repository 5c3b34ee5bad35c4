package provider

import (
	"crypto/sha256"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/aproorg/sluice/internal/app/librechat/facts"
	"github.com/aproorg/sluice/internal/image"
	"github.com/aproorg/sluice/internal/image/registry"
	"github.com/aproorg/sluice/internal/image/rootfs"
	"github.com/aproorg/sluice/internal/image/source"
)

// What sluice_image pushes by its defaults has LibreChat's files, byte for byte,
// and the variable that leads to them; so has an image with links of its own,
// which may be LibreChat's too.
func TestPushedImageHasLibreChatsFiles(t *testing.T) {
	for name, links := range map[string][]image.Link{"default": nil, "own links": {{Path: "/app/uploads", Target: "/tmp/uploads"}}} {
		t.Run(name, func(t *testing.T) {
			options := defaults(t)
			if links != nil {
				options.Links = links
			}
			options.To = newRegistry(t) + "/app"
			planned, err := image.Compute(t.Context(), options)
			if err != nil {
				t.Fatal(err)
			}
			digest, err := planned.Digest()
			if err != nil {
				t.Fatal(err)
			}
			pushed, err := image.Build(t.Context(), options)
			if err != nil || pushed.Digest != digest.String() {
				t.Fatalf("planned %s, pushed %s, %v", digest, pushed.Digest, err)
			}
			holdsFiles(t, pushed.Reference)
		})
	}
}

func holdsFiles(t *testing.T, reference string) {
	t.Helper()
	img, err := source.Open(t.Context(), reference, "amd64", registry.Access{})
	if err != nil {
		t.Fatal(err)
	}
	root := filepath.Join(t.TempDir(), "root")
	if _, err := rootfs.Unpack(t.Context(), img, root); err != nil {
		t.Fatal(err)
	}
	config, err := img.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	files, environment := facts.ImageAdditions()
	for name, value := range environment {
		if !slices.Contains(config.Config.Env, name+"="+value) {
			t.Errorf("%s=%s is not in %q", name, value, config.Config.Env)
		}
	}
	for name, content := range files {
		got, err := os.ReadFile(filepath.Join(root, name))
		if err != nil || sha256.Sum256(got) != sha256.Sum256(content) {
			t.Errorf("%s: %v, %d bytes, want %d", name, err, len(got), len(content))
		}
		if info, err := os.Stat(filepath.Join(root, name)); err == nil && info.Mode().Perm()&0o444 != 0o444 {
			t.Errorf("%s is not for all to read: %v", name, info.Mode())
		}
	}
}
