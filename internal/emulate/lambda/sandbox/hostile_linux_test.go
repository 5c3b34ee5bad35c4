package sandbox

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// world is what a hostile app would find out about the machine, and is here told.
type world struct {
	PID      int    // of a process outside, of the same user
	File     string // that anybody may write to
	AppDir   string
	Home     string // with credentials in it
	Socket   string // that a server outside listens on
	Abstract string // likewise, with no file
	Setuid   string // a program like id, with the bit set
	Shared   int    // System V memory
	Sluice   string // a directory of sluice's own
}

var errNothing = errors.New("nothing there")

// attacks say how they failed. One without an error has succeeded. The harm that
// each would do is left out where opening the way suffices.
var attacks = []struct {
	name string
	try  func(world) error
}{
	{"capabilities", func(world) error {
		status, err := os.ReadFile("/proc/self/status")
		for line := range strings.Lines(string(status)) {
			if f := strings.Fields(line); strings.HasPrefix(line, "Cap") && strings.Trim(f[1], "0") != "" {
				return nil
			}
		}
		return errors.Join(err, errNothing)
	}},
	{"be root in a new user namespace", func(world) error { return unshare(unix.CLONE_NEWUSER) }},
	{"the same, by clone", func(world) error {
		cmd := exec.Command("/proc/self/exe", "-test.run=^$")
		cmd.Env = []string{}
		cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWUSER | syscall.CLONE_NEWNS}
		return cmd.Run()
	}},
	{"a new mount namespace", func(world) error { return unshare(unix.CLONE_NEWNS) }},
	{"remount / writable", func(w world) error {
		if err := unix.Mount("", "/", "", unix.MS_REMOUNT|unix.MS_BIND, ""); err != nil {
			return err
		}
		return openFor(os.O_WRONLY, w.File)
	}},
	{"write a file of the host", func(w world) error { return openFor(os.O_WRONLY, w.File) }},
	{"write into the app's directory", func(w world) error { return openFor(os.O_WRONLY|os.O_CREATE, w.AppDir+"/x") }},
	{"write into a directory of sluice", func(w world) error { return openFor(os.O_WRONLY|os.O_CREATE, w.Sluice+"/x") }},
	{"mount a tmpfs", func(world) error { return unix.Mount("tmpfs", "/tmp", "tmpfs", 0, "") }},
	{"mount proc", func(world) error { return unix.Mount("proc", "/tmp", "proc", 0, "") }},
	{"unmount /tmp", func(world) error { return unix.Unmount("/tmp", unix.MNT_DETACH) }},
	{"the new mount calls", func(world) error {
		_, err := unix.Fsopen("tmpfs", 0)
		return err
	}},
	{"make a disk's device", func(world) error {
		if err := unix.Mknod("/tmp/disk", unix.S_IFBLK|0o600, int(unix.Mkdev(254, 0))); err != nil {
			return err
		}
		return openFor(os.O_RDONLY, "/tmp/disk")
	}},
	{"open a disk, memory, the terminal", func(world) error {
		for _, dev := range []string{"sda", "vda", "nvme0n1", "mem", "kmsg", "port", "tty", "console", "ptmx", "fuse", "kvm", "loop-control", "net/tun", "shm/x"} {
			if openFor(os.O_RDWR|os.O_CREATE, "/dev/"+dev) == nil {
				return nil
			}
		}
		return errNothing
	}},
	{"change the root directory", func(world) error { return unix.Chroot("/tmp") }},
	{"enter the namespaces of process 1", func(world) error { return setns(1) }},
	{"enter the host's namespaces", func(w world) error { return setns(w.PID) }},
	{"trace process 1", func(world) error { return unix.PtraceAttach(1) }},
	{"trace a process outside", func(w world) error { return unix.PtraceAttach(w.PID) }},
	{"read the environment of a process outside", func(w world) error { return read(fmt.Sprintf("/proc/%d/environ", w.PID)) }},
	{"read the environment of process 1", func(world) error { return read("/proc/1/environ") }},
	{"read the memory of process 1", func(world) error { return openFor(os.O_RDONLY, "/proc/1/mem") }},
	{"the root directory of process 1", func(world) error {
		_, err := os.ReadDir("/proc/1/root/")
		return err
	}},
	{"signal a process outside", func(w world) error { return unix.Kill(w.PID, 0) }},
	{"write core_pattern", func(world) error { return openFor(os.O_WRONLY, "/proc/sys/kernel/core_pattern") }},
	{"write sysrq-trigger", func(world) error { return openFor(os.O_WRONLY, "/proc/sysrq-trigger") }},
	{"read kcore", func(world) error { return read("/proc/kcore") }},
	{"read the keys", func(world) error { return read("/proc/keys") }},
	{"list the cgroups", func(world) error { return read("/sys/fs/cgroup/cgroup.controllers") }},
	{"write below /sys", func(world) error { return openFor(os.O_WRONLY, "/sys/kernel/uevent_helper") }},
	{"load a module", func(world) error {
		if err := unix.InitModule([]byte("nonsense"), ""); !errors.Is(err, unix.ENOEXEC) {
			return err
		}
		return nil // the kernel has looked at it
	}},
	{"a setuid program", func(w world) error {
		if w.Setuid == "" {
			return errNothing
		}
		out, err := exec.Command(w.Setuid, "-u").Output()
		if err != nil {
			return err
		}
		if id := strings.TrimSpace(string(out)); id != strconv.Itoa(os.Getuid()) {
			return nil
		}
		return errors.New("it runs as the caller")
	}},
	{"become another user", func(world) error {
		_, _, errno := syscall.RawSyscall(syscall.SYS_SETUID, uintptr(os.Getuid()+1), 0, 0)
		return orNil(errno)
	}},
	{"a socket of the host", func(w world) error { return dial(w.Socket) }},
	{"an abstract socket of the host", func(w world) error { return dial(w.Abstract) }},
	{"shared memory of the host", func(w world) error {
		_, err := unix.SysvShmAttach(w.Shared, 0, unix.SHM_RDONLY)
		return err
	}},
	{"read ~/.aws", func(w world) error { return read(w.Home + "/.aws/credentials") }},
	{"read ~/.ssh", func(w world) error { return read(w.Home + "/.ssh/id_ed25519") }},
	{"read ~/.netrc", func(w world) error { return read(w.Home + "/.netrc") }},
	{"read /etc/shadow", func(world) error { return read("/etc/shadow") }},
	{"keyrings", func(world) error {
		_, err := unix.KeyctlGetKeyringID(unix.KEY_SPEC_SESSION_KEYRING, true)
		return err
	}},
	{"bpf", func(world) error { return system(unix.SYS_BPF, 0, 0, 0) }},
	{"perf", func(world) error { return system(unix.SYS_PERF_EVENT_OPEN, 0, 0, 0) }},
	{"io_uring", func(world) error {
		var params [120]byte
		return system(unix.SYS_IO_URING_SETUP, 1, uintptr(unsafe.Pointer(&params)), 0)
	}},
	{"open a file by its handle", func(world) error {
		_, _, err := unix.NameToHandleAt(unix.AT_FDCWD, "/tmp", 0)
		return err
	}},
	{"set the host's name", func(world) error {
		name, _ := os.Hostname()
		return unix.Sethostname([]byte(name))
	}},
	{"vsock", func(world) error {
		_, err := unix.Socket(unix.AF_VSOCK, unix.SOCK_STREAM, 0)
		return err
	}},
	{"more open files", func(world) error {
		return unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: 1025, Max: 1025})
	}},
	{"kill process 1", func(world) error {
		for _, s := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT, syscall.SIGKILL, syscall.SIGSTOP} {
			_ = syscall.Kill(1, s)
		}
		time.Sleep(50 * time.Millisecond) // the time it would take to go down with it
		return errors.New("still there")
	}},
}

