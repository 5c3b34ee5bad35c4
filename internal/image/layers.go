package image

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// epoch is the time of each file that Build adds: clocks are not input.
var epoch = time.Unix(0, 0).UTC()

// layerOf packs entries into a gzip layer whose bytes follow from them alone.
func layerOf(mediaType types.MediaType, entries []tar.Header, content map[string][]byte) (v1.Layer, error) {
	packed, err := pack(entries, content)
	if err != nil {
		return nil, err
	}
	layer, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader(packed)), nil
	}, tarball.WithMediaType(mediaType))
	return plainLayer{layer}, err
}

// plainLayer hides the library's descriptor, whose empty set of annotations
// would not survive a round trip through JSON.
type plainLayer struct{ v1.Layer }

func pack(entries []tar.Header, content map[string][]byte) ([]byte, error) {
	var packed bytes.Buffer
	// The best level costs four times the time of each plan for one percent.
	zipper := gzip.NewWriter(&packed)
	archive := tar.NewWriter(zipper)
	for _, entry := range withParents(entries) {
		entry.Format, entry.ModTime = tar.FormatUSTAR, epoch
		entry.Size = int64(len(content[entry.Name]))
		if err := archive.WriteHeader(&entry); err != nil {
			return nil, fmt.Errorf("add %s: %w", entry.Name, err)
		}
		if _, err := archive.Write(content[entry.Name]); err != nil {
			return nil, fmt.Errorf("add %s: %w", entry.Name, err)
		}
	}
	if err := errors.Join(archive.Close(), zipper.Close()); err != nil {
		return nil, err
	}
	return packed.Bytes(), nil
}

// withParents puts each entry's directories before it and sorts by name:
// Lambda refuses a layer without them ("MissingParentDirectory"), although the
// layers below have them and Docker does not mind.
func withParents(entries []tar.Header) []tar.Header {
	all := slices.Clone(entries)
	seen := map[string]bool{}
	for _, entry := range entries {
		for dir := path.Dir(entry.Name); dir != "."; dir = path.Dir(dir) {
			if !seen[dir] {
				seen[dir] = true
				all = append(all, tar.Header{Typeflag: tar.TypeDir, Name: dir + "/", Mode: 0o755})
			}
		}
	}
	slices.SortFunc(all, func(a, b tar.Header) int { return strings.Compare(a.Name, b.Name) })
	return all
}

// appLayer holds what is added for the app. Files are for all to read.
func appLayer(mediaType types.MediaType, links []Link, files map[string][]byte) (v1.Layer, error) {
	var entries []tar.Header
	for _, link := range links {
		entries = append(entries, tar.Header{
			Typeflag: tar.TypeSymlink, Name: inTar(link.Path), Linkname: link.Target, Mode: 0o777,
		})
	}
	content := map[string][]byte{}
	for file, text := range files {
		content[inTar(file)] = text
		entries = append(entries, tar.Header{Typeflag: tar.TypeReg, Name: inTar(file), Mode: 0o644})
	}
	return layerOf(mediaType, entries, content)
}

func fileLayer(mediaType types.MediaType, file string, mode int64, content []byte) (v1.Layer, error) {
	name := inTar(file)
	entry := tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: mode}
	return layerOf(mediaType, []tar.Header{entry}, map[string][]byte{name: content})
}

// inTar is an absolute path as a layer spells it.
func inTar(absolute string) string { return strings.TrimPrefix(absolute, "/") }
