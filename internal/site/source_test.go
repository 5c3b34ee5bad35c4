package site_test

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/aproorg/sluice/internal/image/imagetest"
	"github.com/aproorg/sluice/internal/site"
)

// clientImage is an OCI layout of an image with a built client.
func clientImage(t *testing.T, arch string) (ref string) {
	t.Helper()
	text := []byte("text")
	layer := imagetest.Programs(t, types.OCILayer, map[string][]byte{
		"app/client/dist/index.html": text, "app/client/dist/assets/a.A1b2C3d4.js": text, "app/api/server.js": text,
	})
	img := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON)
	img, err := mutate.ConfigFile(img, &v1.ConfigFile{OS: "linux", Architecture: arch, RootFS: v1.RootFS{Type: "layers"}})
	if err == nil {
		img, err = mutate.AppendLayers(img, layer)
	}
	if err != nil {
		t.Fatal(err)
	}
	return imagetest.Stored(t, img)
}

func TestOutOfAnImage(t *testing.T) {
	for _, arch := range []string{"amd64", "arm64"} {
		source, err := site.Open(t.Context(), site.From{Ref: clientImage(t, arch), Path: "/app/client/dist"})
		if err != nil {
			t.Fatal(err)
		}
		names, err := fs.Glob(source, "*/*")
		if err != nil || strings.Join(names, " ") != "assets/a.A1b2C3d4.js" {
			t.Errorf("found %v, %v", names, err)
		}
		if _, err := fs.Stat(source, "index.html"); err != nil {
			t.Error(err)
		}
		if err := source.Close(); err != nil {
			t.Error(err)
		}
	}
}

// The layers are read once: the second time they are not even there.
func TestOutOfAnImageOnce(t *testing.T) {
	from := site.From{Ref: clientImage(t, "amd64"), Path: "/app/client/dist", CacheDir: t.TempDir()}
	for range 2 {
		source, err := site.Open(t.Context(), from)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := fs.Stat(source, "index.html"); err != nil {
			t.Error(err)
		}
		if err := source.Close(); err != nil {
			t.Error(err)
		}
		removeLayers(t, strings.TrimPrefix(from.Ref, "oci:"))
	}
	from.Path = "/app/other"
	if _, err := site.Open(t.Context(), from); err == nil {
		t.Error("took another directory's files for these")
	}
}

func removeLayers(t *testing.T, dir string) {
	t.Helper()
	blobs, err := filepath.Glob(filepath.Join(dir, "blobs", "sha256", "*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, blob := range blobs {
		content, err := os.ReadFile(blob)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.HasPrefix(content, []byte{0x1f, 0x8b}) {
			if err := os.Remove(blob); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func TestImageWithoutASite(t *testing.T) {
	_, err := site.Open(t.Context(), site.From{Ref: clientImage(t, "amd64"), Path: "/srv/www"})
	if err == nil || !strings.Contains(err.Error(), "/srv/www") {
		t.Errorf("got %v", err)
	}
}