func unshare(flags int) error {
	runtime.LockOSThread() // and never unlocked: the thread dies with its goroutine
	return unix.Unshare(flags)
}

func openFor(flags int, path string) error {
	f, err := os.OpenFile(path, flags|unix.O_NONBLOCK, 0o600)
	if err == nil {
		f.Close()
	}
	return err
}

func read(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	if n, err := f.Read(make([]byte, 100)); n == 0 {
		return err
	}
	return nil
}

func setns(pid int) error {
	f, err := os.Open(fmt.Sprintf("/proc/%d/ns/mnt", pid))
	if err != nil {
		return err
	}
	defer f.Close()
	runtime.LockOSThread()
	return unix.Setns(int(f.Fd()), 0)
}

func dial(socket string) error {
	if socket == "" {
		return errNothing
	}
	c, err := net.Dial("unix", socket)
	if err == nil {
		c.Close()
	}
	return err
}

func system(call, a, b, c uintptr) error {
	fd, _, errno := syscall.Syscall6(call, a, b, c, 0, 0, 0)
	if errno == 0 {
		_ = syscall.Close(int(fd))
	}
	if errno == syscall.EINVAL || errno == syscall.E2BIG || errno == syscall.EFAULT {
		return nil // the kernel has looked at it
	}
	return orNil(errno)
}

func orNil(errno syscall.Errno) error {
	if errno == 0 {
		return nil
	}
	return errno
}

const hostile, attack = "SLUICE_TEST_HOSTILE", "SLUICE_TEST_ATTACK"

