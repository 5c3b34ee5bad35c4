package environment

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/aproorg/sluice/internal/emulate/lambda/sandbox"
)

// Process is the program that speaks the Runtime API: the image's entry point
// and command.
type Process struct {
	Command []string
	Dir     string // the working directory
	// Task is the function's directory, which is seen at /var/task where the machine
	// allows it, and without a Dir is the working directory; Dir if empty. An image has
	// its own.
	Task string
	// Env is what the image sets (PATH, NODE_ENV, …) as NAME=VALUE. Nothing of the
	// emulator's own environment reaches the process.
	Env []string
	// Handler becomes _HANDLER: of an image, its command.
	Handler string
	// Client, if set, begins the User-Agent of the one program that is to ask for
	// invocations. Another that does fails the environment, for it would take some of
	// them away; Config.Stranger hears of it.
	Client string
	// Root is the unpacked image; if empty the process sees the machine's files.
	Root string
	// Writable paths stay so although the file system is read-only; for code that a
	// real image would carry otherwise. WritableRoot turns read-only off.
	Writable     []string
	WritableRoot bool
	// Scratch directories lead into the environment's own /tmp, as links in an
	// image do; for an app that runs from its directory instead of an image.
	Scratch []string
	// Visible paths below /tmp are seen in the environment's own /tmp too.
	Visible []string
	// Writes are paths below /tmp that the process makes.
	Writes []string
}

// CheckHost refuses a process that would miss its files in an environment's own /tmp.
func (p *Process) CheckHost(host *sandbox.Host) error {
	return host.Check(sandbox.Spec{
		Command: p.Command, Dir: p.Dir, Env: p.Env, Root: p.Root, Writable: p.Writable, Scratch: p.Scratch, Visible: p.Visible,
	}, p.Writes)
}

// Extension is an external extension: a program that registers under Name.
type Extension struct {
	Name    string
	Command []string
}

// Check refuses a process that could not be started, and finds its program. A
// sandbox could not say so before its first invocation.
func (p *Process) Check() error {
	if len(p.Command) == 0 {
		return errors.New("no command to run; give the bootstrap's command line")
	}
	if p.Root == "" {
		if err := p.resolve(); err != nil {
			return err
		}
	}
	if err := p.checkPaths(); err != nil {
		return err
	}
	if p.Root == "" && p.Task == "" {
		p.Task = p.Dir
	}
	return nil
}

// resolve finds the program now, so that a wrong name is an error of the command
// line and not of every invocation.
func (p *Process) resolve() error {
	for name, dir := range map[string]*string{"working directory": &p.Dir, "directory": &p.Task} {
		if *dir == "" {
			continue
		}
		path, err := filepath.Abs(*dir)
		if err != nil {
			return fmt.Errorf("the function's %s: %w", name, err)
		}
		*dir = path
	}
	program := p.Command[0]
	if rest, ok := strings.CutPrefix(program, sandbox.TaskRoot+"/"); ok && p.Task != "" {
		program = filepath.Join(p.Task, rest)
	}
	if !filepath.IsAbs(program) && filepath.Base(program) != program {
		program = filepath.Join(cmp.Or(p.Dir, p.Task, "."), program)
	}
	program, err := exec.LookPath(program)
	if errors.Is(err, exec.ErrDot) {
		err = nil
	}
	if err == nil {
		program, err = filepath.Abs(program)
	}
	if err != nil {
		return fmt.Errorf("the function's command: %w", err)
	}
	p.Command = append([]string{program}, p.Command[1:]...)
	return nil
}

// checkPaths refuses directories that are not there.
func (p *Process) checkPaths() error {
	for name, paths := range map[string][]string{"working directory": {p.Dir}, "directory": {p.Task}, "writable path": p.Writable, "scratch directory": p.Scratch, "visible path": p.Visible, "root directory": {p.Root}} {
		for _, path := range paths {
			if path == "" {
				continue
			}
			if !filepath.IsAbs(path) {
				return fmt.Errorf("the function's %s %s is not an absolute path", name, path)
			}
			if name != "root directory" && name != "visible path" {
				path = filepath.Join(p.Root, path)
			}
			if _, err := os.Stat(path); err != nil {
				return fmt.Errorf("the function's %s: %w", name, err)
			}
		}
	}
	return nil
}
