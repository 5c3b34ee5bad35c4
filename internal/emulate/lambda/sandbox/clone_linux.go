package sandbox

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// Clones are made by CRIU, which runs inside of a sandbox as its processes do: it dumps
// the command and what that started, and restores them in another sandbox, which was set
// up as the first one was. So it has to know nothing of namespaces, mounts or networks, and
// each clone has its own. The first process of a sandbox is no part of a dump.
// https://criu.org

// Files that a sandbox with clones gets after its orders.
const (
	networkFile = orders + 1
	imageFile   = orders + 2
	joinFiles   = orders + 3 // of a dump: mnt, ipc, pid
	outputFile  = 40         // a number that is free in every process
)

// beforeClones is the process id before those of a command that is dumped: with ids that
// the first process of another sandbox and its threads have not taken.
const beforeClones = "999"

// ghostLimit bounds a file that a process has open and nobody finds any more, in bytes: as much
// as fits into a snapshot.
const ghostLimit = "2147483647"

// cloneOrders tell CRIU what to do.
type cloneOrders struct {
	Criu   string // the program
	PID    int    // of the command, in its sandbox
	Output string // pipe:[1234], of the dump
	Log    string
}

// clone is the part of a Spec that Restore sets.
type clone struct {
	image    *cloneOrders
	snapshot *Snapshot
}

// Snapshot is what processes are restored from. It lies in memory, in a file system that is
// mounted nowhere: nobody else can open it, and it goes with this process.
type Snapshot struct {
	Bytes int64

	dir    *os.File
	criu   string
	pid    int
	output string
}

// Close gives the memory back. Processes that were restored live on.
func (s *Snapshot) Close() error { return s.dir.Close() }

// path is the snapshot's directory, for this process and its children.
func (s *Snapshot) path() string { return fmt.Sprintf("/proc/%d/fd/%d", os.Getpid(), s.dir.Fd()) }

var criuVersion = regexp.MustCompile(`Version: (\d+)\.(\d+)`)

// Clones says why this machine cannot clone processes; nil is that it can.
func (h *Host) Clones() error {
	switch {
	case os.Geteuid() != 0:
		return errors.New("not root")
	case !h.namespaces || !h.pids:
		return errors.New("no mount and PID namespaces")
	}
	criu, err := exec.LookPath("criu")
	if err != nil {
		return errors.New("no criu on PATH")
	}
	out, err := exec.Command(criu, "-V").CombinedOutput()
	v := criuVersion.FindSubmatch(out)
	if err != nil || v == nil {
		return fmt.Errorf("criu does not tell its version: %w", errors.Join(err, errors.New(strings.TrimSpace(string(out)))))
	}
	major, _ := strconv.Atoi(string(v[1]))
	minor, _ := strconv.Atoi(string(v[2]))
	if major < 4 || major == 4 && minor < 2 {
		return fmt.Errorf("criu %d.%d is older than 4.2", major, minor)
	}
	h.criu = criu
	return nil
}

// CloneIn gives the group a network of its own, and has it start processes that can be
// dumped. It comes before Start, or Restore. The user of these processes is root by name,
// without a root's capabilities: CRIU dumps no user namespaces as sandboxes have them.
func (g *Group) CloneIn(n *Network) { g.network = n }

// Dump takes a snapshot of a process, its children and the group's /tmp. They stand still
// afterwards, and the caller kills the group. If it fails they go on.
func (g *Group) Dump(p *Process) (*Snapshot, error) {
	s, err := newSnapshot(g.host.criu)
	if err != nil {
		return nil, fmt.Errorf("make room for a snapshot: %w", err)
	}
	if err := g.dump(p, s); err != nil {
		return nil, errors.Join(fmt.Errorf("take a snapshot: %w", err), s.Close())
	}
	return s, nil
}

