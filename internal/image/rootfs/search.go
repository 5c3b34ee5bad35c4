package rootfs

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
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
	size   int64           // of the files in layers that were read whole
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

// OrphanError is an entry of a layer that the directories it lies in do not come before.
// Lambda refuses such a layer (InvalidImage: MissingParentDirectory), whatever the layers
// below it hold; container engines make the directories.
// https://github.com/aws/aws-lambda-web-adapter/issues/236,
// https://github.com/aspect-build/rules_aws/issues/103,
// https://github.com/nlewo/nix2container/issues/54
type OrphanError struct{ Path string }

func (e *OrphanError) Error() string {
	return fmt.Sprintf("%s comes without an entry for its directory before it: Lambda refuses that (MissingParentDirectory)", e.Path)
}

// listing are the entries of a layer so far, as absolute paths.
type listing map[string]bool

// add fails with an *OrphanError. A whiteout is no file: what it needs of its directory is
// not known.
func (l listing) add(name string) error {
	name = path.Join("/", name)
	if strings.HasPrefix(path.Base(name), whiteout) {
		return nil
	}
	if !l[path.Dir(name)] {
		return &OrphanError{name}
	}
	l[name] = true
	return nil
}

// Layer reads the next layer down, as far as it is needed, or whole to find what Lambda
// would refuse of it: an *OrphanError, or more than MaxSize in all layers.
func (s *Search) Layer(ctx context.Context, layer v1.Layer, whole bool) error {
	content, err := layer.Uncompressed()
	if err != nil {
		return err
	}
	defer content.Close()
	hidden, listed := map[string]bool{}, listing{"/": true}
	archive := tar.NewReader(bounded{content, &s.left})
	for whole || !s.Done() {
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
		if !whole {
			continue
		}
		if err := listed.add(header.Name); err != nil {
			return err
		}
		if s.size += header.Size; s.size > MaxSize {
			return errOverLimit
		}
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
