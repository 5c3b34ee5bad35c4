package main

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/aproorg/sluice/internal/testkit"
)

// TestMain makes of the test's own executable the real program.
func TestMain(m *testing.M) {
	if os.Getenv("SLUICE_TEST_IS_SLUICE") != "" {
		main()
	}
	os.Exit(m.Run())
}

// The first signal asks, and a command that waits in the kernel cannot hear it. The second one ends the program within
// a second, wherever it waits; one that comes with the first is its echo.
func TestSecondSignalEndsABlockedCommand(t *testing.T) {
	for _, test := range []struct {
		name    string
		signal  syscall.Signal
		blocked func(t *testing.T, pid int, fifo string)
	}{
		{"SIGINT in open(2)", syscall.SIGINT, inOpen},
		{"SIGTERM in open(2)", syscall.SIGTERM, inOpen},
		{"SIGHUP in open(2)", syscall.SIGHUP, inOpen},
		{"SIGINT in read(2)", syscall.SIGINT, inRead},
		{"SIGTERM in read(2)", syscall.SIGTERM, inRead},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			if signal.Ignored(test.signal) {
				t.Skip("nohup has the signal ignored: run it without, go test ./cmd/sluice")
			}
			fifo := filepath.Join(t.TempDir(), "plan.json")
			if err := syscall.Mkfifo(fifo, 0o600); err != nil {
				t.Fatal(err)
			}
			command := exec.Command(os.Args[0], "stack", "--plan", fifo)
			command.Env = append(os.Environ(), "SLUICE_TEST_IS_SLUICE=1")
			if err := command.Start(); err != nil {
				t.Fatal(err)
			}
			ended := make(chan error, 1)
			go func() { ended <- command.Wait() }()
			t.Cleanup(func() { _ = command.Process.Kill() }) // it has ended, unless the test failed
			test.blocked(t, command.Process.Pid, fifo)

			send := func() {
				if err := command.Process.Signal(test.signal); err != nil {
					t.Fatal(err)
				}
			}
			send()
			send() // the echo
			select {
			case err := <-ended:
				t.Fatalf("the first signal or its echo ended it, so it was not blocked: %v", err)
			case <-time.After(echo + 200*time.Millisecond): // the echo's time is over, with some for a busy machine
			}
			send()
			select {
			case err := <-ended:
				var exit *exec.ExitError
				if !errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != test.signal {
					t.Errorf("ended with %v, want %v", err, test.signal)
				}
			case <-time.After(time.Second):
				t.Error("it goes on a second after the second signal")
			}
		})
	}
}

// inOpen waits until a thread of the process waits for somebody to write to the FIFO.
func inOpen(t *testing.T, pid int, _ string) {
	there := testkit.Until(20*time.Second, func() bool {
		tasks, _ := filepath.Glob(filepath.Join("/proc", strconv.Itoa(pid), "task", "*", "wchan"))
		for _, task := range tasks {
			if text, err := os.ReadFile(task); err == nil && bytes.Contains(text, []byte("wait_for_partner")) {
				return true
			}
		}
		return false
	})
	if !there {
		t.Skip("the kernel does not say where a process waits: run it on Linux with /proc/PID/wchan, go test ./cmd/sluice")
	}
}

// inRead is somebody who opens the FIFO, as soon as the process has, and writes nothing.
func inRead(t *testing.T, _ int, fifo string) {
	there := testkit.Until(20*time.Second, func() bool {
		writer, err := os.OpenFile(fifo, os.O_WRONLY|syscall.O_NONBLOCK, 0)
		if err == nil {
			t.Cleanup(func() { _ = writer.Close() })
		}
		return err == nil
	})
	if !there {
		t.Fatal("the process never opened the FIFO")
	}
}