// TestMain is the hostile app, too: one process per attack, so that none is helped
// or hindered by what another did to its own process.
func TestMain(m *testing.M) {
	if address := os.Getenv("TEST_SEALED"); address != "" {
		beSealed(address)
	}
	text := os.Getenv(hostile)
	if text == "" { // a test, or what the clone runs
		os.Exit(m.Run())
	}
	if n, err := strconv.Atoi(os.Getenv(attack)); err == nil {
		var w world
		if err := json.Unmarshal([]byte(text), &w); err != nil {
			panic(err)
		}
		fmt.Print(attacks[n].try(w))
		return
	}
	for i, a := range attacks {
		cmd := exec.Command("/proc/self/exe")
		cmd.Env = []string{hostile + "=" + text, attack + "=" + strconv.Itoa(i), "GORACE=atexit_sleep_ms=0"}
		out, err := cmd.CombinedOutput()
		if err != nil {
			out = fmt.Append(out, err)
		}
		fmt.Printf("%s: %s\n", a.name, strings.ReplaceAll(string(out), "\n", "; "))
	}
	fmt.Println("done")
}

// TestHostileApp runs the attacks as an app whose developer has credentials,
// servers and files. As root it does so once more as another user, whose sandbox is
// made in a user namespace.
func TestHostileApp(t *testing.T) {
	w := makeWorld(t)
	g := newGroup(t)
	if !g.host.namespaces || !g.host.pids {
		t.Skip("no namespaces here; run as root, or allow user namespaces")
	}
	text, err := json.Marshal(w)
	if err != nil {
		t.Fatal(err)
	}
	lines, exit := run(t, g, Spec{
		Command: []string{os.Args[0]}, Env: []string{hostile + "=" + string(text)}, Dir: w.AppDir, ReadOnly: true, OpenFiles: 1024,
	})
	t.Log(strings.Join(lines, "\n"))
	if exit != (Exit{}) || len(lines) != len(attacks)+1 {
		t.Errorf("%d of %d attacks, %s", len(lines)-1, len(attacks), exit)
	}
	for _, line := range lines {
		if strings.HasSuffix(line, ": <nil>") {
			t.Errorf("succeeded: %s", strings.TrimSuffix(line, ": <nil>"))
		}
	}
}

func TestHostileAppOfAnUnprivilegedUser(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("this user is the one that TestHostileApp ran as; both run as root")
	}
	dir := outside(t)
	program := filepath.Join(dir, "test")
	copyFile(t, os.Args[0], program, 0o755)
	cmd := exec.Command(program, "-test.run=^TestHostileApp$", "-test.v")
	cmd.Dir, cmd.Env = dir, []string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	out, err := cmd.CombinedOutput()
	if err != nil || strings.Contains(string(out), "--- SKIP") {
		t.Errorf("%v\n%s", err, out)
	}
	t.Logf("%s", out)
}

// outside makes a directory beside /tmp: one below it is out of sight anyway.
func outside(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/var/tmp", "sluice-hostile-test-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

func copyFile(t *testing.T, from, to string, mode os.FileMode) {
	t.Helper()
	b, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(to, b, mode); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(to, mode); err != nil {
		t.Fatal(err)
	}
}

func makeWorld(t *testing.T) world {
	dir := outside(t)
	w := world{File: dir + "/file", AppDir: dir + "/app", Home: dir + "/home", Sluice: dir + "/sluice-up"}
	for _, d := range []string{"/app", "/sluice-up", "/home/.aws", "/home/.ssh"} {
		if err := os.MkdirAll(dir+d, 0o777); err != nil {
			t.Fatal(err)
		}
	}
	for _, f := range []string{w.File, w.Home + "/.aws/credentials", w.Home + "/.ssh/id_ed25519", w.Home + "/.netrc"} {
		if err := os.WriteFile(f, []byte("secret"), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("HOME", w.Home)
	sleeper := exec.Command("sleep", "60") // the kernel shows what a process was started with
	if err := sleeper.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = sleeper.Process.Kill(); _ = sleeper.Wait() })
	w.PID = sleeper.Process.Pid
	w.Abstract = fmt.Sprintf("@sluice-hostile-test-%d", os.Getpid())
	listen(t, w.Abstract)
	if os.Geteuid() == 0 {
		w.Socket = fmt.Sprintf("/run/sluice-hostile-test-%d", os.Getpid())
		listen(t, w.Socket)
		w.Setuid = dir + "/id"
		id, err := exec.LookPath("id")
		if err != nil {
			t.Fatal(err)
		}
		copyFile(t, id, w.Setuid, 0o755)
		if err := errors.Join(os.Chown(w.Setuid, 65534, 65534), os.Chmod(w.Setuid, 0o755|os.ModeSetuid)); err != nil {
			t.Fatal(err)
		}
	}
	shared, err := unix.SysvShmGet(unix.IPC_PRIVATE, 4096, unix.IPC_CREAT|0o666)
	if err != nil {
		t.Fatal(err)
	}
	w.Shared = shared
	t.Cleanup(func() { _, _ = unix.SysvShmCtl(shared, unix.IPC_RMID, nil) })
	return w
}

func listen(t *testing.T, socket string) {
	t.Helper()
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() }) // a connection that nobody accepts is one, too
}
