package site

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"
	"time"

	"golang.org/x/net/html"

	"github.com/aproorg/sluice/internal/bounded"
	"github.com/aproorg/sluice/internal/uploadscript"
)

// ScriptPath is where WithUploads puts the script: a name that is cached for ever.
func ScriptPath() string { return "assets/" + uploadscript.Name() }

// maxPage bounds a page that gets the script, in bytes.
const maxPage = 8 << 20

// WithUploads is a site whose pages load, before any other script, the one by which
// large requests go through S3. Pages without a head, which are parts of others, stay
// as they are. The files of the source are not changed.
func WithUploads(source fs.FS) (fs.FS, error) {
	s := &staged{FS: source, files: map[string][]byte{ScriptPath(): uploadscript.Script()}}
	err := fs.WalkDir(source, ".", func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil && name == ".":
			return err
		case err != nil: // scan says what cannot be read, if it is to be published
			return fs.SkipDir
		case entry.IsDir() || !isPage(name):
			return nil
		}
		page, err := readPage(source, name)
		if err != nil || page == nil {
			return err
		}
		s.files[name] = page
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("add the upload script to the site: %w", err)
	}
	return s, nil
}

func isPage(name string) bool {
	return (strings.HasSuffix(name, ".html") || strings.HasSuffix(name, ".htm")) && !strings.HasPrefix(path.Base(name), ".")
}

// readPage returns the page with the script, or nil for one that stays as it is.
func readPage(source fs.FS, name string) ([]byte, error) {
	file, err := source.Open(name)
	if err != nil {
		return nil, nil // as above
	}
	defer file.Close()
	if info, err := file.Stat(); err != nil || !info.Mode().IsRegular() {
		return nil, nil
	}
	page, err := bounded.ReadAll(file, maxPage)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	at := head(page)
	if at < 0 {
		return nil, nil
	}
	tag := `<script src="/` + ScriptPath() + `"></script>`
	return slices.Concat(page[:at], []byte(tag), page[at:]), nil
}

// head is where the content of a page's head begins, or -1. A page may leave the tag out.
// https://html.spec.whatwg.org/multipage/syntax.html#optional-tags
func head(page []byte) int {
	at := 0
	for z := html.NewTokenizer(bytes.NewReader(page)); ; {
		kind := z.Next()
		begin := at
		at += len(z.Raw())
		switch kind {
		case html.ErrorToken:
			return -1
		case html.TextToken:
			if len(bytes.TrimSpace(z.Raw())) > 0 {
				return -1
			}
		case html.StartTagToken, html.SelfClosingTagToken:
			switch name, _ := z.TagName(); string(name) {
			case "html":
			case "head":
				return at
			case "title", "meta", "link", "script", "style", "base", "noscript", "template":
				return begin
			default:
				return -1
			}
		}
	}
}

// staged is a site with files in place of its own, and one beside them.
type staged struct {
	fs.FS
	files map[string][]byte
}

func (s *staged) Open(name string) (fs.File, error) {
	info, err := s.Stat(name)
	if err != nil {
		return nil, err
	}
	if content, ok := s.files[name]; ok {
		return &stagedFile{info, bytes.NewReader(content)}, nil
	}
	if info.IsDir() {
		entries, err := s.ReadDir(name)
		return &stagedDir{info, entries}, err
	}
	return s.FS.Open(name)
}

// Stat knows the directory of the script, where the source has none.
func (s *staged) Stat(name string) (fs.FileInfo, error) {
	if content, ok := s.files[name]; ok {
		return stagedInfo{path.Base(name), int64(len(content)), 0o444}, nil
	}
	info, err := fs.Stat(s.FS, name)
	if errors.Is(err, fs.ErrNotExist) && name == path.Dir(ScriptPath()) {
		return stagedInfo{name, 0, fs.ModeDir | 0o555}, nil
	}
	return info, err
}

// ReadDir lists the source's files, and the script beside them.
func (s *staged) ReadDir(name string) ([]fs.DirEntry, error) {
	entries, err := fs.ReadDir(s.FS, name)
	dir := path.Dir(ScriptPath())
	if errors.Is(err, fs.ErrNotExist) && name == dir {
		entries, err = nil, nil
	}
	if err != nil {
		return nil, err
	}
	names := map[string]bool{".": true}
	for i, entry := range entries {
		names[entry.Name()] = true
		if _, ok := s.files[path.Join(name, entry.Name())]; ok {
			info, err := s.Stat(path.Join(name, entry.Name()))
			if err != nil {
				return nil, err
			}
			entries[i] = fs.FileInfoToDirEntry(info)
		}
	}
	for add, in := range map[string]string{dir: ".", ScriptPath(): dir} {
		if in != name || names[path.Base(add)] {
			continue
		}
		info, err := s.Stat(add)
		if err != nil {
			return nil, err
		}
		entries = append(entries, fs.FileInfoToDirEntry(info))
	}
	slices.SortFunc(entries, func(a, b fs.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
	return entries, nil
}

type stagedFile struct {
	info fs.FileInfo
	*bytes.Reader
}

func (f *stagedFile) Stat() (fs.FileInfo, error) { return f.info, nil }
func (*stagedFile) Close() error                 { return nil }

type stagedDir struct {
	info fs.FileInfo
	left []fs.DirEntry
}

func (d *stagedDir) Stat() (fs.FileInfo, error) { return d.info, nil }
func (*stagedDir) Close() error                 { return nil }
func (d *stagedDir) Read([]byte) (int, error) {
	return 0, &fs.PathError{Op: "read", Path: d.info.Name(), Err: errors.New("is a directory")}
}

// ReadDir returns the next n entries, or all for n <= 0.
func (d *stagedDir) ReadDir(n int) ([]fs.DirEntry, error) {
	if n <= 0 {
		n = len(d.left)
	} else if len(d.left) == 0 {
		return nil, io.EOF
	}
	n = min(n, len(d.left))
	next := d.left[:n]
	d.left = d.left[n:]
	return next, nil
}

type stagedInfo struct {
	name string
	size int64
	mode fs.FileMode
}

func (i stagedInfo) Name() string      { return i.name }
func (i stagedInfo) Size() int64       { return i.size }
func (i stagedInfo) Mode() fs.FileMode { return i.mode }
func (stagedInfo) ModTime() time.Time  { return time.Time{} }
func (i stagedInfo) IsDir() bool       { return i.mode.IsDir() }
func (stagedInfo) Sys() any            { return nil }
