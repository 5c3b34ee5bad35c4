package bootstrap_test

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/aproorg/sluice/internal/bootstrap/runtimeapi/runtimetest"
	"github.com/aproorg/sluice/internal/testdeps"
	"github.com/aproorg/sluice/internal/testkit"
)

// checkpoint is an environment, bootstrap and app, that was dumped whole while it waited for a restore.
type checkpoint struct {
	t       *testing.T
	criu    string
	address string // of the Runtime API
	pid     int    // of the bootstrap
	pids    []int  // of all
	dir     string
	log     string // file of all that the environment says
	size    int64  // of the log when the environment was dumped
}

// dumpEnvironment starts the bootstrap, waits until a snapshot can be taken, and takes one.
func dumpEnvironment(t *testing.T, command []string, env ...string) *checkpoint {
	t.Helper()
	const again = "install CRIU 4.2 and run as root: go test ./internal/bootstrap -run Clones"
	criu, err := exec.LookPath("criu")
	if err != nil {
		t.Skip("no real clones without CRIU; " + again)
	}
	if out, err := exec.Command(criu, "check").CombinedOutput(); err != nil {
		t.Skipf("CRIU cannot work here (%v: %s); %s", err, out, again)
	}
	server, err := runtimetest.Start()
	if err != nil {
		t.Fatal(err)
	}
	c := &checkpoint{t: t, criu: criu, address: server.Addr(), dir: t.TempDir()}
	c.log = filepath.Join(c.dir, "environment.log")
	output, err := os.Create(c.log)
	if err != nil {
		t.Fatal(err)
	}
	defer output.Close()
	cmd := exec.Command(build(t), append([]string{"--"}, command...)...)
	cmd.Env = append(os.Environ(), "AWS_LAMBDA_RUNTIME_API="+c.address, "SLUICE_READY_INTERVAL=50ms", "SLUICE_READY_ATTEMPTS=1000", "UV_USE_IO_URING=0", snapStart)
	cmd.Env = append(cmd.Env, env...)
	cmd.Stdout, cmd.Stderr = output, output
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if said, _ := os.ReadFile(c.log); t.Failed() {
			t.Logf("the environment:\n%s", said)
		}
	})
	c.pid = cmd.Process.Pid
	select {
	case <-server.RestoreAsked():
		children, _ := childrenOf(c.pid)
		c.pids = append(children, c.pid)
		for _, child := range children {
			grandchildren, _ := childrenOf(child)
			c.pids = append(c.pids, grandchildren...)
		}
		c.run("dump", "-t", strconv.Itoa(c.pid), "--tcp-established", "--network-lock", "skip")
	case <-time.After(60 * time.Second):
		t.Error("no restore/next within 60 s")
		_ = cmd.Process.Kill()
	}
	_ = cmd.Wait()
	server.Close()
	if t.Failed() {
		t.FailNow()
	}
	c.awaitEnd()
	info, err := os.Stat(c.log)
	if err != nil {
		t.Fatal(err)
	}
	c.size = info.Size()
	return c
}

func (c *checkpoint) run(verb string, args ...string) {
	c.t.Helper()
	args = append([]string{verb, "-D", c.dir, "-v2", "-o", verb + ".log", "--ext-unix-sk", "--file-locks", "--link-remap", "--ghost-limit", "100000000"}, args...)
	if out, err := exec.Command(c.criu, args...).CombinedOutput(); err != nil {
		said, _ := os.ReadFile(filepath.Join(c.dir, verb+".log"))
		c.t.Fatalf("criu %s: %v: %s%s", verb, err, out, said)
	}
}

// awaitEnd waits until the process ids are free again: who adopts orphans need not wait for them at once.
func (c *checkpoint) awaitEnd() {
	c.t.Helper()
	testkit.Wait(c.t, 20*time.Second, "the end of all processes", func() (string, bool) {
		left := slices.DeleteFunc(slices.Clone(c.pids), func(pid int) bool {
			_, err := os.Stat("/proc/" + strconv.Itoa(pid))
			return err != nil
		})
		return fmt.Sprint(left), len(left) == 0
	})
}

// restore makes an environment of the checkpoint, with no connection to anywhere, lets use work with it, and ends it.
func (c *checkpoint) restore(use func(*runtimetest.Server)) {
	c.t.Helper()
	server, err := runtimetest.StartAt(c.address)
	if err != nil {
		c.t.Fatal(err)
	}
	defer server.Close()
	server.Restore()
	begun := time.Now()
	c.run("restore", "--tcp-close", "-d")
	c.t.Logf("restored in %v", time.Since(begun).Round(time.Millisecond))
	defer func() {
		_ = syscall.Kill(c.pid, syscall.SIGKILL) // the app ends with it
		c.awaitEnd()
		said, _ := os.ReadFile(c.log)
		c.t.Logf("it said:\n%s", said[c.size:])
		_ = os.Truncate(c.log, c.size) // CRIU wants its files as they were
	}()
	use(server)
	for _, problem := range server.Problems() {
		c.t.Error("protocol:", problem)
	}
}

// ask is a request to a restored environment.
func (c *checkpoint) ask(server *runtimetest.Server, path string) string {
	c.t.Helper()
	inv := server.Invoke(get(path), 30*time.Second)
	select {
	case <-time.After(30 * time.Second):
		c.t.Fatalf("no answer; errors of the restore: %+v", server.RestoreErrors())
	case <-answered(c.t, inv):
	}
	if _, err := runtimetest.ReadHead(inv.Body); err != nil {
		c.t.Fatal(err)
	}
	body, err := io.ReadAll(inv.Body)
	if err != nil {
		c.t.Fatal(err)
	}
	return string(body)
}

