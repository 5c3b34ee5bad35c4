package sandbox

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// buildFiles gives this mount namespace the file system of an execution
// environment. What of the machine stays visible is read-only, and so is what lies
// below it; mounts that appear later on the machine do not come in.
func (e *entry) buildFiles() error {
	if err := mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return err
	}
	_ = unix.Unshare(unix.CLONE_NEWCGROUP) // so that /proc/self/cgroup says "/"; an old kernel cannot
	if e.Root != "" {
		if err := bind(e.Root, e.Root); err != nil {
			return err
		}
		for _, dir := range []string{"dev", "proc", "tmp"} {
			_ = os.Mkdir(filepath.Join(e.Root, dir), 0o755) // the image may have it, or be a read-only mount: then the mount says so
		}
	}
	for _, step := range []func() error{e.devices, e.proc, e.task, e.hide, e.nameUser, e.nameSandbox, e.bindPaths, e.readOnly, e.enterRoot} {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

// mount and bind say in their errors what was attempted.
func mount(source, target, kind string, flags uintptr, data string) error {
	if err := unix.Mount(source, target, kind, flags, data); err != nil {
		return fmt.Errorf("mount %s %s at %s: %w", kind, source, target, err)
	}
	return nil
}

func bind(source, target string) error {
	return mount(source, target, "", unix.MS_BIND|unix.MS_REC, "")
}

// A held file keeps its place when another mount covers it.
type held struct {
	path string
	fd   int
	dir  bool
}

func hold(path string) (held, error) {
	fd, err := unix.Open(path, unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		return held{}, &fs.PathError{Op: "open", Path: path, Err: err}
	}
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		unix.Close(fd)
		return held{}, err
	}
	return held{path, fd, st.Mode&unix.S_IFMT == unix.S_IFDIR}, nil
}

// bindAt mounts the held file at a path, which is made if it is not there.
func (h held) bindAt(path string) error {
	defer unix.Close(h.fd)
	if err := makePlace(path, h.dir); err != nil {
		return err
	}
	return bind("/proc/self/fd/"+strconv.Itoa(h.fd), path)
}

func makePlace(path string, dir bool) error {
	if dir {
		return os.MkdirAll(path, 0o755)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDONLY, 0o644)
	if errors.Is(err, fs.ErrPermission) || errors.Is(err, unix.EROFS) {
		_, err = os.Lstat(path)
		return err
	}
	if err != nil {
		return err
	}
	return f.Close()
}

// devices makes a /dev of the few that no app can do without. There is no
// terminal: an app that has the developer's could type into it. There is no
// /dev/shm, as Lambda has none, which is why Python's multiprocessing.Queue fails
// on it: https://aws.amazon.com/blogs/compute/parallel-processing-in-python-with-aws-lambda/
func (e *entry) devices() error {
	var keep []held
	for _, name := range []string{"null", "zero", "full", "random", "urandom"} {
		h, err := hold("/dev/" + name)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		keep = append(keep, h)
	}
	dev := e.Root + "/dev"
	if err := e.uncover(dev, nil); err != nil {
		return err
	}
	const flags = unix.MS_NOSUID | unix.MS_NOEXEC
	if err := mount("tmpfs", dev, "tmpfs", flags, "mode=755,size=64k"); err != nil {
		return err
	}
	for _, h := range keep {
		if err := h.bindAt(e.Root + h.path); err != nil {
			return err
		}
	}
	for name, target := range map[string]string{"fd": "/proc/self/fd", "stdin": "/proc/self/fd/0", "stdout": "/proc/self/fd/1", "stderr": "/proc/self/fd/2"} {
		if err := os.Symlink(target, filepath.Join(dev, name)); err != nil {
			return err
		}
	}
	return mount("", dev, "", unix.MS_REMOUNT|unix.MS_BIND|unix.MS_RDONLY|flags, "")
}

// Of /proc, what changes or tells of the machine is read-only or empty. The lists
// are those of the OCI runtimes:
// https://github.com/moby/moby/blob/master/daemon/pkg/oci/defaults.go
var (
	procReadOnly = []string{"bus", "fs", "irq", "sys", "sysrq-trigger"}
	procEmpty    = []string{"acpi", "asound", "interrupts", "kcore", "keys", "key-users", "kmsg", "latency_stats", "sched_debug", "scsi", "timer_list", "timer_stats"}
)

