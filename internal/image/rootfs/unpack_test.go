package rootfs

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/aproorg/sluice/internal/image/imagetest"
)

// Fixtures under the names that the tests here use.
var (
	dir, file, link = imagetest.Dir, imagetest.File, imagetest.Link
	layer, app      = imagetest.Layer, imagetest.App
)

// found lists a tree: files with their sizes, links with their targets.
func found(t *testing.T, root string) []string {
	var names []string
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || path == root {
			return err
		}
		name, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		switch entry.Type() {
		case fs.ModeDir:
			name += "/"
		case fs.ModeSymlink:
			target, err := os.Readlink(path)
			if err != nil {
				return err
			}
			name += " -> " + target
		}
		names = append(names, name)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

func TestUnpack(t *testing.T) {
	kind := types.OCILayer
	for _, test := range []struct {
		name   string
		layers []v1.Layer
		want   []string
	}{
		{"a file over a file", []v1.Layer{layer(t, kind, file("a", 1)), layer(t, kind, file("a", 2))}, []string{"a"}},
		{"a link over a directory", []v1.Layer{layer(t, kind, dir("a"), file("a/b", 1)), layer(t, kind, link("a", "/tmp"))}, []string{"a -> /tmp"}},
		{"a directory over a link", []v1.Layer{layer(t, kind, dir("b"), link("a", "b")), layer(t, kind, dir("a"), file("a/c", 1))}, []string{"a/", "a/c", "b/"}},
		{"a whiteout", []v1.Layer{layer(t, kind, dir("a"), file("a/b", 1), file("a/c", 1)), layer(t, kind, dir("a"), file("a/.wh.b", 0))}, []string{"a/", "a/c"}},
		{"a whiteout of a tree", []v1.Layer{layer(t, kind, dir("a"), dir("a/b"), file("a/b/c", 1)), layer(t, kind, file(".wh.a", 0))}, nil},
		{"an opaque directory", []v1.Layer{layer(t, kind, dir("a"), file("a/old", 1)), layer(t, kind, dir("a"), file("a/new", 1), file("a/.wh..wh..opq", 0))}, []string{"a/", "a/new"}},
		{"a whiteout before what replaces it", []v1.Layer{layer(t, kind, file("a", 1)), layer(t, kind, file(".wh.a", 0), dir("a"), file("a/b", 1))}, []string{"a/", "a/b"}},
		{"a whiteout after what replaces it", []v1.Layer{layer(t, kind, dir("a"), file("a/old", 1)), layer(t, kind, dir("a"), file("a/b", 1), file(".wh.a", 0))}, []string{"a/", "a/b", "a/old"}},
		{"a whiteout of nothing", []v1.Layer{layer(t, kind, file(".wh.a", 0))}, nil},
		{"through an absolute link", []v1.Layer{layer(t, kind, dir("run"), dir("var"), link("var/run", "/run")), layer(t, kind, file("var/run/pid", 1))}, []string{"run/", "run/pid", "var/", "var/run -> /run"}},
		{"through a link that climbs", []v1.Layer{layer(t, kind, dir("x"), link("x/up", "../../../../y")), layer(t, kind, file("x/up/z", 1))}, []string{"x/", "x/up -> ../../../../y", "y/", "y/z"}},
		{"names with a dot and a slash", []v1.Layer{layer(t, kind, dir("./a"), file("./a/b", 1), file("/c", 1))}, []string{"a/", "a/b", "c"}},
		{"no directory entries", []v1.Layer{layer(t, kind, file("a/b/c", 1))}, []string{"a/", "a/b/", "a/b/c"}},
		{"a hard link", []v1.Layer{layer(t, kind, file("a", 1), tar.Header{Typeflag: tar.TypeLink, Name: "b", Linkname: "a"})}, []string{"a", "b"}},
		{"a device", []v1.Layer{layer(t, kind, tar.Header{Typeflag: tar.TypeChar, Name: "null", Mode: 0o666}, file("a", 1))}, []string{"a"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			root := filepath.Join(t.TempDir(), "root")
			if _, err := Unpack(t.Context(), app(t, types.OCIManifestSchema1, "amd64", test.layers...), root); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, found(t, root)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestUnpackRefuses(t *testing.T) {
	kind := types.OCILayer
	for _, test := range []struct {
		name  string
		layer v1.Layer
		want  string
	}{
		{"a name that climbs", layer(t, kind, file("../evil", 1)), "climbs out"},
		{"a name that climbs from below", layer(t, kind, dir("a"), file("a/../../evil", 1)), "climbs out"},
		{"a whiteout that climbs", layer(t, kind, file("a/../../.wh.evil", 0)), "climbs out"},
		{"a whiteout of the parent", layer(t, kind, dir("a"), file("a/.wh...", 0)), "whiteout of no file"},
		{"a loop", layer(t, kind, link("a", "b"), link("b", "a"), file("a/c", 1)), "loop of symbolic links"},
		{"a loop of itself", layer(t, kind, link("a", "a/a"), file("a/c", 1)), "loop of symbolic links"},
		{"a hard link that climbs", layer(t, kind, tar.Header{Typeflag: tar.TypeLink, Name: "a", Linkname: "../../etc/passwd"}), "climbs out"},
		{"a hard link to nothing", layer(t, kind, tar.Header{Typeflag: tar.TypeLink, Name: "a", Linkname: "b"}), "hard link"},
		{"a hard link to a link", layer(t, kind, link("b", "/etc/passwd"), tar.Header{Typeflag: tar.TypeLink, Name: "a", Linkname: "b"}), "no file"},
		{"a file below a file", layer(t, kind, file("a", 1), file("a/b", 1)), "no directory"},
	} {
		t.Run(test.name, func(t *testing.T) {
			parent := t.TempDir()
			root := filepath.Join(parent, "root")
			_, err := Unpack(t.Context(), app(t, types.OCIManifestSchema1, "amd64", test.layer), root)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %q", err, test.want)
			}
			if left := found(t, parent); len(left) > 0 {
				t.Errorf("left %v", left)
			}
		})
	}
}

func TestUnpackKeepsWhatIsThere(t *testing.T) {
	root := t.TempDir()
	if err := os.WriteFile(filepath.Join(root, "mine"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := Unpack(t.Context(), app(t, types.OCIManifestSchema1, "amd64"), root); err == nil {
		t.Error("wrote among other files")
	}
}

func TestUnpackStopsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Unpack(ctx, app(t, types.OCIManifestSchema1, "amd64"), filepath.Join(t.TempDir(), "root")); err == nil {
		t.Error("no error")
	}
}

func TestModes(t *testing.T) {
	special := file("su", 1)
	special.Mode = 0o4755
	closed := dir("closed")
	closed.Mode = 0o555
	sticky := dir("tmp")
	sticky.Mode = 0o1777
	root := filepath.Join(t.TempDir(), "root")
	img := app(t, types.OCIManifestSchema1, "amd64", layer(t, types.OCILayer, special, closed, file("closed/in", 1), sticky))
	if _, err := Unpack(t.Context(), img, root); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]fs.FileMode{
		"su": 0o755, "closed": fs.ModeDir | 0o755, "tmp": fs.ModeDir | fs.ModeSticky | 0o777,
	} {
		info, err := os.Stat(filepath.Join(root, name))
		if err != nil || info.Mode() != want {
			t.Errorf("%s: mode %v, want %v (%v)", name, info.Mode(), want, err)
		}
	}
}

func TestExtract(t *testing.T) {
	kind := types.OCILayer
	img := app(t, types.OCIManifestSchema1, "amd64",
		layer(t, kind, dir("app"), dir("app/dist"), file("app/dist/old.js", 1), file("app/other", 1), file("app/distant", 1)),
		layer(t, kind, dir("app"), dir("app/dist"), file("app/dist/index.html", 1), file("app/dist/.wh.old.js", 0)))
	root := filepath.Join(t.TempDir(), "dist")
	counts, err := Extract(t.Context(), img, "/app/dist", root)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"index.html"}, found(t, root)); diff != "" || counts.Files != 2 {
		t.Errorf("%+v %s", counts, diff)
	}
	if _, err := Extract(t.Context(), img, "/app/none", filepath.Join(t.TempDir(), "x")); err == nil || !strings.Contains(err.Error(), "/app/none") {
		t.Errorf("got %v", err)
	}
}

// FuzzUnpack feeds any bytes as a layer. Whatever they say, nothing may appear
// beside the directory that was asked for.
func FuzzUnpack(f *testing.F) {
	for _, entries := range [][]tar.Header{
		{file("../evil", 0)}, {link("a", "/"), file("a/b", 0)}, {link("a", "../.."), file("a/b", 0)},
		{dir("a"), file("a/.wh..wh..opq", 0)}, {file(".wh...", 0)}, {link("a", "b"), link("b", "a"), dir("a/c")},
	} {
		var out bytes.Buffer
		archive := tar.NewWriter(&out)
		for _, entry := range entries {
			if err := archive.WriteHeader(&entry); err != nil {
				f.Fatal(err)
			}
		}
		archive.Close()
		f.Add(out.Bytes())
	}
	parent := f.TempDir()
	f.Fuzz(func(t *testing.T, content []byte) {
		img := layered{empty.Image, []v1.Layer{static.NewLayer(content, types.OCIUncompressedLayer)}}
		_, unpackErr := unpack(t.Context(), img, "/", filepath.Join(parent, "in", "root"), 1<<20)
		for _, name := range found(t, parent) {
			if name != "in/" && (unpackErr != nil || !strings.HasPrefix(name, "in/root/")) {
				t.Errorf("%q appeared, error %v", name, unpackErr)
			}
		}
		if err := os.RemoveAll(filepath.Join(parent, "in")); err != nil {
			t.Fatal(err)
		}
	})
}

// TestOrphanIsTold: what container engines take and Lambda refuses is unpacked, and said.
func TestOrphanIsTold(t *testing.T) {
	for name, entries := range map[string][]tar.Header{
		"":                {dir("app"), file("app/x", 1), dir("opt"), file("opt/.wh.y", 0)},
		"/app/x":          {dir("opt"), file("app/x", 1)},
		"/app/deep/x":     {dir("app"), file("app/deep/x", 1), dir("app/deep")},
		"/app/.wh.dir/in": {dir("app"), file("app/.wh.dir/in", 1)},
	} {
		counts, err := Unpack(t.Context(), app(t, types.OCIManifestSchema1, "amd64", layer(t, types.OCILayer, entries...)), filepath.Join(t.TempDir(), "root"))
		if err != nil {
			t.Fatal(err)
		}
		var orphan *OrphanError
		if errors.As(counts.Refused, &orphan) != (name != "") || orphan != nil && orphan.Path != name {
			t.Errorf("%v, want %q", counts.Refused, name)
		}
	}
}

// TestEndlessLayer: what a layer decompresses to is bounded, also where no file is written.
func TestEndlessLayer(t *testing.T) {
	endless := layer(t, types.OCILayer, file("large", 1<<20))
	root, err := os.OpenRoot(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	u := &unpacker{tree: tree{root}, from: "/elsewhere", maxSize: MaxSize, written: map[string]bool{}, left: 1 << 19}
	if err := u.layer(t.Context(), endless); !errors.Is(err, errEndless) {
		t.Errorf("unpacked: %v", err)
	}
	s := NewSearch([]string{"/absent"})
	s.left = 1 << 19
	if err := s.Layer(t.Context(), endless, false); !errors.Is(err, errEndless) {
		t.Errorf("searched: %v", err)
	}
}

// layered is an image whose layers nobody digests or compresses, which would cost
// more time than to unpack them.
type layered struct {
	v1.Image
	layers []v1.Layer
}

func (l layered) Layers() ([]v1.Layer, error) { return l.layers, nil }

func FuzzInside(f *testing.F) {
	for _, name := range []string{"a/b", "../etc/passwd", "/abs", "./a/./b", "a/../../b", "", "a\x00b", "..", "a/..b"} {
		f.Add(name)
	}
	f.Fuzz(func(t *testing.T, name string) {
		clean, err := inside(name)
		if err == nil && (!strings.HasPrefix(clean, "/") || strings.Contains(clean+"/", "/../")) {
			t.Errorf("%q became %q", name, clean)
		}
	})
}
