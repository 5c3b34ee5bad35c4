package infra

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/aproorg/sluice/internal/hint"
	"github.com/aproorg/sluice/internal/testkit"
)

// TestMain is also the process that is killed: it applies, and prints each event.
func TestMain(m *testing.M) {
	if len(os.Args) == 6 && os.Args[1] == "apply-and-be-killed" {
		w, err := Open(os.Args[2], os.Args[3], os.Args[4])
		if err == nil {
			out := json.NewEncoder(os.Stdout)
			err = w.Apply(context.Background(), &Plan{File: os.Args[5]}, func(e Event) { _ = out.Encode(e) })
		}
		if err != nil {
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// TestKilledProcessInterruptsItsProgram kills what drives the program by SIGKILL in the
// middle of an apply: the program stops, and what it had made is in the state.
func TestKilledProcessInterruptsItsProgram(t *testing.T) {
	w := workspace(t, `
resource "terraform_data" "first" {}
resource "terraform_data" "slow" {
  depends_on = [terraform_data.first]
  provisioner "local-exec" { command = "echo $PPID > pid; exec sleep 120" }
}`)
	if _, err := w.Plan(t.Context(), PlanOptions{Out: w.PlanFile()}, nil); err != nil {
		t.Fatal(err)
	}
	tofu := killedAt(t, w, "provision_start", filepath.Join(w.Dir(), "pid"))
	testkit.Wait(t, 30*time.Second, "the program's end", func() (string, bool) { return "it is alive", !alive(tofu) })
	plan, err := w.Plan(t.Context(), PlanOptions{Out: w.PlanFile()}, nil)
	if err != nil {
		t.Fatalf("plan after the kill: %v", err)
	}
	for _, c := range plan.Changes {
		if c.Address == "terraform_data.first" {
			t.Errorf("%s is planned again: what was made was lost", c.Address)
		}
	}
}

// killedAt applies the plan in a process of its own, which gets SIGKILL once it has
// printed an event of the type, and returns the process id of its program, which is
// written to file.
func killedAt(t *testing.T, w *Workspace, event, file string) int {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0], "apply-and-be-killed", w.program.dir, w.program.path, w.program.scratch, w.PlanFile())
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if strings.Contains(lines.Text(), event) {
			break
		}
	}
	testkit.Wait(t, 10*time.Second, "a process id in "+file, func() (string, bool) {
		pid, err := os.ReadFile(file)
		return fmt.Sprintf("%q, %v", pid, err), len(pid) > 1
	})
	r, ok := w.program.left()
	if !ok {
		t.Fatal("the program is not noted")
	}
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	return r.PID
}

// TestLockSaysHowItIsFreed finds the state locked by a run that is over, and then by a
// program that is still at work.
func TestLockSaysHowItIsFreed(t *testing.T) {
	backend := newLockedState(t)
	w := workspace(t, `
terraform {
  backend "http" {
    address        = "`+backend+`/state"
    lock_address   = "`+backend+`/state"
    unlock_address = "`+backend+`/state"
  }
}
resource "terraform_data" "a" {}`)
	_, err := w.Plan(t.Context(), PlanOptions{Out: w.PlanFile()}, nil)
	if advice := hint.Text(err); !strings.Contains(advice, "-chdir="+w.Dir()+" force-unlock 0f0f0f0f-0000-1111-2222-333333333333") || !strings.Contains(advice, "once it is over") {
		t.Errorf("a lock left behind: %s", advice)
	}
	w.program.note(os.Getpid(), "apply")
	left, ok := w.program.left()
	if !ok || left.PID != os.Getpid() {
		t.Fatalf("left %+v", left)
	}
	stream := newStream(nil)
	stream.errors = []string{err.Error()}
	if advice := hint.Text(w.failure("plan", stream, errors.New("exit status 1"))); !strings.Contains(advice, "kill -INT") {
		t.Errorf("a program that was left at work: %s", advice)
	}
}

// newLockedState is a backend whose state another run has locked.
func newLockedState(t *testing.T) string {
	var mu sync.Mutex
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		if r.Method == "LOCK" {
			w.WriteHeader(http.StatusLocked)
			_ = json.NewEncoder(w).Encode(map[string]string{"ID": "0f0f0f0f-0000-1111-2222-333333333333", "Who": "somebody@elsewhere", "Operation": "OperationTypeApply"})
			return
		}
		w.WriteHeader(http.StatusNotFound)
	}))
	t.Cleanup(server.Close)
	return server.URL
}

// TestGroup: Ctrl-C of a terminal reaches this process alone.
func TestGroup(t *testing.T) {
	if a := attributes(); !a.Setpgid || a.Pdeathsig != syscall.SIGINT {
		t.Errorf("attributes are %+v", a)
	}
}
