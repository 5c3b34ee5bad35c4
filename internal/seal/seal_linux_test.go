package seal

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestMain lets the test's binary be the process that is sealed, and the one that looks at it.
func TestMain(m *testing.M) {
	if os.Getenv("TEST_SEALED") == "" {
		os.Exit(m.Run())
	}
	begun := time.Now()
	err := EraseEnvironment()
	took := time.Since(begun)
	if err == nil {
		err = Process()
	}
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	child, err := exec.Command("/bin/sh", "-c", "cat /proc/$PPID/environ | tr -d '\\0'; echo; ls /proc/$PPID/fd >/dev/null 2>&1 && echo files; head -c 0 /proc/$PPID/mem 2>/dev/null && echo memory; echo own $TEST_SEALED").CombinedOutput()
	fmt.Printf("%sstart %s child %v go %s\n", child, took, err, os.Getenv("TEST_SEALED"))
	_, _ = io.Copy(io.Discard, os.Stdin)
}

// sealed starts such a process, as another user where that is possible.
func sealed(t *testing.T, uid uint32) (pid int, said string) {
	t.Helper()
	binary := os.Args[0]
	if uid != 0 { // it must be able to read its program
		binary = readable(t)
	}
	cmd := exec.Command(binary)
	cmd.Dir = "/"
	cmd.Env = []string{"A=1", "TEST_SEALED=s3cr3t", "PATH=" + os.Getenv("PATH")}
	if uid != 0 {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uid, Gid: uid}}
	}
	in, _ := cmd.StdinPipe()
	out, _ := cmd.StdoutPipe()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { in.Close(); _ = cmd.Wait() })
	buf := make([]byte, 4<<10)
	for !strings.Contains(said, "start ") {
		n, err := out.Read(buf)
		if said += string(buf[:n]); err != nil {
			t.Fatalf("%v after %s", err, said)
		}
	}
	return cmd.Process.Pid, said
}

// readable copies this binary to where every user can run it.
func readable(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/tmp", "seal") // t.TempDir is its user's alone
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	program, err := os.ReadFile(os.Args[0])
	if err == nil {
		err = os.WriteFile(dir+"/sealed", program, 0o755)
	}
	if err == nil {
		err = os.Chmod(dir, 0o755)
	}
	if err != nil {
		t.Fatal(err)
	}
	return dir + "/sealed"
}

// TestNobodyReadsTheEnvironment: neither root nor the process's own user.
func TestNobodyReadsTheEnvironment(t *testing.T) {
	pid, said := sealed(t, uint32(os.Getuid()))
	if strings.Count(said, "s3cr3t") != 2 { // what its child got, and what it sees itself
		t.Errorf("it said:\n%s", said)
	}
	environ, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", pid))
	if os.Getuid() == 0 && err != nil {
		t.Error(err)
	}
	if strings.Trim(string(environ), "\x00") != "" {
		t.Errorf("its environment is %q", environ)
	}
	cmdline, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	if err != nil || !strings.HasPrefix(string(cmdline), os.Args[0]) {
		t.Errorf("its command line is %q, %v", cmdline, err)
	}
	t.Log(said)
}

// TestTheSameUserReadsNothing: what a user without CAP_SYS_PTRACE, as Lambda's, sees of his own process.
func TestTheSameUserReadsNothing(t *testing.T) {
	uid := uint32(os.Getuid())
	if uid == 0 {
		uid = 65534 // nobody
	}
	_, said := sealed(t, uid)
	if strings.Contains(said, "files") || strings.Contains(said, "memory") || strings.Count(said, "s3cr3t") != 2 {
		t.Errorf("it said:\n%s", said)
	}
}
