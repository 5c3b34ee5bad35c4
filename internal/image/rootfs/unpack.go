// Package rootfs reads the root file system that an image's layers make: it writes
// it to a directory, whole or one directory of it, or looks for paths in it. Layers
// are hostile input: nothing is written outside the directory.
//
// It leaves out where the image comes from, and runs nothing from it.
package rootfs

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/aproorg/sluice/internal/image/registry"
	"github.com/aproorg/sluice/internal/tempdir"
)

// Whiteouts, by which a layer removes what lies below it.
// https://github.com/opencontainers/image-spec/blob/main/layer.md
const (
	whiteout = ".wh."
	opaque   = ".wh..wh..opq"
)

// MaxSize is Lambda's limit for an image, in bytes, over all layers unpacked.
// https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
const MaxSize = 10 << 30

var errOverLimit = errors.New("the image is over 10 GB unpacked, which is Lambda's limit")

// maxEntries bounds what a small, hostile layer can ask of a disk.
const maxEntries = 2_000_000

// maxRead bounds what is decompressed of an image: its files and, for each entry, what an archive says of it. A layer of
// a few megabytes could else keep a processor busy for days.
const maxRead = MaxSize + maxEntries*2048

// errEndless is what a layer ends with that decompresses to more.
var errEndless = fmt.Errorf("the layers decompress to more than %d GB", maxRead>>30)

// bounded reads a layer as far as is left of what its image may take.
type bounded struct {
	content io.Reader
	left    *int64
}

func (b bounded) Read(p []byte) (int, error) {
	if *b.left <= 0 {
		return 0, errEndless
	}
	n, err := b.content.Read(p[:min(int64(len(p)), *b.left)])
	*b.left -= int64(n)
	return n, err
}

// Counts counts what Unpack or Extract wrote.
type Counts struct {
	Files   int   `json:"files"`
	Links   int   `json:"links"`
	Bytes   int64 `json:"bytes"`
	Skipped int   `json:"skipped"` // devices and pipes, which Lambda has none of
	// Refused is the first *OrphanError among the layers, for which Lambda would refuse the image; nil without one.
	Refused error `json:"-"`
}

// Unpack writes the image's root file system to dir, which must be empty or
// absent, and appears only when it is complete. Nothing is written outside dir:
// a name that climbs out, or a loop of symbolic links on the way, is an error.
// Set-id bits and devices are left out, and owners too unless run as root.
func Unpack(ctx context.Context, img v1.Image, dir string) (Counts, error) {
	return unpack(ctx, img, "/", dir, MaxSize)
}

// Extract writes one directory of the image, such as /app/client/dist, to dir,
// under the rules of Unpack. It reads all layers, because each may change it.
func Extract(ctx context.Context, img v1.Image, from, dir string) (Counts, error) {
	return unpack(ctx, img, path.Join("/", from), dir, MaxSize)
}

func unpack(ctx context.Context, img v1.Image, from, dir string, maxSize int64) (_ Counts, err error) {
	dir = filepath.Clean(dir)
	if entries, err := os.ReadDir(dir); err == nil && len(entries) > 0 {
		return Counts{}, fmt.Errorf("unpack image: %s is not empty", dir)
	}
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return Counts{}, fmt.Errorf("unpack image: %w", err)
	}
	partial, err := tempdir.Beside(dir)
	if err != nil {
		return Counts{}, fmt.Errorf("unpack image: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(partial)) }()
	counts, err := unpackLayers(ctx, img, from, partial, maxSize)
	if err != nil {
		return counts, fmt.Errorf("unpack image: %w", registry.Explain(err))
	}
	source := filepath.Join(partial, filepath.FromSlash(from))
	if info, err := os.Lstat(source); err != nil || !info.IsDir() {
		return counts, fmt.Errorf("unpack image: %w", &fs.PathError{Op: "find directory", Path: from, Err: fs.ErrNotExist})
	}
	if err := os.Remove(dir); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return counts, fmt.Errorf("unpack image: %w", err)
	}
	return counts, os.Rename(source, dir)
}