func answered(t *testing.T, inv *runtimetest.Invocation) <-chan struct{} {
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = inv.Answered(t.Context())
	}()
	return done
}

// ids are those that two environments of one checkpoint draw, by their kind.
func (c *checkpoint) ids(path string) [2]map[string]string {
	c.t.Helper()
	var drawn [2]map[string]string
	for i := range drawn {
		c.restore(func(server *runtimetest.Server) {
			if body := c.ask(server, path); json.Unmarshal([]byte(body), &drawn[i]) != nil {
				c.t.Fatalf("ids: %s", body)
			}
		})
	}
	return drawn
}

// TestClonesDrawTheirOwnNumbers: two environments of one snapshot have no random number in common, of all kinds that Node has. Without the
// script they have them all.
func TestClonesDrawTheirOwnNumbers(t *testing.T) {
	app := []string{testdeps.Node(t), idsApp}
	t.Run("without the script", func(t *testing.T) {
		drawn := dumpEnvironment(t, app, "SLUICE_PRELOAD=false").ids("/ids")
		same := 0
		for kind, id := range drawn[0] {
			if drawn[1][kind] == id {
				same++
			}
		}
		if same < 6 {
			t.Errorf("%d kinds are equal: these are no clones\n%v\n%v", same, drawn[0], drawn[1])
		}
	})
	drawn := dumpEnvironment(t, app).ids("/ids")
	if len(drawn[0]) < 13 {
		t.Errorf("only %d kinds", len(drawn[0]))
	}
	for kind, id := range drawn[0] {
		if id == "" || drawn[1][kind] == id {
			t.Errorf("%s: both have %q", kind, id)
		}
	}
}

// TestClonesAreTold: each environment has an id of its own, which the bootstrap draws, and hears of it once.
func TestClonesAreTold(t *testing.T) {
	c := dumpEnvironment(t, []string{testdeps.Node(t), idsApp})
	var environments []string
	for range 2 {
		c.restore(func(server *runtimetest.Server) {
			var events []struct{ Environment string }
			if body := c.ask(server, "/events"); json.Unmarshal([]byte(body), &events) != nil || len(events) != 2 {
				t.Fatalf("events %s", body)
			}
			environments = append(environments, events[1].Environment)
		})
	}
	if environments[0] == environments[1] || strings.Contains(environments[0], " ") {
		t.Errorf("environments %q", environments)
	}
}

// TestClonesOfLibreChatsModules: the ids that the libraries of real releases make differ too. MongoDB's take the write of a session whose number
// they have seen for a repetition, and an MCP server the clients of one session for one client.
func TestClonesOfLibreChatsModules(t *testing.T) {
	releases := filepath.SplitList(os.Getenv("SLUICE_LIBRECHAT_DIR"))
	if len(releases) == 0 {
		t.Skip("no release of LibreChat; run SLUICE_LIBRECHAT_DIR=DIR go test ./internal/bootstrap -run ClonesOfLibreChats, with a directory in which one is built")
	}
	for _, release := range releases {
		t.Run(filepath.Base(release), func(t *testing.T) {
			drawn := dumpEnvironment(t, []string{testdeps.Node(t), idsApp}, "MODULES="+release).ids("/ids")
			for _, kind := range []string{"objectId", "mongoSession", "nanoid", "uuid", "mcpSession"} {
				if id := drawn[0][kind]; id == "" || drawn[1][kind] == id {
					t.Errorf("%s: both have %q", kind, id)
				}
			}
			if first, second := drawn[0]["objectId"], drawn[1]["objectId"]; first[:10] == second[:10] {
				t.Errorf("two environments have one part of their own in %s and %s", first, second)
			}
		})
	}
}

// TestClonesOfPython: what of Python draws its numbers in the process is the same in all environments without the script, which seeds in every
// process what it can reach. What docs/snapstart.md has an app do is enough for the generators that it holds. The others ask the kernel.
func TestClonesOfPython(t *testing.T) {
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("needs python3; install it and run go test ./internal/bootstrap -run ClonesOfPython")
	}
	fresh := []string{"urandom", "secrets", "systemRandom", "uuid4"}
	scripts := append([]string{"random", "forked", "tls", "ssl", "tempfile"}, fresh...)
	for _, c := range []struct {
		name, variable string
		fresh          []string
	}{
		{"without the script", "SLUICE_PRELOAD=false", fresh},
		{"by itself", "", scripts},
		{"seeded", "SLUICE_AFTER_RESTORE_PATH=/seed", append([]string{"own"}, scripts...)},
	} {
		t.Run(c.name, func(t *testing.T) {
			drawn := dumpEnvironment(t, []string{python, "snapshot/testdata/ids.py"}, c.variable).ids("/ids")
			for kind, id := range drawn[0] {
				if same, want := drawn[1][kind] == id, !slices.Contains(c.fresh, kind); same != want {
					t.Errorf("%s: %q and %q, want the same: %v", kind, id, drawn[1][kind], want)
				}
			}
			if len(drawn[0]) != 12 {
				t.Errorf("%d kinds", len(drawn[0]))
			}
		})
	}
}
