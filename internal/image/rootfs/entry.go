package rootfs

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
)

// write puts one entry at at, whose parent directory exists and is reached
// without a symbolic link. It replaces what is there, except a directory by a
// directory.
func (u *unpacker) write(at string, header *tar.Header, content io.Reader) error {
	u.written[at] = true
	if header.Typeflag == tar.TypeDir {
		return u.makeDir(at, header)
	}
	if err := u.tree.RemoveAll(at); err != nil {
		return err
	}
	switch header.Typeflag {
	case tar.TypeReg:
		return u.writeFile(at, header, content)
	case tar.TypeSymlink:
		u.counts.Links++
		return errors.Join(u.tree.Symlink(header.Linkname, at), u.own(at, header))
	case tar.TypeLink:
		u.counts.Links++
		return u.hardLink(at, header)
	}
	u.counts.Skipped++
	return nil
}

func (u *unpacker) makeDir(at string, header *tar.Header) error {
	info, err := u.tree.Lstat(at)
	if err != nil || !info.IsDir() {
		if err := errors.Join(u.tree.RemoveAll(at), u.tree.Mkdir(at, 0o755)); err != nil {
			return err
		}
	}
	u.modes[at] = mode(header)
	return u.own(at, header)
}

func (u *unpacker) writeFile(at string, header *tar.Header, content io.Reader) error {
	if u.counts.Bytes += header.Size; u.counts.Bytes > u.maxSize {
		return errOverLimit
	}
	file, err := u.tree.OpenFile(at, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(file, content)
	if err := errors.Join(err, file.Chmod(mode(header)), file.Close()); err != nil {
		return err
	}
	u.counts.Files++
	// Web servers derive validators from this time.
	return errors.Join(u.own(at, header), u.tree.Chtimes(at, header.ModTime, header.ModTime))
}

// hardLink takes a regular file as its source alone, and one inside the tree.
func (u *unpacker) hardLink(at string, header *tar.Header) error {
	name, err := inside(header.Linkname)
	if err != nil {
		return err
	}
	dir, err := u.tree.directory(path.Dir(name))
	if err != nil {
		return err
	}
	source := path.Join(dir, path.Base(name))
	info, err := u.tree.Lstat(source)
	if err != nil {
		return fmt.Errorf("hard link to %q: %w", header.Linkname, err)
	}
	if !info.Mode().IsRegular() {
		return fmt.Errorf("hard link to %q, which is no file", header.Linkname)
	}
	return u.tree.Link(source, at)
}

func (u *unpacker) own(at string, header *tar.Header) error {
	if !u.chown {
		return nil
	}
	return u.tree.Lchown(at, header.Uid, header.Gid)
}

// mode keeps permissions and a directory's sticky bit. The owner can always
// write, so that the tree can be removed again.
func mode(header *tar.Header) fs.FileMode {
	mode := header.FileInfo().Mode()
	keep := mode.Perm() | 0o600
	if mode.IsDir() {
		keep |= 0o100 | mode&fs.ModeSticky
	}
	return keep
}
