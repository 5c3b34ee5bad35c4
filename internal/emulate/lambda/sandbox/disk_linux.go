package sandbox

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// On Lambda /tmp is a disk of the size that the function is configured with. Here it is an
// ext4 file system in a file, which root can mount: a tmpfs would count as the group's
// memory. It is mounted for the group's own spawner and what that starts, and the file has
// no name any more, so that nothing of it outlives this program, however that ends.

// diskOverhead is what a file system of a disk keeps for itself, in bytes: its inodes, and
// the blocks that ext4 holds back.
const diskOverhead = 20 << 20

// tryDisk finds out whether a group's /tmp can have a size.
func (h *Host) tryDisk() error {
	if os.Geteuid() != 0 {
		return errors.New("not root")
	}
	if !h.namespaces {
		return errors.New("no mount namespaces")
	}
	tmp, err := os.MkdirTemp("", "sluice-probe-")
	if err != nil {
		return err
	}
	defer os.Remove(tmp)
	h.disks = true
	g, err := h.NewGroup("disk", tmp, Limits{Disk: 1 << 20})
	if err == nil {
		err = g.Close()
	}
	h.disks = err == nil
	return err
}

// openDisk mounts the group's /tmp.
func (g *Group) openDisk() error {
	image, err := makeDisk(g.tmp+".disk", g.limits.Disk)
	if err != nil {
		return fmt.Errorf("make a disk for /tmp: %w", err)
	}
	defer image.Close()
	g.disk = newSpawner()
	return g.disk.do(func() error {
		if err := unix.Unshare(unix.CLONE_NEWNS); err != nil {
			return fmt.Errorf("make a mount namespace: %w", err)
		}
		if err := mount("", "/", "", unix.MS_REC|unix.MS_SLAVE, ""); err != nil {
			return err
		}
		loop, err := loopDevice(image)
		if err != nil {
			return fmt.Errorf("make a loop device: %w", err)
		}
		defer loop.Close() // the mount keeps it
		if err := mount(loop.Name(), g.tmp, "ext4", unix.MS_NOSUID|unix.MS_NODEV, ""); err != nil {
			return err
		}
		g.root = fmt.Sprintf("/proc/%d/task/%d/root", os.Getpid(), unix.Gettid())
		return errors.Join(os.Remove(filepath.Join(g.tmp, "lost+found")), os.Chmod(g.tmp, 0o777))
	})
}

// closeDisk gives the disk up. Its processes have ended.
func (g *Group) closeDisk() error {
	if g.disk == nil {
		return nil
	}
	err := g.disk.do(func() error {
		if g.root == "" {
			return nil
		}
		return unix.Unmount(g.tmp, unix.MNT_DETACH)
	})
	g.disk.close()
	g.disk = nil
	return err
}

// reach is the path by which this program finds what the group's processes have at path.
func (g *Group) reach(path string) string { return g.root + path }

// makeDisk makes a file system of a size in a file, which loses its name.
func makeDisk(path string, size int64) (*os.File, error) {
	mkfs, err := exec.LookPath("mkfs.ext4")
	if err != nil {
		mkfs = "/sbin/mkfs.ext4" // which not every root has on PATH
	}
	image, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	defer os.Remove(path)
	if err := image.Truncate(size + diskOverhead); err != nil {
		return nil, errors.Join(err, image.Close())
	}
	// It never sees a crash, and so needs no journal.
	out, err := exec.Command(mkfs, "-q", "-F", "-m", "0", "-N", "32768", "-O", "^has_journal,^resize_inode", "-E", "lazy_itable_init=1,nodiscard", path).CombinedOutput()
	if err != nil {
		return nil, errors.Join(err, errors.New(strings.TrimSpace(string(out))), image.Close())
	}
	return image, nil
}

// loopDevice makes a block device of a file. It goes when nothing has it open or mounted.
// https://man7.org/linux/man-pages/man4/loop.4.html
func loopDevice(image *os.File) (*os.File, error) {
	control, err := os.OpenFile("/dev/loop-control", os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	defer control.Close()
	for deadline := time.Now().Add(5 * time.Second); ; {
		n, err := unix.IoctlRetInt(int(control.Fd()), unix.LOOP_CTL_GET_FREE)
		if err != nil {
			return nil, err
		}
		loop, err := os.OpenFile("/dev/loop"+strconv.Itoa(n), os.O_RDWR, 0)
		if err != nil {
			return nil, err
		}
		err = unix.IoctlLoopConfigure(int(loop.Fd()), &unix.LoopConfig{Fd: uint32(image.Fd()), Info: unix.LoopInfo64{Flags: unix.LO_FLAGS_AUTOCLEAR}})
		if err == nil {
			return loop, nil
		}
		loop.Close()
		if !errors.Is(err, unix.EBUSY) || time.Now().After(deadline) { // EBUSY: somebody else took it
			return nil, err
		}
	}
}
