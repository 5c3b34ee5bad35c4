package site

import (
	"bytes"
	"context"
	"crypto/md5"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/aproorg/sluice/internal/hint"
	"github.com/aproorg/sluice/internal/site/frontend"
)

// A File is one file of a release as the bucket holds it.
type File struct {
	SHA256 string `json:"sha256"`
	MD5    string `json:"-"` // known of a file on disk
	Size   int64  `json:"size"`
	ETag   string `json:"etag,omitempty"` // that the store gave to it
	Headers
}

// same tells whether a browser would see no difference.
func (f File) same(other File) bool { return f.SHA256 == other.SHA256 && f.Headers == other.Headers }

// scan reads the source once and returns its files by path, and what it left out.
func scan(ctx context.Context, o Options) (map[string]File, []LeftOut, error) {
	if o.Source == nil {
		return nil, nil, errors.New("no site given")
	}
	patterns, err := parseInclude(o.Include)
	if err != nil {
		return nil, nil, err
	}
	paths, left, err := walk(o.Source, patterns)
	if err != nil {
		return nil, nil, fmt.Errorf("read the site: %w", err)
	}
	files := make([]File, len(paths))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(o.jobs())
	for n, path := range paths {
		group.Go(func() (err error) {
			if err = ctx.Err(); err == nil {
				files[n], err = digest(ctx, o, path)
			}
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, nil, fmt.Errorf("read the site: %w", err)
	}
	byPath := make(map[string]File, len(paths))
	for n, path := range paths {
		byPath[path] = files[n]
	}
	if _, ok := byPath[Index]; !ok {
		return nil, nil, hint.With(fmt.Errorf("the site has no %s among its %d files", Index, len(paths)), "give the directory of the built client")
	}
	return byPath, left, nil
}

// walk lists the files to publish. It looks only at the names of those that it leaves out: they may be unreadable, or
// links that lead nowhere.
func walk(source fs.FS, patterns include) (paths []string, left []LeftOut, err error) {
	err = fs.WalkDir(source, ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil && entry != nil && patterns.leftOut(path+"/_") != "" {
			left = append(left, LeftOut{path, Hidden}) // a directory that cannot be read, and need not be
			return fs.SkipDir
		}
		if err != nil || entry.IsDir() {
			return err
		}
		if why := patterns.leftOut(path); why != "" {
			left = append(left, LeftOut{path, why})
			return nil
		}
		if strings.HasPrefix(path, Prefix) {
			return fmt.Errorf("%s: %s is Sluice's own in the bucket", path, Prefix)
		}
		info, err := fs.Stat(source, path) // follows links, and fails on loops and on those that lead out
		if err != nil {
			return err
		}
		if info.IsDir() {
			return hint.With(fmt.Errorf("%s: is a link to a directory", path), "copy the directory to where the link is")
		}
		if err := frontend.Regular(path, info); err != nil {
			return err
		}
		paths = append(paths, path)
		return nil
	})
	return paths, left, err
}

func digest(ctx context.Context, o Options, path string) (File, error) {
	content, err := o.Source.Open(path)
	if err != nil {
		return File{}, err
	}
	defer content.Close()
	sha, md, head := sha256.New(), md5.New(), &prefix{left: 512}
	size, err := io.Copy(io.MultiWriter(sha, md, head), frontend.Interruptible(ctx, content))
	if err != nil {
		return File{}, fmt.Errorf("%s: %w", path, err)
	}
	return File{
		SHA256: hex.EncodeToString(sha.Sum(nil)), MD5: hex.EncodeToString(md.Sum(nil)), Size: size,
		Headers: Headers{ContentType: contentType(path, head.Bytes()), CacheControl: cacheControl(path, o.maxAge())},
	}, nil
}

// prefix keeps the first bytes and swallows the rest.
type prefix struct {
	bytes.Buffer
	left int
}

func (p *prefix) Write(b []byte) (int, error) {
	keep := b[:min(len(b), p.left)]
	p.left -= len(keep)
	p.Buffer.Write(keep)
	return len(b), nil
}
