package lambda_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aproorg/sluice/internal/emulate/lambda"
	"github.com/aproorg/sluice/internal/testkit"
)

// runHost is an emulator in a process of its own. It prints its address and then
// serves until it is killed.
func runHost(dir string) {
	self, _ := os.Executable()
	em, err := lambda.New(lambda.Config{
		Process: lambda.Process{Command: []string{self}, Env: []string{"TEST_RUNTIME=1", "PATH=" + os.Getenv("PATH")}, Writable: []string{dir}},
		Dir:     filepath.Join(dir, "envs"),
	})
	if err != nil {
		println(err.Error())
		os.Exit(1)
	}
	server := httptest.NewServer(em)
	os.Stdout.WriteString(server.URL + "\n")
	select {}
}

// TestKilledEmulator: when the emulator's own process is killed, its frozen
// environments die with it, grandchildren in sessions of their own included.
func TestKilledEmulator(t *testing.T) {
	if !isolates(start(t, nil)) {
		t.Skip("no PID namespaces here; run as root, or allow user namespaces")
	}
	self, _ := os.Executable()
	dir := t.TempDir()
	file := filepath.Join(dir, "ticks")
	host := exec.Command(self, "host", dir)
	host.Stderr = os.Stderr
	out, err := host.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := host.Start(); err != nil {
		t.Fatal(err)
	}
	line, _ := bufio.NewReader(out).ReadString('\n')
	body, _ := json.Marshal(event{Do: "child", Path: file, After: 50})
	resp, err := http.Post(strings.TrimSpace(line)+"/2015-03-31/functions/function/invocations", "application/json", strings.NewReader(string(body)))
	if err != nil || resp.StatusCode != 200 {
		t.Fatal(resp, err)
	}
	resp.Body.Close()
	time.Sleep(300 * time.Millisecond) // for the freeze, which this process does not see
	_ = host.Process.Kill()
	_ = host.Wait()
	testkit.Wait(t, 10*time.Second, "the end of all processes", func() (string, bool) {
		left := mentioning(dir)
		return fmt.Sprintf("%q", left), len(left) == 0
	})
	before := size(file)
	time.Sleep(100 * time.Millisecond) // some ticks of a child that is left
	if before == 0 || size(file) != before {
		t.Errorf("the child's file has %d bytes, then %d", before, size(file))
	}
}

// mentioning lists the processes whose command line has text.
func mentioning(text string) []string {
	dirs, _ := os.ReadDir("/proc")
	var found []string
	for _, d := range dirs {
		if pid, err := strconv.Atoi(d.Name()); err == nil && pid != os.Getpid() {
			if b, _ := os.ReadFile("/proc/" + d.Name() + "/cmdline"); strings.Contains(string(b), text) {
				found = append(found, strings.ReplaceAll(string(b), "\x00", " "))
			}
		}
	}
	return found
}

// TestZombies: nobody waits for a process whose parent has ended; the first
// process of the sandbox must.
func TestZombies(t *testing.T) {
	w := start(t, nil)
	if !isolates(w) {
		t.Skip("no PID namespaces here; run as root, or allow user namespaces")
	}
	for range 5 {
		w.invoke(event{Do: "orphan", After: 50})
		w.frozen()
	}
	got, _ := w.invoke(event{Do: "zombies"})
	if got != "0" {
		t.Errorf("%s zombies", got)
	}
}
