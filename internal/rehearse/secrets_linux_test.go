package rehearse_test

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/aproorg/sluice/internal/emulate/lambda/sandbox/sandboxtest"
	"github.com/aproorg/sluice/internal/testkit"
)

// TestSnapshotGoesWithItsProcess: the snapshot, which holds the app's secrets, lies where nobody else can open it, and neither it nor a
// process is left when the rehearsal is ended, or killed.
func TestSnapshotGoesWithItsProcess(t *testing.T) {
	sandboxtest.NeedClones(t)
	for name, end := range map[string]os.Signal{"Ctrl-C": os.Interrupt, "kill -9": os.Kill} {
		t.Run(name, func(t *testing.T) {
			tmp := t.TempDir()
			cmd := exec.Command("/proc/self/exe", "snapstart-rehearsal")
			cmd.Env, cmd.Stderr = append(os.Environ(), "TMPDIR="+tmp), t.Output()
			out, err := cmd.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			defer func() { _ = cmd.Process.Kill() }()
			site, err := bufio.NewReader(out).ReadString('\n')
			if err != nil {
				t.Fatal(err)
			}
			if res, _ := get(t, visitor(t), strings.TrimSpace(site)+"/api/me"); res.StatusCode != 200 {
				t.Fatal(res.Status)
			}
			dir, device := snapshotOf(t, cmd.Process.Pid)
			sealed(t, dir)
			processes := below(cmd.Process.Pid)
			if len(processes) < 3 {
				t.Fatalf("the processes are %v: the test counts wrongly", processes)
			}
			if err := cmd.Process.Signal(end); err != nil {
				t.Fatal(err)
			}
			_ = cmd.Wait()
			testkit.Wait(t, 10*time.Second, "nothing", func() (string, bool) {
				var left []string
				for _, pid := range processes {
					if runs(pid) {
						left = append(left, strconv.Itoa(pid))
					}
				}
				left = append(left, holders(device)...)
				return strings.Join(left, " "), len(left) == 0
			})
			if files, err := os.ReadDir(tmp); end == os.Interrupt && (err != nil || len(files) > 0) {
				t.Errorf("files are left: %v %v", files, err)
			}
		})
	}
}

// snapshotOf finds the directory of the snapshot among the open files of a process, and its device.
func snapshotOf(t *testing.T, pid int) (dir string, device uint64) {
	t.Helper()
	files, _ := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", pid))
	for _, f := range files {
		if _, err := os.Stat(f + "/pages-1.img"); err != nil {
			continue
		}
		var s unix.Stat_t
		if err := unix.Stat(f, &s); err != nil {
			t.Fatal(err)
		}
		return f, s.Dev
	}
	t.Fatalf("no snapshot among %v", files)
	return "", 0
}

// sealed holds that the directory is root's alone, in memory and mounted nowhere, and that another user cannot open it.
func sealed(t *testing.T, dir string) {
	t.Helper()
	info, err := os.Stat(dir)
	if err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("the snapshot's directory: %v %v", info.Mode(), err)
	}
	var fs unix.Statfs_t
	if err := unix.Statfs(dir, &fs); err != nil || fs.Type != unix.TMPFS_MAGIC {
		t.Errorf("the snapshot's file system: %x %v", fs.Type, err)
	}
	ls := exec.Command("ls", dir+"/")
	ls.Dir = "/"
	ls.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	if listed, err := ls.CombinedOutput(); err == nil || !strings.Contains(string(listed), "denied") {
		t.Errorf("another user lists the snapshot: %s %v", listed, err)
	}
	var s unix.Stat_t
	if err := unix.Stat(dir, &s); err != nil {
		t.Fatal(err)
	}
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil || strings.Contains(string(mounts), fmt.Sprintf(" %d:%d ", unix.Major(s.Dev), unix.Minor(s.Dev))) {
		t.Errorf("the snapshot is mounted: %v\n%s", err, mounts)
	}
}

// below are the processes below one.
func below(pid int) (all []int) {
	tasks, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	for _, file := range tasks {
		data, _ := os.ReadFile(file) // a thread that has ended has none
		for _, child := range strings.Fields(string(data)) {
			if id, err := strconv.Atoi(child); err == nil {
				all = append(append(all, id), below(id)...)
			}
		}
	}
	return all
}

// runs is false of a process that has ended, though nobody may have taken notice.
func runs(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return false
	}
	_, state, _ := strings.Cut(string(stat), ") ")
	return state != "" && state[0] != 'Z' && state[0] != 'X'
}

// holders are open files of any process on a device.
func holders(device uint64) (all []string) {
	files, _ := filepath.Glob("/proc/[0-9]*/fd/*")
	for _, f := range files {
		var s unix.Stat_t
		if unix.Stat(f, &s) == nil && s.Dev == device {
			all = append(all, f)
		}
	}
	return all
}
