package infra

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"
)

// program is OpenTofu or Terraform in a root module's folder. What it prints goes to
// a file that is read as it grows, and not to a pipe: a program whose reader was
// killed goes on to write its state, where a broken pipe would end it at its next line.
type program struct {
	path    string
	dir     string
	scratch string // a private folder for what it prints, its plan and its process id
}

// patience is how long an interrupted program may take to write its state.
const patience = time.Minute

// run runs the program to its end, with what it prints on standard output written to
// out as it comes. When ctx ends it is interrupted, once, and waited for. When this
// process is killed, Linux interrupts it likewise.
func (p *program) run(ctx context.Context, out io.Writer, args ...string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := os.MkdirAll(p.scratch, 0o700); err != nil {
		return fmt.Errorf("keep what %s prints: %w", filepath.Base(p.path), err)
	}
	printed, err := p.file("out-")
	if err != nil {
		return err
	}
	defer printed.close()
	faults, err := p.file("err-")
	if err != nil {
		return err
	}
	defer faults.close()

	// The signal for a parent's death is for the death of the thread that started the child.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	cmd := exec.CommandContext(ctx, p.path, args...)
	cmd.Dir, cmd.Env = p.dir, environment(os.Environ())
	cmd.Stdout, cmd.Stderr = printed.file, faults.file
	cmd.SysProcAttr = attributes()
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = patience
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start %s: %w", p.path, err)
	}
	p.note(cmd.Process.Pid, args[0])
	defer p.forget()

	ended, copied := make(chan struct{}), make(chan error, 1)
	go func() { copied <- printed.follow(out, ended) }()
	err = cmd.Wait()
	close(ended)
	if e := <-copied; err == nil {
		err = e
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		said, _ := io.ReadAll(io.NewSectionReader(faults.file, 0, longestFault))
		return errors.Join(err, text(said))
	}
	return nil
}

// longestFault bounds what is read of a program's standard error.
const longestFault = 1 << 20

// text is an error of what a program said, or nil where it said nothing.
func text(said []byte) error {
	if said = bytes.TrimSpace(said); len(said) > 0 {
		return errors.New(string(said))
	}
	return nil
}

// environment is the process's own, for a program that nobody answers. A log of the
// program's own would stand among what it prints.
func environment(own []string) []string {
	var env []string
	for _, setting := range own {
		if name, _, _ := strings.Cut(setting, "="); !strings.HasPrefix(name, "TF_LOG") && name != "TF_INPUT" && name != "TF_WORKSPACE" {
			env = append(env, setting)
		}
	}
	return append(env, "TF_IN_AUTOMATION=1", "TF_INPUT=0")
}

// output is a file that a program prints to. It has no name from the start where the
// system allows that: what is printed holds secrets, and a process that is killed
// removes nothing.
type output struct {
	file *os.File
	read int64
}

func (p *program) file(name string) (*output, error) {
	file, err := os.CreateTemp(p.scratch, name)
	if err != nil {
		return nil, fmt.Errorf("keep what %s prints: %w", filepath.Base(p.path), err)
	}
	_ = os.Remove(file.Name()) // on Windows close does it
	return &output{file: file}, nil
}

func (o *output) close() {
	_ = o.file.Close()
	_ = os.Remove(o.file.Name())
}

// glance is how often a growing file is looked at.
const glance = 50 * time.Millisecond

// follow copies what is printed to out until the program has ended and all is read.
func (o *output) follow(out io.Writer, ended <-chan struct{}) error {
	tick := time.NewTicker(glance)
	defer tick.Stop()
	for {
		last := false
		select {
		case <-ended:
			last = true
		case <-tick.C:
		}
		for {
			n, err := io.Copy(out, io.NewSectionReader(o.file, o.read, 1<<20))
			o.read += n
			if err != nil {
				return err
			}
			if n == 0 {
				break
			}
		}
		if last {
			return nil
		}
	}
}

// running is what a run notes of its program, for a later one that finds the state locked.
type running struct {
	PID     int       `json:"pid"`
	Command string    `json:"command"`
	Since   time.Time `json:"since"`
}

func (p *program) noted() string { return filepath.Join(p.scratch, "running") }

func (p *program) note(pid int, command string) {
	data, _ := json.Marshal(running{pid, command, time.Now()})
	_ = os.WriteFile(p.noted(), data, 0o600) // advice alone depends on it
}

func (p *program) forget() { _ = os.Remove(p.noted()) }

// left returns the program that an earlier run has left at work, if there is one.
func (p *program) left() (running, bool) {
	data, err := os.ReadFile(p.noted())
	var r running
	if err != nil || json.Unmarshal(data, &r) != nil || r.PID <= 0 || !alive(r.PID) {
		return running{}, false
	}
	return r, true
}