func (e *entry) proc() error {
	proc := e.Root + "/proc"
	const flags = unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC
	switch {
	case e.PIDs:
		if err := mount("proc", proc, "proc", flags, ""); err != nil {
			return err
		}
	case e.Root != "":
		if err := bind("/proc", proc); err != nil {
			return err
		}
	}
	if e.Cloneable && e.Image == nil {
		if err := os.WriteFile(filepath.Join(proc, "sys/kernel/ns_last_pid"), []byte(beforeClones), 0); err != nil {
			return fmt.Errorf("choose process ids that are free in every clone: %w", err)
		}
	}
	for _, name := range procReadOnly {
		path := filepath.Join(proc, name)
		if !exists(path) {
			continue
		}
		if err := bind(path, path); err != nil {
			return err
		}
		if err := mount("", path, "", unix.MS_REMOUNT|unix.MS_BIND|unix.MS_RDONLY|flags, ""); err != nil {
			return err
		}
	}
	for _, name := range procEmpty {
		if err := e.empty(filepath.Join(proc, name), nil); err != nil {
			return err
		}
	}
	return nil
}

// task shows the function where Lambda has it. A machine that has no such place gets
// one, in a directory that is otherwise as it was.
func (e *entry) task() error {
	if e.Task == "" {
		return nil
	}
	task, err := hold(e.Task)
	if err != nil {
		return err
	}
	if exists(TaskRoot) {
		return task.bindAt(TaskRoot)
	}
	task.path = TaskRoot
	parent := filepath.Dir(TaskRoot)
	entries, err := os.ReadDir(parent)
	if err != nil {
		return err
	}
	keep := []held{task}
	for _, entry := range entries {
		if entry.Type()&fs.ModeSymlink != 0 {
			continue // cover keeps them
		}
		h, err := hold(filepath.Join(parent, entry.Name()))
		if err != nil {
			return err
		}
		keep = append(keep, h)
	}
	return e.cover(parent, keep)
}

// hide empties what of the machine no app has a use for. An image brings files of
// its own.
func (e *entry) hide() error {
	if e.Root != "" {
		return e.resolver()
	}
	for path, shown := range map[string][]string{
		"/sys":     {"/sys/devices/system/cpu"},
		"/run":     append(slices.Clone(e.Needed), "/etc/resolv.conf", "/etc/hosts"),
		"/var/run": append(slices.Clone(e.Needed), "/etc/resolv.conf", "/etc/hosts"),
	} {
		if info, err := os.Lstat(path); err != nil || !info.IsDir() { // a link leads to what is hidden anyway
			continue
		}
		if err := e.empty(path, shown); err != nil {
			return err
		}
	}
	for _, path := range e.Hidden {
		if err := e.empty(path, e.Needed); err != nil {
			return err
		}
	}
	return nil
}

// empty covers a file with /dev/null, and a directory with an empty one in which
// only the shown paths appear, and the links that lie directly in it.
func (e *entry) empty(path string, shown []string) error {
	real, err := filepath.EvalSymlinks(path)
	if err != nil {
		return nil // nobody finds anything there
	}
	info, err := os.Stat(real)
	if err != nil {
		return nil // as above
	}
	if !info.IsDir() {
		return bind(e.Root+"/dev/null", real)
	}
	var keep []held
	for _, p := range shown {
		at, err := filepath.EvalSymlinks(p)
		if err != nil || !strings.HasPrefix(at, real+"/") && at != real {
			continue
		}
		if at == real {
			return nil // all of it is needed
		}
		h, err := hold(at)
		if err != nil {
			return err
		}
		keep = append(keep, h)
	}
	return e.cover(real, keep)
}

// cover mounts an empty directory over another, in which only what is held appears,
// and the links that lie directly in it.
func (e *entry) cover(real string, keep []held) error {
	links := linksIn(real)
	if err := e.uncover(real, keep); err != nil {
		return err
	}
	if err := mount("tmpfs", real, "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, "mode=755,size=64k"); err != nil {
		return err
	}
	for _, h := range keep {
		if err := h.bindAt(h.path); err != nil {
			return err
		}
	}
	for name, target := range links {
		if err := os.Symlink(target, filepath.Join(real, name)); err != nil {
			return err
		}
	}
	return mount("", real, "", unix.MS_REMOUNT|unix.MS_BIND|unix.MS_RDONLY|unix.MS_NOSUID|unix.MS_NODEV, "")
}

