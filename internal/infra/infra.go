// Package infra drives OpenTofu or Terraform in one folder: it finds or fetches
// the program, plans into a file, applies exactly that file, and turns the
// program's machine-readable output into events that can be shown. It knows
// nothing of what the configuration deploys and asks nobody anything.
package infra

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	tfjson "github.com/hashicorp/terraform-json"

	"github.com/aproorg/sluice/internal/hint"
)

// Workspace is one root module's folder with the program that runs it. It is
// used by one goroutine at a time, as Terraform's own lock demands.
type Workspace struct {
	// Backend is what the root module's backend leaves open: -backend-config of Init.
	Backend map[string]string

	program program
}

// NoModuleError says that a directory is no root module.
type NoModuleError struct{ Dir string }

func (e *NoModuleError) Error() string { return e.Dir + " holds no *.tf file" }

// CheckModule says with a NoModuleError that dir is no root module.
func CheckModule(dir string) error {
	if found, err := filepath.Glob(filepath.Join(dir, "*.tf")); err != nil || len(found) == 0 {
		return &NoModuleError{dir}
	}
	return nil
}

// Open checks that dir is a root module and returns it with the program at
// executable. The program inherits the environment (AWS_PROFILE, TF_VAR_…). Scratch is
// a folder of this root module alone, outside of it, for plans and what is printed:
// both may hold secrets. It is made when it is needed, for its owner alone.
func Open(dir, executable, scratch string) (*Workspace, error) {
	if err := CheckModule(dir); err != nil {
		return nil, err
	}
	scratch, err := filepath.Abs(scratch)
	if err != nil {
		return nil, err
	}
	return &Workspace{program: program{path: executable, dir: dir, scratch: scratch}}, nil
}

// Dir is the root module's folder.
func (w *Workspace) Dir() string { return w.program.dir }

// planPrefix comes before the process id in a plan's name.
const planPrefix = "plan-"

// PlanFile is where a plan is kept until it is applied. It is this process's own: of two
// runs in one environment, which may wait for their answers at the same time, neither
// applies or removes what the other has shown.
func (w *Workspace) PlanFile() string {
	return filepath.Join(w.program.scratch, planPrefix+strconv.Itoa(os.Getpid()))
}

// Forget removes the plan file, and those that killed runs have left: they hold values of
// variables, secrets among them.
func (w *Workspace) Forget() error {
	plans, err := filepath.Glob(filepath.Join(w.program.scratch, planPrefix+"*"))
	for _, file := range plans {
		pid, e := strconv.Atoi(strings.TrimPrefix(filepath.Base(file), planPrefix))
		if e != nil || pid != os.Getpid() && alive(pid) {
			continue
		}
		if e := os.Remove(file); e != nil && !errors.Is(e, os.ErrNotExist) {
			err = errors.Join(err, e)
		}
	}
	if err != nil {
		return fmt.Errorf("remove the plan: %w", err)
	}
	return nil
}

// Command is a command line of the program for a person to run, in any folder.
func (w *Workspace) Command(args ...string) string {
	return strings.Join(append([]string{filepath.Base(w.program.path), "-chdir=" + w.program.dir}, args...), " ")
}

// Init installs providers and modules. What the program printed is part of the error.
func (w *Workspace) Init(ctx context.Context) error {
	args := []string{"init", "-no-color", "-input=false"}
	for name, value := range w.Backend {
		args = append(args, "-backend-config="+name+"="+value)
	}
	if err := w.program.run(ctx, io.Discard, args...); err != nil {
		return fmt.Errorf("init %s: %w", w.program.dir, err)
	}
	return nil
}

// PlanOptions says what to plan.
type PlanOptions struct {
	Out     string            // the plan file to write; it holds values of variables: keep it private
	Destroy bool              // plan to destroy all
	Vars    map[string]string // -var
}

// Plan writes the plan file and returns what it would change. Progress gets the
// program's events as they come; it may be nil.
func (w *Workspace) Plan(ctx context.Context, opts PlanOptions, progress func(Event)) (*Plan, error) {
	file, err := filepath.Abs(opts.Out)
	if err != nil {
		return nil, err
	}
	if err := private(file); err != nil {
		return nil, fmt.Errorf("keep plan private: %w", err)
	}
	args := []string{"plan", "-no-color", "-input=false", "-json", "-out=" + file}
	if opts.Destroy {
		args = append(args, "-destroy")
	}
	var vars []string
	for name, value := range opts.Vars {
		vars = append(vars, "-var", name+"="+value)
	}
	stream := newStream(progress)
	err = w.program.run(ctx, stream, append(args, vars...)...)
	if err := w.failure("plan", stream, err); err != nil {
		return nil, err
	}
	plan, err := w.ShowPlan(ctx, file)
	if plan != nil {
		plan.vars = vars
	}
	return plan, err
}

