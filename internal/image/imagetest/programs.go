package imagetest

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"io"
	"maps"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/aproorg/sluice/internal/testdeps"
)

// Programs is a layer of files, by their paths without the first slash, that
// everybody may read and run.
func Programs(t testing.TB, mediaType types.MediaType, files map[string][]byte) v1.Layer {
	t.Helper()
	layer, err := Files(mediaType, files)
	if err != nil {
		t.Fatal(err)
	}
	return layer
}

// Files is the same for where there is no test at hand.
func Files(mediaType types.MediaType, files map[string][]byte) (v1.Layer, error) {
	var out bytes.Buffer
	archive := tar.NewWriter(&out)
	for _, dir := range parents(files) {
		if err := archive.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: dir + "/", Mode: 0o755}); err != nil {
			return nil, err
		}
	}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		err := archive.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o755, Size: int64(len(files[name]))})
		if err == nil {
			_, err = archive.Write(files[name])
		}
		if err != nil {
			return nil, err
		}
	}
	if err := archive.Close(); err != nil {
		return nil, err
	}
	return tarball.LayerFromOpener(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(out.Bytes())), nil },
		tarball.WithMediaType(mediaType), tarball.WithCompressionLevel(gzip.BestSpeed))
}

// parents are the directories of files, each after the one that it lies in.
func parents(files map[string][]byte) []string {
	all := map[string]bool{}
	for name := range files {
		for dir := path.Dir(name); dir != "."; dir = path.Dir(dir) {
			all[dir] = true
		}
	}
	return slices.Sorted(maps.Keys(all))
}

// Node is this machine's Node, at usr/bin/node, with the libraries that it loads. The
// test is skipped where there is none.
func Node(t testing.TB) map[string][]byte {
	t.Helper()
	return NodeOf(t, testdeps.Node(t))
}

// NodeOf is another Node than this machine's, as Node is.
func NodeOf(t testing.TB, node string) map[string][]byte {
	t.Helper()
	linked, err := exec.CommandContext(t.Context(), "ldd", node).Output()
	if err != nil {
		t.Skipf("Node's libraries cannot be listed: %v", err)
	}
	from := map[string]string{"usr/bin/node": node}
	for _, word := range strings.Fields(string(linked)) {
		if filepath.IsAbs(word) {
			from[strings.TrimPrefix(word, "/")] = word
		}
	}
	files := map[string][]byte{}
	for name, path := range from {
		if files[name], err = os.ReadFile(path); err != nil {
			t.Fatal(err)
		}
	}
	return files
}