// uncover takes away the mounts below a directory that is about to be covered, except those in
// which something is kept. CRIU looks at every mount there is, and fails at those that it
// cannot see.
func (e *entry) uncover(dir string, keep []held) error {
	if !e.Cloneable {
		return nil
	}
	mounts, err := mountPoints()
	if err != nil {
		return err
	}
	for _, m := range slices.Backward(mounts) {
		kept := slices.ContainsFunc(keep, func(h held) bool { return h.path == m.at || within(h.path, m.at) })
		if !within(m.at, dir) || kept || !m.reachable() {
			continue
		}
		if err := unix.Unmount(m.at, unix.MNT_DETACH); err != nil {
			return fmt.Errorf("unmount %s: %w", m.at, err)
		}
	}
	return nil
}

func linksIn(dir string) map[string]string {
	links := map[string]string{}
	entries, _ := os.ReadDir(dir)
	for _, e := range entries {
		if target, err := os.Readlink(filepath.Join(dir, e.Name())); err == nil {
			links[e.Name()] = target
		}
	}
	return links
}

// resolver gives an image the machine's way to names.
func (e *entry) resolver() error {
	const path = "/etc/resolv.conf"
	if exists(path) && exists(e.Root+path) {
		return bind(path, e.Root+path)
	}
	return nil
}

// nameSandbox adds the names that Lambda has for an environment itself, at which
// extensions wait for telemetry, to those of the machine.
// https://docs.aws.amazon.com/lambda/latest/dg/telemetry-api.html
func (e *entry) nameSandbox() error {
	const path = "/etc/hosts"
	names, err := os.ReadFile(path)
	if err != nil || !exists(e.Root+path) {
		return nil // an image of one program may have no names at all
	}
	return e.write(e.Root+path, append(names, "\n127.0.0.1 sandbox.localdomain sandbox\n"...))
}

// write shows another content of a file.
func (e *entry) write(path string, content []byte) error {
	made, err := os.CreateTemp(e.Tmp, ".file-") // there may be another process on its way in
	if err != nil {
		return err
	}
	defer os.Remove(made.Name()) // the mount keeps it
	_, err = made.Write(content)
	if err := errors.Join(err, made.Chmod(0o644), made.Close()); err != nil {
		return err
	}
	return bind(made.Name(), path)
}

// nameUser adds Lambda's user to those of the machine or the image: some programs do
// not start as a user without a name.
func (e *entry) nameUser() error {
	path := e.Root + "/etc/passwd"
	users, err := os.ReadFile(path)
	if !e.User || err != nil {
		return nil // an image of one program may have no names at all
	}
	if len(users) > 0 && users[len(users)-1] != '\n' {
		users = append(users, '\n')
	}
	return e.write(path, append(users, lambdaPasswd...))
}

// bindPaths mounts /tmp and what leads there or stays visible in it.
func (e *entry) bindPaths() error {
	inTmp := func(p string) string { return e.Tmp + strings.TrimPrefix(p, "/tmp") }
	for _, p := range e.Shown {
		if err := bind(p, inTmp(p)); err != nil {
			return err
		}
	}
	for _, p := range e.Kept {
		from, to := e.Root+p, e.Root+p
		if strings.HasPrefix(p, "/tmp/") {
			from, to = p, inTmp(p)
		}
		if err := bind(from, to); err != nil {
			return err
		}
	}
	for _, p := range e.Scratch {
		at := e.Root + p
		if strings.HasPrefix(p, "/tmp/") {
			at = inTmp(p)
		}
		_ = os.MkdirAll(at, 0o755) // if it is not there already, the mount says so
		if err := bind(filepath.Join(e.Tmp, "scratch", p), at); err != nil {
			return err
		}
	}
	if err := bind(e.Tmp, e.Root+"/tmp"); err != nil {
		return err
	}
	return mount("", e.Root+"/tmp", "", unix.MS_REMOUNT|unix.MS_BIND|unix.MS_NOSUID|unix.MS_NODEV|kept(e.Root+"/tmp"), "")
}

