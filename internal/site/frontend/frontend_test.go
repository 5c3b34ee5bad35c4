package frontend_test

import (
	"bytes"
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/aproorg/sluice/internal/image/imagetest"
	"github.com/aproorg/sluice/internal/site"
	"github.com/aproorg/sluice/internal/site/frontend"
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
		source, err := frontend.Open(t.Context(), frontend.From{Ref: clientImage(t, arch), Path: "/app/client/dist"})
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
	from := frontend.From{Ref: clientImage(t, "amd64"), Path: "/app/client/dist", CacheDir: t.TempDir()}
	for range 2 {
		source, err := frontend.Open(t.Context(), from)
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
	if _, err := frontend.Open(t.Context(), from); err == nil {
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

// What lies in the cache is used only as it came out of the image, and taken out anew otherwise.
func TestAlteredCache(t *testing.T) {
	const script = "site/assets/a.A1b2C3d4.js"
	for _, test := range []struct {
		name  string
		alter func(entry string) error
		warns string // empty: nothing is to mend
	}{
		{"untouched", func(string) error { return nil }, ""},
		{"a file altered, its size and time kept", func(entry string) error {
			path := filepath.Join(entry, script)
			info, err := os.Stat(path)
			return errors.Join(err, os.WriteFile(path, []byte("evil"), 0o644), os.Chtimes(path, info.ModTime(), info.ModTime()))
		}, "a.A1b2C3d4.js is another file"},
		{"a file removed", func(entry string) error { return os.Remove(filepath.Join(entry, script)) }, "a.A1b2C3d4.js is missing"},
		{"a file added", func(entry string) error { return os.WriteFile(filepath.Join(entry, "site/more.js"), nil, 0o644) }, "more.js was added"},
		{"a file replaced by a link", func(entry string) error {
			path := filepath.Join(entry, script)
			return errors.Join(os.Remove(path), os.Symlink("../index.html", path))
		}, "a.A1b2C3d4.js is another file"},
		{"a file replaced by a FIFO", func(entry string) error {
			path := filepath.Join(entry, script)
			return errors.Join(os.Remove(path), syscall.Mkfifo(path, 0o644))
		}, "a FIFO"},
		{"the page removed", func(entry string) error { return os.Remove(filepath.Join(entry, "site/index.html")) }, "index.html is missing"},
		{"all files removed", func(entry string) error { return os.RemoveAll(filepath.Join(entry, "site")) }, "no such file"},
		{"no manifest, as of earlier releases", func(entry string) error { return os.Remove(filepath.Join(entry, "manifest.json")) }, "manifest.json"},
		{"half a manifest", func(entry string) error { return os.Truncate(filepath.Join(entry, "manifest.json"), 40) }, "manifest.json"},
		{"an altered manifest", func(entry string) error {
			path := filepath.Join(entry, "manifest.json")
			text, err := os.ReadFile(path)
			return errors.Join(err, os.WriteFile(path, bytes.Replace(text, []byte("index.html"), []byte("index.htm_"), 1), 0o600))
		}, "manifest.json is damaged"},
		{"a FIFO for a manifest", func(entry string) error {
			path := filepath.Join(entry, "manifest.json")
			return errors.Join(os.Remove(path), syscall.Mkfifo(path, 0o600))
		}, "manifest.json is none"},
		{"a file for the whole", func(entry string) error {
			return errors.Join(os.RemoveAll(entry), os.WriteFile(entry, nil, 0o644))
		}, "not a directory"},
	} {
		t.Run(test.name, func(t *testing.T) {
			var warned []error
			from := frontend.From{Ref: clientImage(t, "amd64"), Path: "/app/client/dist", CacheDir: t.TempDir(),
				Warn: func(err error) { warned = append(warned, err) }}
			want := map[string]string{"index.html": "text", "assets/a.A1b2C3d4.js": "text"}
			if diff := cmp.Diff(want, contents(t, from)); diff != "" || warned != nil {
				t.Fatalf("the first time: %v %s", warned, diff)
			}
			entries, err := filepath.Glob(filepath.Join(from.CacheDir, "site", "*"))
			if err != nil || len(entries) != 1 {
				t.Fatalf("the cache holds %v, %v", entries, err)
			}
			if err := test.alter(entries[0]); err != nil {
				t.Fatal(err)
			}
			for range 2 { // once mended, it stays so
				if diff := cmp.Diff(want, contents(t, from)); diff != "" {
					t.Error(diff)
				}
			}
			if test.warns == "" && warned != nil || test.warns != "" && (len(warned) != 1 || !strings.Contains(warned[0].Error(), test.warns)) {
				t.Errorf("warned %v, want %q once", warned, test.warns)
			}
			if left, _ := filepath.Glob(filepath.Join(from.CacheDir, "site", "*")); !slices.Equal(left, entries) {
				t.Errorf("left %v", left)
			}
		})
	}
}

// An altered cache is not published where the image is gone.
func TestAlteredCacheWithoutItsImage(t *testing.T) {
	from := frontend.From{Ref: clientImage(t, "amd64"), Path: "/app/client/dist", CacheDir: t.TempDir()}
	contents(t, from)
	pages, err := filepath.Glob(filepath.Join(from.CacheDir, "site", "*", "site", "index.html"))
	if err != nil || len(pages) != 1 {
		t.Fatalf("found %v, %v", pages, err)
	}
	if err := os.WriteFile(pages[0], []byte("evil"), 0o644); err != nil {
		t.Fatal(err)
	}
	removeLayers(t, strings.TrimPrefix(from.Ref, "oci:"))
	if source, err := frontend.Open(t.Context(), from); err == nil {
		source.Close()
		t.Error("the altered page would be published")
	}
}

// contents opens a site and reads all of it.
func contents(t *testing.T, from frontend.From) map[string]string {
	t.Helper()
	source, err := frontend.Open(t.Context(), from)
	if err != nil {
		t.Fatal(err)
	}
	defer source.Close()
	found := map[string]string{}
	if err := fs.WalkDir(source, ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		text, err := fs.ReadFile(source, path)
		found[path] = string(text)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	return found
}

// Nothing that could be waited for is opened: the test would never end.
func TestSpecialFiles(t *testing.T) {
	for _, test := range []struct {
		name string
		make func(dir string) error
		want string // empty: it is left out, for it is hidden
	}{
		{"a FIFO", func(dir string) error { return syscall.Mkfifo(filepath.Join(dir, "pipe.js"), 0o644) }, "pipe.js: is a FIFO"},
		{"a FIFO in a directory", func(dir string) error {
			return errors.Join(os.Mkdir(filepath.Join(dir, "sub"), 0o755), syscall.Mkfifo(filepath.Join(dir, "sub", "pipe"), 0o644))
		}, "sub/pipe: is a FIFO"},
		{"a link to a FIFO", func(dir string) error {
			return errors.Join(syscall.Mkfifo(filepath.Join(dir, ".pipe"), 0o644), os.Symlink(".pipe", filepath.Join(dir, "link.txt")))
		}, "link.txt: is a FIFO"},
		{"a FIFO for the page", func(dir string) error {
			page := filepath.Join(dir, site.Index)
			return errors.Join(os.Remove(page), syscall.Mkfifo(page, 0o644))
		}, "index.html: is a FIFO"},
		{"a socket", func(dir string) error {
			listener, err := net.ListenUnix("unix", &net.UnixAddr{Net: "unix", Name: filepath.Join(dir, "s")})
			if err != nil {
				return err
			}
			listener.SetUnlinkOnClose(false)
			return listener.Close()
		}, "s: is a socket"},
		{"a device", func(dir string) error { return os.Symlink("/dev/zero", filepath.Join(dir, "zero.bin")) }, "zero.bin"},
		{"a link that leads out", func(dir string) error { return os.Symlink("/etc/hostname", filepath.Join(dir, "out.txt")) }, "out.txt"},
		{"a link that climbs out", func(dir string) error {
			return os.Symlink("../../../../../../etc/hostname", filepath.Join(dir, "out.txt"))
		}, "out.txt"},
		{"a link to nothing", func(dir string) error { return os.Symlink("absent", filepath.Join(dir, "none.txt")) }, "none.txt"},
		{"a link to a directory", func(dir string) error {
			return errors.Join(os.Mkdir(filepath.Join(dir, "sub"), 0o755), os.Symlink("sub", filepath.Join(dir, "same")))
		}, "same: is a link to a directory"},
		{"a hidden FIFO", func(dir string) error { return syscall.Mkfifo(filepath.Join(dir, ".pipe"), 0o644) }, ""},
		{"a hidden link that leads out", func(dir string) error { return os.Symlink("/etc", filepath.Join(dir, ".etc")) }, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			dir := t.TempDir()
			if err := errors.Join(os.WriteFile(filepath.Join(dir, site.Index), []byte("page"), 0o644), test.make(dir)); err != nil {
				t.Fatal(err)
			}
			source, err := frontend.Open(t.Context(), frontend.From{Ref: dir})
			if err != nil {
				t.Fatal(err)
			}
			defer source.Close()
			plan, err := site.MakePlan(t.Context(), site.Options{Source: source})
			switch {
			case test.want == "" && (err != nil || plan.Files != 1 || len(plan.LeftOut) != 1):
				t.Errorf("got %+v, %v", plan, err)
			case test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)):
				t.Errorf("got %v, want %q", err, test.want)
			}
		})
	}
}

// A link within the site is published under its own name.
func TestLinkWithin(t *testing.T) {
	dir := t.TempDir()
	if err := errors.Join(os.WriteFile(filepath.Join(dir, site.Index), []byte("page"), 0o644), os.Symlink(site.Index, filepath.Join(dir, "404.html"))); err != nil {
		t.Fatal(err)
	}
	source, err := frontend.Open(t.Context(), frontend.From{Ref: dir})
	if err != nil {
		t.Fatal(err)
	}
	defer source.Close()
	if plan, err := site.MakePlan(t.Context(), site.Options{Source: source}); err != nil || plan.Files != 2 {
		t.Errorf("got %+v, %v", plan, err)
	}
}

// What became a FIFO after it was looked at is an error, too.
func TestFileBecomesAFIFO(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "late.js")
	if err := syscall.Mkfifo(path, 0o644); err != nil {
		t.Fatal(err)
	}
	source, err := frontend.Open(t.Context(), frontend.From{Ref: dir})
	if err != nil {
		t.Fatal(err)
	}
	defer source.Close()
	if _, err := source.Open("late.js"); err == nil || !strings.Contains(err.Error(), "late.js: is a FIFO") {
		t.Errorf("got %v", err)
	}
	if _, err := frontend.Open(t.Context(), frontend.From{Ref: path}); err == nil || !strings.Contains(err.Error(), "is not a directory") {
		t.Errorf("got %v", err)
	}
	if _, err := frontend.Open(t.Context(), frontend.From{Ref: "tar:" + path, Path: "/srv"}); err == nil || !strings.Contains(err.Error(), "late.js is not a file") {
		t.Errorf("got %v", err)
	}
}

func TestImageWithoutASite(t *testing.T) {
	_, err := frontend.Open(t.Context(), frontend.From{Ref: clientImage(t, "amd64"), Path: "/srv/www"})
	if err == nil || !strings.Contains(err.Error(), "/srv/www") {
		t.Errorf("got %v", err)
	}
}
