package rootfs

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"strings"
)

// maxLinks is how many symbolic links one path may lead through, as on Linux.
const maxLinks = 40

// tree is a directory on disk seen as a root: absolute links in it lead to its
// own top, as they will in a chroot. os.Root alone would refuse these, and
// stays below as the guard that nothing outside is touched.
type tree struct{ *os.Root }

// directory returns the real path, below the root and free of links, of the
// directory that name leads to, and makes the parts that do not exist.
func (t tree) directory(name string) (string, error) {
	at := "."
	rest := parts(name)
	for links := 0; len(rest) > 0; {
		part := rest[0]
		rest = rest[1:]
		if part == ".." {
			at = path.Dir(at)
			continue
		}
		next := path.Join(at, part)
		target, err := t.step(next)
		switch {
		case err != nil:
			return "", err
		case target == "":
			at = next
			continue
		}
		if links++; links > maxLinks {
			return "", fmt.Errorf("%s leads through a loop of symbolic links", name)
		}
		if path.IsAbs(target) {
			at = "."
		}
		rest = append(parts(target), rest...)
	}
	return at, nil
}

// step makes sure that at is a directory, or returns where its link leads.
func (t tree) step(at string) (target string, err error) {
	info, err := t.Lstat(at)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "", t.Mkdir(at, 0o755)
	case err != nil || info.IsDir():
		return "", err
	case info.Mode().Type() == fs.ModeSymlink:
		if target, err = t.Readlink(at); target == "" && err == nil {
			err = fmt.Errorf("%s is an empty link", at)
		}
		return target, err
	}
	return "", fmt.Errorf("%s is no directory", at)
}

// parts drops what means nothing, and keeps ".." to be applied after links.
func parts(name string) []string {
	var kept []string
	for part := range strings.SplitSeq(name, "/") {
		if part != "" && part != "." {
			kept = append(kept, part)
		}
	}
	return kept
}

// inside is an entry's name as an absolute path. One with ".." is refused even
// where it would stay inside: no builder writes it.
func inside(name string) (string, error) {
	for part := range strings.SplitSeq(name, "/") {
		if part == ".." {
			return "", errors.New("the path climbs out of the layer")
		}
	}
	if name == "" || strings.ContainsRune(name, 0) {
		return "", errors.New("not a path")
	}
	return path.Join("/", name), nil
}

// under tells whether name lies below dir; both are clean and absolute.
func under(name, dir string) bool {
	return name != dir && (dir == "/" || strings.HasPrefix(name, dir+"/"))
}

// within is under, or the directory itself.
func within(name, dir string) bool { return name == dir || under(name, dir) }