// kept gives the flags that the mount at path has. A remount must repeat them: it
// may not take away what was set outside of the sandbox.
func kept(path string) uintptr {
	var st unix.Statfs_t
	if unix.Statfs(path, &st) != nil {
		return 0
	}
	var flags uintptr
	for has, flag := range map[int64]uintptr{
		unix.ST_NOSUID: unix.MS_NOSUID, unix.ST_NODEV: unix.MS_NODEV, unix.ST_NOEXEC: unix.MS_NOEXEC, unix.ST_RDONLY: unix.MS_RDONLY,
		unix.ST_NOATIME: unix.MS_NOATIME, unix.ST_NODIRATIME: unix.MS_NODIRATIME, unix.ST_RELATIME: unix.MS_RELATIME,
	} {
		if int64(st.Flags)&has != 0 {
			flags |= flag
		}
	}
	return flags
}

// readOnly remounts all there is but /tmp and what is kept. A remount holds for
// one mount, not for those below it.
func (e *entry) readOnly() error {
	if !e.ReadOnly {
		return nil
	}
	writable := []string{e.Root + "/tmp", e.Root + "/proc"}
	for _, p := range slices.Concat(e.Kept, e.Scratch) {
		writable = append(writable, e.Root+p)
		if real, err := filepath.EvalSymlinks(p); err == nil && e.Root == "" {
			writable = append(writable, real) // where the mount is that a link leads to
		}
	}
	mounts, err := mountPoints()
	if err != nil {
		return err
	}
	for _, m := range mounts {
		if slices.Contains(writable, m.at) || within(m.at, e.Root+"/proc") || within(m.at, e.Root+"/dev") || !m.reachable() {
			continue
		}
		flags := kept(m.at)
		if flags&unix.MS_RDONLY != 0 {
			continue
		}
		if err := mount("", m.at, "", unix.MS_REMOUNT|unix.MS_BIND|unix.MS_RDONLY|flags, ""); err != nil {
			return fmt.Errorf("make the machine's files read-only: %w", err)
		}
	}
	return nil
}

func within(path, dir string) bool { return strings.HasPrefix(path, dir+"/") }

// A mountPoint is a line of the table of mounts.
type mountPoint struct{ id, at string }

// reachable is false of what another mount covers, or what this user cannot reach:
// the path then leads to another mount, or nowhere.
func (m mountPoint) reachable() bool {
	h, err := hold(m.at)
	if err != nil {
		return false
	}
	defer unix.Close(h.fd)
	info, err := os.ReadFile("/proc/self/fdinfo/" + strconv.Itoa(h.fd))
	_, id, _ := strings.Cut(string(info), "mnt_id:")
	id, _, _ = strings.Cut(strings.TrimSpace(id), "\n")
	return err != nil || id == m.id
}

// mountPoints reads where something is mounted.
// https://man7.org/linux/man-pages/man5/proc_pid_mountinfo.5.html
func mountPoints() ([]mountPoint, error) {
	text, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return nil, err
	}
	var mounts []mountPoint
	for line := range strings.Lines(string(text)) {
		if f := strings.Fields(line); len(f) > 5 {
			mounts = append(mounts, mountPoint{f[0], unescape(f[4])})
		}
	}
	return mounts, nil
}

// unescape resolves the octal numbers that stand for white space.
func unescape(s string) string {
	return strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`).Replace(s)
}

// enterRoot makes the image the root directory and lets go of the machine's files.
// Where the machine's root cannot be exchanged, as on an initial RAM disk, it
// stays out of reach: nobody in here may change the root directory once more.
func (e *entry) enterRoot() error {
	if e.Root == "" {
		return nil
	}
	if err := unix.Chdir(e.Root); err != nil {
		return err
	}
	if unix.PivotRoot(".", ".") == nil {
		if err := unix.Unmount(".", unix.MNT_DETACH); err != nil {
			return fmt.Errorf("detach the machine's files: %w", err)
		}
		return unix.Chdir("/")
	}
	if err := unix.Chroot("."); err != nil {
		return fmt.Errorf("change the root directory: %w", err)
	}
	return unix.Chdir("/")
}
