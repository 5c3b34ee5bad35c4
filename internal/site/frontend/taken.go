package frontend

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/aproorg/sluice/internal/bounded"
	"github.com/aproorg/sluice/internal/image/rootfs"
	"github.com/aproorg/sluice/internal/tempdir"
)

// A taken site is one that was taken out of an image: a directory with the files in one subdirectory, and beside them
// what they were when they came out of the layers, whose digests the image's own names. It is checked each time that it
// is used. That finds what was altered, removed or added by accident or by another user; who can write here as this user
// can write both.
const (
	takenFiles    = "site"
	takenManifest = "manifest.json"
)

// manifest says what was taken.
type manifest struct {
	Image string            `json:"image"` // its digest
	Path  string            `json:"path"`  // the directory in it
	Files map[string]string `json:"files"` // SHA-256 of the content, or a link's target
	// Sum is that of all the others, and finds a manifest that was not written whole.
	Sum string `json:"sum"`
}

func (m manifest) sum() string {
	sum := sha256.New()
	fmt.Fprintf(sum, "%q %q\n", m.Image, m.Path)
	for _, path := range slices.Sorted(maps.Keys(m.Files)) {
		fmt.Fprintf(sum, "%q %q\n", path, m.Files[path])
	}
	return hex.EncodeToString(sum.Sum(nil))
}

// take returns the directory of the image's site below the entry, from where it was taken earlier if it is unaltered.
func (f From) take(ctx context.Context, img v1.Image, digest, entry string) (string, error) {
	files := filepath.Join(entry, takenFiles)
	_, err := os.Lstat(entry)
	if err == nil {
		if err = check(ctx, entry, digest, f.Path); err == nil || ctx.Err() != nil {
			return files, err
		}
		if f.Warn != nil {
			f.Warn(fmt.Errorf("%s does not hold what was taken out of the image, and is taken out anew: %w", entry, err))
		}
		if err := f.discard(ctx, digest, entry); err != nil {
			return "", err
		}
	} else if !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	if err := f.extract(ctx, img, digest, entry); err != nil {
		// Another process may have been faster.
		if check(ctx, entry, digest, f.Path) == nil {
			return files, nil
		}
		return "", err
	}
	return files, nil
}

// discard moves the entry away before it removes it: nobody finds it half there. What another process has put in its
// place meanwhile goes back.
func (f From) discard(ctx context.Context, digest, entry string) error {
	tempdir.RemoveStale(entry + ".altered-*")
	away, err := os.MkdirTemp(filepath.Dir(entry), filepath.Base(entry)+".altered-")
	if err != nil {
		return fmt.Errorf("discard %s: %w", entry, err)
	}
	moved := filepath.Join(away, "entry")
	if err = os.Rename(entry, moved); err == nil && check(ctx, moved, digest, f.Path) == nil {
		err = os.Rename(moved, entry)
	}
	if errors.Is(err, fs.ErrNotExist) {
		err = nil // another process has done so
	}
	if err := errors.Join(err, os.RemoveAll(away)); err != nil {
		return fmt.Errorf("discard %s: %w", entry, err)
	}
	return nil
}

// extract makes the entry, which appears only when it is complete.
func (f From) extract(ctx context.Context, img v1.Image, digest, entry string) (err error) {
	if err := os.MkdirAll(filepath.Dir(entry), 0o755); err != nil {
		return err
	}
	partial, err := tempdir.Beside(entry)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(partial)) }()
	files := filepath.Join(partial, takenFiles)
	if _, err := rootfs.Extract(ctx, img, f.Path, files); err != nil {
		return err
	}
	made := manifest{Image: digest, Path: f.Path}
	if made.Files, err = digests(ctx, files); err != nil {
		return err
	}
	made.Sum = made.sum()
	text, err := json.Marshal(made)
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(partial, takenManifest), text, 0o600); err != nil {
		return err
	}
	return os.Rename(partial, entry)
}

// check compares the entry with its manifest.
func check(ctx context.Context, entry, digest, path string) error {
	text, err := readManifest(filepath.Join(entry, takenManifest))
	if err != nil {
		return err
	}
	var want manifest
	if err := json.Unmarshal(text, &want); err != nil {
		return fmt.Errorf("%s: %w", takenManifest, err)
	}
	switch {
	case want.Sum != want.sum():
		return fmt.Errorf("%s is damaged", takenManifest)
	case want.Image != digest, want.Path != path:
		return fmt.Errorf("it holds %s of the image %s", want.Path, want.Image)
	}
	found, err := digests(ctx, filepath.Join(entry, takenFiles))
	if err != nil {
		return err
	}
	for _, path := range slices.Sorted(maps.Keys(want.Files)) {
		switch sum, there := found[path]; {
		case !there:
			return fmt.Errorf("%s is missing", path)
		case sum != want.Files[path]:
			return fmt.Errorf("%s is another file", path)
		}
	}
	for _, path := range slices.Sorted(maps.Keys(found)) {
		if _, known := want.Files[path]; !known {
			return fmt.Errorf("%s was added", path)
		}
	}
	return nil
}

// maxManifest bounds what is read of a manifest, which 100,000 files do not fill.
const maxManifest = 64 << 20

func readManifest(path string) ([]byte, error) {
	info, err := os.Lstat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() || info.Size() > maxManifest {
		return nil, fmt.Errorf("%s is none", takenManifest)
	}
	return bounded.ReadFile(path, maxManifest)
}

// digests tells each file of a directory from any other, links by their targets.
func digests(ctx context.Context, dir string) (map[string]string, error) {
	source, err := openDir(dir)
	if err != nil {
		return nil, err
	}
	defer source.Close()
	found := map[string]string{}
	err = fs.WalkDir(source, ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		if entry.Type()&fs.ModeSymlink != 0 {
			target, err := source.root.Readlink(path)
			found[path] = "link to " + target
			return err
		}
		found[path], err = contentDigest(ctx, source, path)
		return err
	})
	return found, err
}

func contentDigest(ctx context.Context, source fs.FS, path string) (string, error) {
	content, err := source.Open(path)
	if err != nil {
		return "", err
	}
	defer content.Close()
	sum := sha256.New()
	if _, err := io.Copy(sum, Interruptible(ctx, content)); err != nil {
		return "", fmt.Errorf("%s: %w", path, err)
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}

// Interruptible reads until its context ends, however long the file is.
func Interruptible(ctx context.Context, from io.Reader) io.Reader { return &interruptible{ctx, from} }

type interruptible struct {
	ctx context.Context
	io.Reader
}

func (i *interruptible) Read(b []byte) (int, error) {
	if err := i.ctx.Err(); err != nil {
		return 0, err
	}
	return i.Reader.Read(b)
}