func unpackLayers(ctx context.Context, img v1.Image, from, dir string, maxSize int64) (Counts, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return Counts{}, err
	}
	defer root.Close()
	layers, err := img.Layers()
	if err != nil {
		return Counts{}, err
	}
	u := &unpacker{tree: tree{root}, from: from, maxSize: maxSize, chown: os.Geteuid() == 0, modes: map[string]fs.FileMode{}, left: maxRead - MaxSize + maxSize}
	for n, layer := range layers {
		u.written = map[string]bool{}
		if err := u.layer(ctx, layer); err != nil {
			return u.counts, fmt.Errorf("layer %d of %d: %w", n+1, len(layers), err)
		}
	}
	return u.counts, u.setModes()
}

type unpacker struct {
	tree    tree
	from    string // only this directory
	maxSize int64  // of all files together, in bytes
	chown   bool
	counts  Counts
	entries int
	left    int64                  // of maxRead
	written map[string]bool        // by the layer at hand; its whiteouts spare these
	modes   map[string]fs.FileMode // of directories: set last, or nothing could be written there
}

func (u *unpacker) layer(ctx context.Context, layer v1.Layer) error {
	open, err := layer.Uncompressed()
	if err != nil {
		return err
	}
	defer open.Close()
	content := bounded{open, &u.left}
	archive := tar.NewReader(content)
	listed := listing{"/": true}
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return fmt.Errorf("read: %w", err)
		}
		if u.counts.Refused == nil {
			u.counts.Refused = listed.add(header.Name)
		}
		if err := u.entry(header, archive); err != nil {
			return fmt.Errorf("%q: %w", header.Name, err)
		}
	}
	// What follows the archive's end belongs to the digest too.
	_, err = io.Copy(io.Discard, content)
	return err
}

func (u *unpacker) entry(header *tar.Header, content io.Reader) error {
	if u.entries++; u.entries > maxEntries {
		return fmt.Errorf("the image has more than %d entries", maxEntries)
	}
	name, err := inside(header.Name)
	if err != nil || !u.concerns(name) {
		return err
	}
	if name == "/" {
		u.modes["."] = mode(header)
		return nil
	}
	dir, err := u.tree.directory(path.Dir(name))
	if err != nil {
		return err
	}
	base := path.Base(name)
	switch {
	case base == opaque:
		return u.clear(dir)
	case strings.HasPrefix(base, whiteout):
		hidden := strings.TrimPrefix(base, whiteout)
		if hidden == "" || hidden == "." || hidden == ".." {
			return errors.New("a whiteout of no file")
		}
		return u.remove(path.Join(dir, hidden))
	}
	return u.write(path.Join(dir, base), header, content)
}

// concerns tells whether an entry may change the wanted directory: it is below
// it, or above it.
func (u *unpacker) concerns(name string) bool {
	if within(name, u.from) || under(u.from, name) {
		return true
	}
	base := path.Base(name)
	if base == opaque {
		return under(u.from, path.Dir(name))
	}
	hidden := path.Join(path.Dir(name), strings.TrimPrefix(base, whiteout))
	return strings.HasPrefix(base, whiteout) && within(u.from, hidden)
}

// remove takes away what layers below wrote at at.
func (u *unpacker) remove(at string) error {
	for written := range u.written {
		if within("/"+written, "/"+at) {
			return nil
		}
	}
	return u.tree.RemoveAll(at)
}

func (u *unpacker) clear(dir string) error {
	entries, err := fs.ReadDir(u.tree.FS(), dir)
	if err != nil {
		return err
	}
	for _, entry := range entries {
		if err := u.remove(path.Join(dir, entry.Name())); err != nil {
			return err
		}
	}
	return nil
}

func (u *unpacker) setModes() error {
	paths := slices.SortedFunc(maps.Keys(u.modes), func(a, b string) int { return strings.Compare(b, a) })
	for _, at := range paths {
		info, err := u.tree.Lstat(at)
		if err != nil || !info.IsDir() {
			continue // a later layer removed it
		}
		if err := u.tree.Chmod(at, u.modes[at]); err != nil {
			return err
		}
	}
	return nil
}
