package sandbox

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aproorg/sluice/internal/seal"
	"github.com/aproorg/sluice/internal/testkit"
)

// beSealed lets the test's binary be a process that is sealed, as the bootstrap is.
func beSealed(address string) {
	conn, err := net.Dial("tcp", address)
	if err := errors.Join(err, seal.Process()); err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	memory := make([]byte, 2<<20) // more than a small program would hold
	for i := range memory {
		memory[i] = 1
	}
	fmt.Println(conn.LocalAddr())
	<-make(chan struct{})
	runtime.KeepAlive(memory)
}

// TestSealedProcess: a group knows the processes, the memory and the sockets of a process that its own user cannot read.
func TestSealedProcess(t *testing.T) {
	g := newGroup(t)
	server, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	var out output
	p, err := g.Start(Spec{Output: out.add, Command: []string{os.Args[0]}, Visible: []string{os.Args[0]}, Env: []string{"TEST_SEALED=" + server.Addr().String(), "PATH=" + os.Getenv("PATH")}})
	if err != nil {
		t.Fatal(err)
	}
	testkit.Wait(t, 10*time.Second, "its connection", func() (string, bool) { return fmt.Sprint(out.get()), len(out.get()) > 0 })
	processes := g.Processes()
	want := 1
	if g.wrapped() { // there is another in front of it
		want = 2
	}
	if len(processes) != want {
		t.Errorf("its processes are %v, want %d", processes, want)
	}
	if used := g.Memory(); used < 1<<20 {
		t.Errorf("it holds %d bytes of memory", used)
	}
	socket, err := SocketAt(netip.MustParseAddrPort(out.get()[0]))
	if err != nil || !g.Holds(socket) {
		if g.host.namespaces || os.Getuid() == 0 {
			t.Errorf("its connection %s is not its own: %v", out.get()[0], err)
		}
	}
	if err := g.Freeze(); err != nil {
		t.Error(err)
	}
	if g.dirfd == nil {
		settled(t, processes, true)
	}
	if err := g.Thaw(); err != nil {
		t.Error(err)
	}
	if err := g.Kill(); err != nil {
		t.Error(err)
	}
	if g.host.pids {
		testkit.Wait(t, 5*time.Second, "its end", func() (string, bool) { return fmt.Sprint(g.Processes()), len(g.Processes()) == 0 })
	}
	<-p.Done()
}

// TestSealedProcessWithoutRoot is the same as a user who has no rights over others.
func TestSealedProcessWithoutRoot(t *testing.T) {
	nobody := []string{"--reuid=65534", "--regid=65534", "--clear-groups", "--inh-caps=-all"}
	if out, err := exec.Command("setpriv", append(slices.Clone(nobody), "true")...).CombinedOutput(); err != nil {
		t.Skipf("%v: %s; run as root, with setpriv of util-linux: go test ./internal/emulate/lambda/sandbox -run TestSealedProcess", err, out)
	}
	dir, err := os.MkdirTemp("/var/tmp", "sealed") // t.TempDir is its user's alone
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	program, err := os.ReadFile(os.Args[0])
	if err == nil {
		err = os.WriteFile(dir+"/sandbox.test", program, 0o755)
	}
	if err == nil {
		err = os.Chmod(dir, 0o777)
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{os.Getenv("PATH"), dir} { // in the second there is no sh to try the sandbox with, thus none
		cmd := exec.Command("setpriv", append(nobody, dir+"/sandbox.test", "-test.run=^TestSealedProcess$", "-test.v")...)
		cmd.Dir, cmd.Env = "/", []string{"PATH=" + path, "TMPDIR=" + dir}
		out, err := cmd.CombinedOutput()
		if err != nil || !strings.Contains(string(out), "--- PASS: TestSealedProcess ") {
			t.Errorf("%v\n%s", err, out)
		}
		t.Logf("%s", out)
	}
}
