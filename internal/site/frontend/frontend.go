// Package frontend opens a built front end where it lies: in a directory, or in the
// layers of an image, out of which it is taken once and verified each time that it is
// used. It leaves out which of the files are published, and how (package site).
package frontend

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/aproorg/sluice/internal/hint"
	"github.com/aproorg/sluice/internal/image/registry"
	"github.com/aproorg/sluice/internal/image/source"
	"github.com/aproorg/sluice/internal/tempdir"
)

// From says where a front end comes from.
type From struct {
	// Ref is a directory, or "image:REF", "oci:DIR" or "tar:FILE" for an image
	// that holds the site (see image.Options.Base).
	Ref string
	// Path is the directory in the image, and without meaning for a directory.
	Path string
	// Arch is the image's architecture. A site has none: when empty, any will do.
	Arch string
	// CacheDir keeps what was taken out of an image, by digest. Without it that
	// lies in a temporary directory until Close.
	// A site that was altered there since is discarded and taken out anew.
	CacheDir string
	Registry registry.Access
	// Warn, if set, is called with what Open has mended by itself.
	Warn func(error)
}

// A Source is an open site. Links that lead out of it cannot be read, nor
// devices, sockets and FIFOs.
type Source struct {
	// Digest is the image's, empty for a directory.
	Digest string
	root   *os.Root
	temp   string
}

// Close gives back what Open took.
func (s *Source) Close() error {
	err := s.root.Close()
	if s.temp != "" {
		err = errors.Join(err, os.RemoveAll(s.temp))
	}
	return err
}

// Open opens a site. One out of an image is unpacked first, alone, once per
// digest: all layers of the image are read for it.
func Open(ctx context.Context, from From) (*Source, error) {
	ref, registry := strings.CutPrefix(from.Ref, "image:")
	if !registry && !strings.HasPrefix(ref, "oci:") && !strings.HasPrefix(ref, "tar:") {
		return openDir(ref)
	}
	if from.Path == "" {
		return nil, fmt.Errorf("site of image %s: no directory in the image given", ref)
	}
	img, err := from.image(ctx, ref)
	if err != nil {
		return nil, err
	}
	digest, err := img.Digest()
	if err != nil {
		return nil, fmt.Errorf("image %s: %w", ref, err)
	}
	entry, temp, err := from.place(digest.Hex)
	if err != nil {
		return nil, err
	}
	dir, err := from.take(ctx, img, digest.String(), entry)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("site of image %s: %w", ref, err), os.RemoveAll(temp))
	}
	source, err := openDir(dir)
	if err != nil {
		return nil, err
	}
	source.Digest, source.temp = digest.String(), temp
	return source, nil
}

// image opens the one for Arch, or else for amd64, or else for arm64.
func (f From) image(ctx context.Context, ref string) (v1.Image, error) {
	if f.Arch != "" {
		return source.Open(ctx, ref, f.Arch, f.Registry)
	}
	img, err := source.Open(ctx, ref, "amd64", f.Registry)
	if err != nil {
		if other, otherErr := source.Open(ctx, ref, "arm64", f.Registry); otherErr == nil {
			return other, nil
		}
	}
	return img, err
}

// place is where the site out of the image goes, and what to remove later.
func (f From) place(digest string) (entry, temp string, err error) {
	if f.CacheDir == "" {
		temp, err := tempdir.Make("site")
		return filepath.Join(temp, "site"), temp, err
	}
	sum := sha256.Sum256([]byte(f.Path))
	return filepath.Join(f.CacheDir, "site", digest[:16]+"-"+hex.EncodeToString(sum[:4])), "", nil
}

func openDir(dir string) (*Source, error) {
	info, err := os.Stat(dir) // before it is opened: to open a FIFO waits for whoever writes to it
	if err != nil {
		return nil, fmt.Errorf("open the site: %w", err)
	}
	if !info.IsDir() {
		return nil, fmt.Errorf("open the site: %s is not a directory", dir)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("open the site: %w", err)
	}
	return &Source{root: root}, nil
}

// Open opens a file or directory, and never waits: what became a FIFO since
// it was looked at is an error too.
func (s *Source) Open(name string) (fs.File, error) {
	if !fs.ValidPath(name) {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrInvalid}
	}
	file, err := s.root.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK|syscall.O_NOCTTY, 0)
	if err != nil {
		return nil, err
	}
	info, err := file.Stat()
	if err == nil && !info.IsDir() {
		err = Regular(name, info)
	}
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return file, nil
}

// Stat follows links, and opens nothing.
func (s *Source) Stat(name string) (fs.FileInfo, error) { return fs.Stat(s.root.FS(), name) }

// ReadDir lists a directory in the order of names.
func (s *Source) ReadDir(name string) ([]fs.DirEntry, error) { return fs.ReadDir(s.root.FS(), name) }

// Regular refuses what is no file: to read it could wait for ever, or never end.
func Regular(path string, info fs.FileInfo) error {
	kind := "a special file"
	switch mode := info.Mode(); {
	case mode.IsRegular():
		return nil
	case mode&fs.ModeNamedPipe != 0:
		kind = "a FIFO"
	case mode&fs.ModeSocket != 0:
		kind = "a socket"
	case mode&fs.ModeDevice != 0:
		kind = "a device"
	case mode.IsDir():
		kind = "a directory"
	}
	return hint.With(fmt.Errorf("%s: is %s, and only files can be published", path, kind), "remove it, or name another directory")
}