// private makes an empty file that its owner alone may read, for the program to write to.
func private(file string) error {
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return err
	}
	f, err := os.OpenFile(file, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	return errors.Join(f.Chmod(0o600), f.Close())
}

// ShowPlan reads a plan file that Plan wrote.
func (w *Workspace) ShowPlan(ctx context.Context, file string) (*Plan, error) {
	var out bytes.Buffer
	plan := new(tfjson.Plan)
	err := w.program.run(ctx, &out, "show", "-no-color", "-json", file)
	if err == nil {
		err = plan.UnmarshalJSON(document(out.Bytes()))
	}
	if err != nil {
		return nil, fmt.Errorf("read plan %s: %w", file, err)
	}
	return newPlan(file, plan), nil
}

// document is what `show -json` printed from its JSON on: the program writes warnings of
// its CLI configuration before it.
func document(out []byte) []byte {
	if i := bytes.Index(out, []byte(`{"format_version"`)); i > 0 {
		return out[i:]
	}
	return out
}

// Apply carries out a plan file, no more and no less, and removes it as soon as the
// program has read it: an apply takes long, and a process that is killed removes
// nothing. When ctx ends, the program is interrupted and given a minute to write its
// state; a second Apply of a new plan goes on from there.
func (w *Workspace) Apply(ctx context.Context, plan *Plan, progress func(Event)) error {
	refused := false
	watch := func(e Event) {
		if e.Type == "apply_start" {
			_ = os.Remove(plan.File) // where an open file cannot be removed, Forget does it later
		}
		if strings.HasPrefix(e.Message, planHasVariables) {
			refused = true
		} else if progress != nil {
			progress(e)
		}
	}
	apply := func(vars ...string) (*stream, error) {
		stream := newStream(watch)
		return stream, w.program.run(ctx, stream, slices.Concat([]string{"apply", "-no-color", "-input=false", "-json"}, vars, []string{plan.File})...)
	}
	// OpenTofu 1.12 compares the values that an apply finds in files with those of the plan, and wants the command
	// line's again. Terraform 1.11 takes them too; Terraform 1.5.7 and OpenTofu 1.6 refuse them before anything else.
	stream, err := apply(plan.vars...)
	if refused && ctx.Err() == nil {
		stream, err = apply()
	}
	return w.failure("apply", stream, err)
}

// planHasVariables is how programs begin that take variables from the plan alone.
const planHasVariables = "Can't set variables when applying a saved plan"

// failure is what the program said with what became of it, and advice where the state
// is locked: by a program that an earlier run has left at work, or by somebody's run
// that is over.
func (w *Workspace) failure(what string, stream *stream, err error) error {
	err = stream.failure(what+" "+w.program.dir, err)
	id := stream.lock()
	if err == nil || id == "" {
		return err
	}
	if r, ok := w.program.left(); ok {
		return hint.With(err, "an earlier run left %s %s at work as process %d: wait for its end, or interrupt it with kill -INT %d",
			filepath.Base(w.program.path), r.Command, r.PID, r.PID)
	}
	return hint.With(err, "Lock Info says who holds the lock, where and since when. While that run goes on, wait for it; "+
		"once it is over, which nobody but its owner can tell, free the lock: %s", w.Command("force-unlock", id))
}

// State reads the state; nil when nothing is deployed.
func (w *Workspace) State(ctx context.Context) (*tfjson.State, error) {
	var out bytes.Buffer
	state := new(tfjson.State)
	err := w.program.run(ctx, &out, "show", "-no-color", "-json")
	if err == nil {
		err = state.UnmarshalJSON(document(out.Bytes()))
	}
	if err != nil {
		return nil, fmt.Errorf("read state of %s: %w", w.program.dir, err)
	}
	if state.Values == nil {
		return nil, nil
	}
	return state, nil
}

// Outputs reads the string outputs that are not sensitive.
func (w *Workspace) Outputs(ctx context.Context) (map[string]string, error) {
	state, err := w.State(ctx)
	if err != nil {
		return nil, err
	}
	return OutputsOf(state), nil
}

// OutputsOf are the string outputs of a state that are not sensitive; nil where nothing
// is deployed.
func OutputsOf(state *tfjson.State) map[string]string {
	if state == nil {
		return nil
	}
	outputs := map[string]string{}
	for name, o := range state.Values.Outputs {
		if value, ok := o.Value.(string); ok && !o.Sensitive {
			outputs[name] = value
		}
	}
	return outputs
}

// errInterrupted is what an interrupted program's fault is wrapped in.
var errInterrupted = errors.New("interrupted; what was made is in the state, run it again to go on")
