package bootstrap_test

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// spy is what a hostile app does: it looks for ?hex= in all that it can read of its parent, of every process, and of its own, and
// names the places where it is, and those of its parent that it could open at all.
func spy(w http.ResponseWriter, r *http.Request) {
	wanted, _ := hex.DecodeString(r.URL.Query().Get("hex"))
	report := func(place string, found bool) {
		if found {
			fmt.Fprintln(w, "found in", place)
		}
	}
	look := func(files string) {
		names, _ := filepath.Glob(files)
		for _, name := range names {
			text, err := os.ReadFile(name)
			report(name, err == nil && bytes.Contains(text, wanted))
		}
	}
	parent := "/proc/" + strconv.Itoa(os.Getppid())
	for _, files := range []string{"/proc/[0-9]*/environ", "/proc/[0-9]*/cmdline", "/proc/self/environ", "/tmp/sluice*", "/tmp/sluice*/*"} {
		look(files)
	}
	if files, err := os.ReadDir(parent + "/fd"); err == nil {
		for _, file := range files {
			f, err := os.OpenFile(parent+"/fd/"+file.Name(), os.O_RDONLY|0x800, 0) // O_NONBLOCK, for pipes
			if err == nil {
				fmt.Fprintln(w, "opened", parent+"/fd/"+file.Name())
				if info, err := f.Stat(); err == nil && info.Mode().IsRegular() {
					text, _ := io.ReadAll(f)
					report(f.Name(), bytes.Contains(text, wanted))
				}
				f.Close()
			}
		}
	}
	if memory, err := os.Open(parent + "/mem"); err == nil {
		fmt.Fprintln(w, "opened", parent+"/mem")
		report(parent+"/mem", memoryHolds(parent, memory, wanted))
		memory.Close()
	}
	own, _ := os.ReadDir("/proc/self/fd")
	for _, file := range own {
		to, _ := os.Readlink("/proc/self/fd/" + file.Name())
		if !strings.HasPrefix(to, "/proc") {
			fmt.Fprintln(w, "has file", file.Name(), strings.TrimRight(to, "0123456789[]"))
		}
	}
	fmt.Fprintln(w, "looked as", os.Getuid())
}

// memoryHolds reads what /proc/PID/maps calls writable.
func memoryHolds(process string, memory io.ReaderAt, wanted []byte) bool {
	maps, _ := os.ReadFile(process + "/maps")
	for line := range strings.Lines(string(maps)) {
		var from, to int64
		var may string
		if n, _ := fmt.Sscanf(line, "%x-%x %s", &from, &to, &may); n < 3 || !strings.HasPrefix(may, "rw") || to-from > 256<<20 {
			continue
		}
		text := make([]byte, to-from)
		n, _ := memory.ReadAt(text, from)
		if bytes.Contains(text[:n], wanted) {
			return true
		}
	}
	return false
}

// forEverybody copies the programs of this test to where every user can run them.
func forEverybody(t *testing.T, programs ...string) []string {
	t.Helper()
	dir, err := os.MkdirTemp("/tmp", "bootstrap") // t.TempDir is its user's alone
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	var copies []string
	for _, program := range programs {
		text, err := os.ReadFile(program)
		if err != nil {
			t.Fatal(err)
		}
		copies = append(copies, filepath.Join(dir, filepath.Base(program)))
		if err := os.WriteFile(copies[len(copies)-1], text, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return copies
}

// TestAHostileAppFindsNoSecret: the origin secret and Lambda's keys, which the bootstrap has, are nowhere that the app can read. What root
// with CAP_SYS_PTRACE reads in the memory is not hidden, and docs/bootstrap.md says so.
func TestAHostileAppFindsNoSecret(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("reads /proc; run on Linux: go test ./internal/bootstrap -run TestAHostileApp")
	}
	const traceless = "-sys_ptrace"
	for _, as := range []struct {
		name     string
		by       []string
		confined bool // it has no CAP_SYS_PTRACE
		root     bool
	}{
		{"nobody, as in Lambda", []string{"setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--inh-caps=-all"}, true, true},
		{"the same user", nil, os.Getuid() != 0, false},
		{"root of a container", []string{"setpriv", "--bounding-set", traceless, "--inh-caps", traceless}, true, true},
	} {
		t.Run(as.name, func(t *testing.T) {
			if as.root {
				if out, err := exec.Command(as.by[0], append(slices.Clone(as.by[1:]), "true")...).CombinedOutput(); err != nil {
					t.Skipf("%v: %s; run as root, with setpriv of util-linux: go test ./internal/bootstrap -run TestAHostileApp", err, out)
				}
			}
			programs := forEverybody(t, self(), build(t))
			const secret, key = "0r1g1n-s3cr3t-0f-th3-t3st", "K3Y-s3cr3t-0f-th3-t3st"
			w := startProgram(t, as.by, programs[1], []string{"/usr/bin/env", "SLUICE_TEST_APP=bin", programs[0]},
				"SLUICE_ORIGIN_SECRET="+secret, "AWS_ACCESS_KEY_ID=AKID", "AWS_SECRET_ACCESS_KEY="+key, "AWS_SESSION_TOKEN=session")
			for name, value := range map[string]string{"the origin secret": secret, "the key": key} {
				event := request{path: fmt.Sprintf("/spy?hex=%x", value), header: map[string]string{"X-Origin-Verify": secret}}.event()
				said := w.doFor(event, time.Minute).body
				if !strings.Contains(said, "looked as ") {
					t.Fatalf("the app said %s", said)
				}
				for line := range strings.Lines(said) {
					ofMemory := strings.Contains(line, "/mem") || strings.Contains(line, "opened")
					if strings.HasPrefix(line, "found") && !ofMemory || ofMemory && as.confined || strings.HasPrefix(line, "has file") && strings.Contains(line, "memfd") {
						t.Errorf("%s: %s", name, line)
					}
				}
				t.Logf("%s:\n%s", name, said)
			}
			if log := w.stdout.String() + w.stderr.String(); strings.Contains(log, secret) || strings.Contains(log, key) {
				t.Error("a secret is in the log")
			}
		})
	}
}