func (g *Group) dump(p *Process, s *Snapshot) error {
	if err := s.find(p.PID()); err != nil {
		return err
	}
	if err := copyTree(g.reach(g.tmp), s.path()+"/tmp"); err != nil {
		return fmt.Errorf("copy /tmp: %w", err)
	}
	files := []*os.File{g.network.file, s.dir}
	for _, name := range []string{"mnt", "ipc", "pid"} {
		f, err := os.Open(fmt.Sprintf("/proc/%d/ns/%s", p.PID(), name))
		if err != nil {
			return err
		}
		defer f.Close()
		files = append(files, f)
	}
	e := entry{Join: true, Image: s.orders("dump.log")}
	cmd, err := e.start(&syscall.SysProcAttr{Setsid: true, Pdeathsig: syscall.SIGKILL}, files...)
	if err != nil {
		return err
	}
	var out strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &out
	err = g.spawner().do(cmd.Start)
	cmd.ExtraFiles[0].Close()
	if err == nil {
		err = cmd.Wait()
	}
	if err != nil {
		return errors.New(strings.TrimSpace(out.String()))
	}
	s.Bytes = size(s.path())
	return nil
}

// find learns the command's id in its sandbox, and where its output goes.
func (s *Snapshot) find(first int) error {
	children := childrenOf(first)
	if len(children) == 0 {
		return errors.New("there is no process")
	}
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", children[0]))
	if err != nil {
		return err
	}
	_, ids, _ := strings.Cut(string(status), "NSpid:")
	ids, _, _ = strings.Cut(ids, "\n")
	f := strings.Fields(ids)
	if len(f) == 0 {
		return errors.New("the kernel does not tell process ids of namespaces")
	}
	if s.pid, err = strconv.Atoi(f[len(f)-1]); err != nil {
		return err
	}
	s.output, err = os.Readlink(fmt.Sprintf("/proc/%d/fd/1", children[0]))
	return err
}

func (s *Snapshot) orders(log string) *cloneOrders {
	return &cloneOrders{Criu: s.criu, PID: s.pid, Output: s.output, Log: log}
}

// Restore starts a clone of the process that was dumped, with its children and its /tmp. It
// has the process's ids, and its memory; spec is what the process was started with.
func (g *Group) Restore(spec Spec, s *Snapshot) (*Process, error) {
	if err := copyTree(s.path()+"/tmp", g.reach(g.tmp)); err != nil {
		return nil, fmt.Errorf("copy /tmp: %w", err)
	}
	spec.clone = clone{s.orders(fmt.Sprintf("restore-%d.log", opened.Add(1))), s}
	return g.Start(spec)
}

// newSnapshot makes a file system that is mounted nowhere.
func newSnapshot(criu string) (*Snapshot, error) {
	kind, err := unix.Fsopen("tmpfs", unix.FSOPEN_CLOEXEC)
	if err != nil {
		return nil, err
	}
	defer unix.Close(kind)
	if err := unix.FsconfigSetString(kind, "mode", "0700"); err != nil {
		return nil, err
	}
	if err := unix.FsconfigCreate(kind); err != nil {
		return nil, err
	}
	fd, err := unix.Fsmount(kind, unix.FSMOUNT_CLOEXEC, unix.MOUNT_ATTR_NOSUID|unix.MOUNT_ATTR_NODEV|unix.MOUNT_ATTR_NOEXEC)
	if err != nil {
		return nil, err
	}
	return &Snapshot{dir: os.NewFile(uintptr(fd), "snapshot"), criu: criu}, nil
}

// copyTree copies what is in a directory to another, which it makes.
func copyTree(from, to string) error {
	if err := os.MkdirAll(to, 0o700); err != nil {
		return err
	}
	out, err := exec.Command("cp", "-a", from+"/.", to).CombinedOutput()
	if err != nil {
		return errors.Join(err, errors.New(strings.TrimSpace(string(out))))
	}
	return nil
}

func size(dir string) int64 {
	var total int64
	_ = filepath.WalkDir(dir+"/", func(_ string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return nil
		}
		if info, err := d.Info(); err == nil {
			total += info.Size()
		}
		return nil
	})
	return total
}

// What follows runs in the process that enters the sandbox.

func joinNetwork() error {
	defer unix.Close(networkFile)
	if err := unix.Setns(networkFile, unix.CLONE_NEWNET); err != nil {
		return fmt.Errorf("enter the network: %w", err)
	}
	return nil
}

// dump runs CRIU in the sandbox of another process.
func (e *entry) dump() (int, error) {
	if err := joinNetwork(); err != nil {
		return notStarted, err
	}
	if err := unix.Unshare(unix.CLONE_FS); err != nil { // other threads keep their place in the old files
		return notStarted, err
	}
	for i, kind := range []int{unix.CLONE_NEWNS, unix.CLONE_NEWIPC, unix.CLONE_NEWPID} {
		if err := unix.Setns(joinFiles+i, kind); err != nil {
			return notStarted, fmt.Errorf("enter the sandbox: %w", err)
		}
		unix.Close(joinFiles + i)
	}
	// The end of the command would be that of its sandbox, and of CRIU in it.
	if err := e.Image.run("dump", "leave-stopped", "tree="+strconv.Itoa(e.Image.PID)); err != nil {
		return notStarted, err
	}
	return 0, nil
}

