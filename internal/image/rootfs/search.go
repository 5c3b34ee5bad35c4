package rootfs

import (
	"archive/tar"
	"context"
	"errors"
	"io"
	"path"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// Search looks for paths in layers that it is given from the top down, and no
// further than needed: Done says that the layers below change nothing.
type Search struct {
	wanted []string
	found  map[string]byte // tar type
	gone   map[string]bool // hidden from the layers below
	left   int64           // of maxRead
}

// NewSearch looks for absolute paths.
func NewSearch(wanted []string) *Search {
	return &Search{wanted: wanted, found: map[string]byte{}, gone: map[string]bool{}, left: maxRead}
}

// Kind is the tar type of a path that the layers have, tar.TypeDir for a directory
// without an entry of its own.
func (s *Search) Kind(path string) (kind byte, ok bool) {
	kind, ok = s.found[path]
	return kind, ok
}

// Done tells whether each path was found, or hidden from the layers below.
func (s *Search) Done() bool {
	for _, path := range s.wanted {
		if _, ok := s.found[path]; !ok && !s.gone[path] {
			return false
		}
	}
	return true
}

// Layer reads the next layer down.
func (s *Search) Layer(ctx context.Context, layer v1.Layer) error {
	content, err := layer.Uncompressed()
	if err != nil {
		return err
	}
	defer content.Close()
	hidden := map[string]bool{}
	archive := tar.NewReader(bounded{content, &s.left})
	for !s.Done() {
		if err := ctx.Err(); err != nil {
			return err
		}
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		s.entry(header, hidden)
	}
	for path := range hidden {
		if _, ok := s.found[path]; !ok {
			s.gone[path] = true
		}
	}
	return nil
}

// entry notes a path, or those that a whiteout hides in the layers below.
func (s *Search) entry(header *tar.Header, hidden map[string]bool) {
	name := path.Join("/", header.Name)
	dir, base := path.Split(name)
	for _, path := range s.wanted {
		if _, ok := s.found[path]; ok || s.gone[path] {
			continue
		}
		switch {
		case path == name:
			s.found[path] = header.Typeflag
		case base == opaque && strings.HasPrefix(path, dir):
			hidden[path] = true
		case strings.HasPrefix(base, whiteout) && within(path, dir+strings.TrimPrefix(base, whiteout)):
			hidden[path] = true
		case under(name, path):
			s.found[path] = tar.TypeDir // it needs no entry of its own
		case under(path, name) && header.Typeflag != tar.TypeDir:
			hidden[path] = true
		}
	}
}
