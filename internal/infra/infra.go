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
	"os"
	"path/filepath"

	"github.com/hashicorp/terraform-exec/tfexec"
	tfjson "github.com/hashicorp/terraform-json"
)

// Workspace is one root module's folder with the program that runs it. It is
// used by one goroutine at a time, as Terraform's own lock demands.
type Workspace struct {
	tf  *tfexec.Terraform
	dir string
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
// executable. The program inherits the environment (AWS_PROFILE, TF_VAR_…).
func Open(dir, executable string) (*Workspace, error) {
	if err := CheckModule(dir); err != nil {
		return nil, err
	}
	tf, err := tfexec.NewTerraform(dir, executable)
	if err != nil {
		return nil, err
	}
	return &Workspace{tf: tf, dir: dir}, nil
}

// Dir is the root module's folder.
func (w *Workspace) Dir() string { return w.dir }

// Init installs providers and modules. What the program printed is part of the error.
func (w *Workspace) Init(ctx context.Context) error {
	var out bytes.Buffer
	w.tf.SetStdout(&out)
	if err := w.tf.Init(ctx); err != nil {
		return fmt.Errorf("init %s: %w", w.dir, err)
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
	args := []tfexec.PlanOption{tfexec.Out(opts.Out), tfexec.Destroy(opts.Destroy)}
	for name, value := range opts.Vars {
		args = append(args, tfexec.Var(name+"="+value))
	}
	stream := newStream(progress)
	_, err := w.tf.PlanJSON(ctx, stream, args...)
	if err := stream.failure("plan "+w.dir, err); err != nil {
		return nil, err
	}
	if err := os.Chmod(opts.Out, 0o600); err != nil {
		return nil, fmt.Errorf("keep plan private: %w", err)
	}
	return w.ShowPlan(ctx, opts.Out)
}

// ShowPlan reads a plan file that Plan wrote.
func (w *Workspace) ShowPlan(ctx context.Context, file string) (*Plan, error) {
	w.tf.SetStdout(nil)
	plan, err := w.tf.ShowPlanFile(ctx, file)
	if err != nil {
		return nil, fmt.Errorf("read plan %s: %w", file, err)
	}
	return newPlan(file, plan), nil
}

// Apply carries out a plan file, no more and no less. When ctx ends, the program
// is interrupted and given a minute to write its state; a second Apply of a new
// plan goes on from there.
func (w *Workspace) Apply(ctx context.Context, plan *Plan, progress func(Event)) error {
	stream := newStream(progress)
	err := w.tf.ApplyJSON(ctx, stream, tfexec.DirOrPlan(plan.File))
	return stream.failure("apply "+w.dir, err)
}

// State reads the state; nil when nothing is deployed.
func (w *Workspace) State(ctx context.Context) (*tfjson.State, error) {
	w.tf.SetStdout(nil)
	state, err := w.tf.Show(ctx)
	if err != nil {
		return nil, fmt.Errorf("read state of %s: %w", w.dir, err)
	}
	if state.Values == nil {
		return nil, nil
	}
	return state, nil
}

// Outputs reads the string outputs that are not sensitive.
func (w *Workspace) Outputs(ctx context.Context) (map[string]string, error) {
	state, err := w.State(ctx)
	if err != nil || state == nil {
		return nil, err
	}
	outputs := map[string]string{}
	for name, o := range state.Values.Outputs {
		if value, ok := o.Value.(string); ok && !o.Sensitive {
			outputs[name] = value
		}
	}
	return outputs, nil
}

// errInterrupted is what an interrupted program's fault is wrapped in.
var errInterrupted = errors.New("interrupted; what was made is in the state, run it again to go on")