// restore runs CRIU as the first process of a sandbox, gives up what it needed for that, and
// waits for the process that was restored.
func (e *entry) restore() (int, error) {
	signals := ignoreSignals()
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
		return notStarted, fmt.Errorf("hide the first process: %w", err)
	}
	if err := unix.Dup3(1, outputFile, 0); err != nil {
		return notStarted, err
	}
	err := e.Image.run("restore", "restore-detached", fmt.Sprintf("inherit-fd=fd[%d]:%s", outputFile, e.Image.Output))
	if err != nil {
		return notStarted, err
	}
	if err := dropPrivileges(true); err != nil {
		return notStarted, err
	}
	for _, fd := range []int{0, 1, 2, imageFile, outputFile} {
		_ = syscall.Close(fd)
	}
	go passTerm(signals, e.Image.PID)
	return reap(e.Image.PID), nil
}

// run runs CRIU with what dump and restore have in common.
func (o *cloneOrders) run(what string, options ...string) error {
	args := []string{o.Criu, what, "-v1"}
	for _, option := range append([]string{
		fmt.Sprintf("images-dir=/proc/self/fd/%d", imageFile), "log-file=" + o.Log, "tcp-established", "ext-unix-sk", "file-locks", "link-remap",
		"ghost-limit=" + ghostLimit, "manage-cgroups=ignore", "network-lock=skip",
	}, options...) {
		args = append(args, "--"+option)
	}
	pid, err := syscall.ForkExec(o.Criu, args, &syscall.ProcAttr{
		Env: []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}, Files: filesUpTo(outputFile),
	})
	if err != nil {
		return fmt.Errorf("run criu: %w", err)
	}
	var status syscall.WaitStatus
	for {
		ended, err := syscall.Wait4(pid, &status, 0, nil)
		if err == nil && ended == pid {
			break
		}
		if err != nil && !errors.Is(err, syscall.EINTR) {
			return fmt.Errorf("wait for criu: %w", err)
		}
	}
	switch {
	case status.Signaled():
		return fmt.Errorf("criu %s failed: signal: %s", what, status.Signal())
	case status.ExitStatus() != 0:
		return fmt.Errorf("criu %s failed: %s", what, o.failure())
	}
	return nil
}

// filesUpTo hands down every file that is open, by its number.
func filesUpTo(last int) []uintptr {
	files := make([]uintptr, last+1)
	for fd := range files {
		files[fd] = ^uintptr(0)
		if _, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); err == nil && (fd < 3 || fd == imageFile || fd == outputFile) {
			files[fd] = uintptr(fd)
		}
	}
	return files
}

// failure is what CRIU's log says of its errors, on one line. That it finds no tun, which a
// sandbox has not, is none.
func (o *cloneOrders) failure() string {
	dir, err := unix.Openat(imageFile, o.Log, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return "it has no log"
	}
	log := os.NewFile(uintptr(dir), o.Log)
	defer log.Close()
	text := make([]byte, 4096)
	n, _ := log.Read(text)
	var errs []string
	for line := range strings.Lines(string(text[:n])) {
		if line = strings.TrimSpace(line); line != "" && !strings.Contains(line, "criu/tun.c") {
			errs = append(errs, line)
		}
	}
	return strings.Join(errs, "; ")
}

// nothingToRead opens the command's input inside of the sandbox: what was opened before
// cannot be dumped.
func nothingToRead() error {
	fd, err := unix.Open("/dev/null", unix.O_RDONLY, 0)
	if err != nil {
		return fmt.Errorf("open an empty input: %w", err)
	}
	if fd == 0 {
		return nil
	}
	defer unix.Close(fd)
	return unix.Dup3(fd, 0, 0)
}

// passTerm passes SIGTERM on to the command, which leads a process group of its own.
func passTerm(signals <-chan os.Signal, pid int) {
	for s := range signals {
		if s == syscall.SIGTERM {
			_ = syscall.Kill(-pid, syscall.SIGTERM)
		}
	}
}
