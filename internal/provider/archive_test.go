package provider

import (
	"archive/tar"
	"bytes"
	"maps"
	"path"
	"slices"
	"testing"
)

// archive packs files with their directories before them.
func archive(t *testing.T, files map[string]string) []byte {
	t.Helper()
	var out bytes.Buffer
	writer := tar.NewWriter(&out)
	seen := map[string]bool{}
	add := func(header tar.Header, text string) {
		header.Size = int64(len(text))
		if err := writer.WriteHeader(&header); err != nil {
			t.Fatal(err)
		}
		if _, err := writer.Write([]byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		var parents []string
		for dir := path.Dir(name); dir != "." && !seen[dir]; dir = path.Dir(dir) {
			seen[dir] = true
			parents = append(parents, dir)
		}
		for _, dir := range slices.Backward(parents) {
			add(tar.Header{Typeflag: tar.TypeDir, Name: dir + "/", Mode: 0o755}, "")
		}
		add(tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o644}, files[name])
	}
	if err := writer.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}
