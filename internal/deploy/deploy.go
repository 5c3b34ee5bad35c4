// Package deploy takes an environment's folder to a running, verified system, and
// back to nothing: ordered steps, each of which may be repeated, so that a run
// that was interrupted anywhere is gone on with by running it again. Terraform's
// state is the only memory. It leaves out how anything is shown or asked: callers
// give functions for that.
package deploy

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strconv"
	"time"

	"github.com/aproorg/sluice/internal/cost"
	"github.com/aproorg/sluice/internal/hint"
	"github.com/aproorg/sluice/internal/infra"
	"github.com/aproorg/sluice/internal/stack"
)

// Deployment is one environment and the functions that its steps call. Infra is
// required; of the functions a nil one is skipped.
type Deployment struct {
	Infra *infra.Workspace
	Vars  map[string]string
	Out   string   // where the plan is kept; when empty, it is removed once it was applied or is not going to be
	App   cost.App // what the price depends on beside the stack
	// Canary is the percentage of the calls that a new version gets; the version that is
	// live keeps the rest. 0 gives a new version all of them.
	Canary int

	// Prepare runs first: it puts Sluice's own provider where init finds it.
	Prepare func(ctx context.Context) error
	// Confirm shows what is about to be done and returns whether to go on.
	Confirm func(ctx context.Context, q Question) (bool, error)
	// Verify checks the deployed system at its URL.
	Verify func(ctx context.Context, url string) error
	// Progress is called with each step and each event inside it.
	Progress func(Progress)
}

// Step is one of the ordered parts of a run.
type Step string

// The steps, in their order.
const (
	StepPrepare Step = "prepare"
	StepInit    Step = "init"
	StepPlan    Step = "plan"
	StepApply   Step = "apply"
	StepVerify  Step = "verify"
)

// Progress tells where a run is: a step that starts (Done false, Event nil), an
// event inside it, or its end with the time it took and its fault.
type Progress struct {
	Step  Step
	Event *infra.Event
	Waits string // why this resource takes long, where that is known
	Done  bool
	Took  time.Duration
	Err   error
}

// Question is what Confirm is asked: the plan, what it costs, what it destroys.
type Question struct {
	Dir     string // the environment's folder
	Plan    *infra.Plan
	Cost    *cost.Estimate // nil where the plan is no whole stack
	Losses  []Loss
	Destroy bool
}

// Result is what a run came to.
type Result struct {
	Changed bool              `json:"changed"`
	URL     string            `json:"url,omitempty"`
	Outputs map[string]string `json:"outputs,omitempty"`
	Cost    *cost.Estimate    `json:"cost,omitempty"`
}

// ErrDeclined says that Confirm did not want it.
var ErrDeclined = errors.New("not confirmed: nothing was changed")

// Plan prepares, initialises and plans into Out, or else into a private file, which the
// caller removes by Infra.Forget: it holds Redis's password and the origin's secret.
func (d *Deployment) Plan(ctx context.Context, destroy bool) (*infra.Plan, error) {
	if d.Prepare != nil {
		if err := d.step(ctx, StepPrepare, d.Prepare); err != nil {
			return nil, err
		}
	}
	if err := d.step(ctx, StepInit, d.Infra.Init); err != nil {
		return nil, err
	}
	file := d.Out
	if file == "" {
		file = d.Infra.PlanFile()
	}
	vars := map[string]string{}
	maps.Copy(vars, d.Vars)
	if d.Canary > 0 {
		release, err := d.canary(ctx)
		if err != nil {
			return nil, err
		}
		vars["release"], vars["canary"] = release, strconv.Itoa(d.Canary)
	}
	var plan *infra.Plan
	err := d.step(ctx, StepPlan, func(ctx context.Context) (err error) {
		var faults []infra.Event
		plan, err = d.Infra.Plan(ctx, infra.PlanOptions{Out: file, Destroy: destroy, Vars: vars}, collect(&faults, d.events(StepPlan)))
		return rights(err, faults)
	})
	if err == nil && !destroy {
		err = errors.Join(refused(plan), stuck(plan))
	}
	return plan, err
}

// refused is what AWS would refuse of a plan; nil too where the plan is no whole stack.
func refused(plan *infra.Plan) error {
	data, err := plan.Bytes()
	if err != nil {
		return err
	}
	var fault *stack.RefusedError
	if _, err := stack.Parse(data); errors.As(err, &fault) {
		return fmt.Errorf("AWS would refuse the plan: %w", fault)
	}
	return nil
}

// Question is what there is to know of a plan before it is applied.
func (d *Deployment) Question(plan *infra.Plan) Question {
	return Question{Dir: d.Infra.Dir(), Plan: plan, Cost: d.price(plan), Losses: losses(plan, nil)}
}

// Run plans, asks, applies exactly what was shown, and verifies. A plan without
// changes goes straight to verifying.
func (d *Deployment) Run(ctx context.Context) (result Result, err error) {
	defer func() { err = goesOn(ctx, errors.Join(err, d.Infra.Forget())) }()
	plan, err := d.Plan(ctx, false)
	if err != nil {
		return Result{}, err
	}
	question := d.Question(plan)
	result = Result{Changed: !plan.Empty(), Cost: question.Cost}
	if result.Changed {
		if err := d.confirmAndApply(ctx, question); err != nil {
			return Result{}, err
		}
	}
	result.Outputs, err = d.Infra.Outputs(ctx)
	if err != nil {
		return result, err
	}
	result.URL = result.Outputs["url"]
	if d.Verify == nil {
		return result, nil
	}
	if result.URL == "" {
		return result, fmt.Errorf("%s has no output url: it cannot be verified", d.Infra.Dir())
	}
	return result, d.step(ctx, StepVerify, func(ctx context.Context) error { return d.Verify(ctx, result.URL) })
}

// Destroy plans the end, names what will be lost, asks, and applies.
func (d *Deployment) Destroy(ctx context.Context) (result Result, err error) {
	defer func() { err = goesOn(ctx, errors.Join(err, d.Infra.Forget())) }()
	plan, err := d.Plan(ctx, true)
	if err != nil {
		return Result{}, err
	}
	if plan.Empty() {
		return Result{}, nil
	}
	state, err := d.Infra.State(ctx)
	if err != nil {
		return Result{}, err
	}
	err = d.confirmAndApply(ctx, Question{Dir: d.Infra.Dir(), Plan: plan, Losses: losses(plan, state), Destroy: true})
	return Result{Changed: err == nil}, err
}

// goesOn tells whoever interrupted a run what becomes of it.
func goesOn(ctx context.Context, err error) error {
	if ctx.Err() == nil {
		return err
	}
	return hint.With(err, "what was done is in the state: run it again, and it goes on from there")
}

func (d *Deployment) confirmAndApply(ctx context.Context, q Question) error {
	if d.Confirm != nil {
		yes, err := d.Confirm(ctx, q)
		if err != nil {
			return err
		}
		if !yes {
			return ErrDeclined
		}
	}
	return d.step(ctx, StepApply, func(ctx context.Context) error {
		var faults []infra.Event
		err := d.Infra.Apply(ctx, q.Plan, collect(&faults, d.events(StepApply)))
		return d.adopt(ctx, rights(err, faults), q.Plan, faults)
	})
}

// price is nil where the plan is no whole stack, as in a module's example.
func (d *Deployment) price(plan *infra.Plan) *cost.Estimate {
	data, err := plan.Bytes()
	if err != nil {
		return nil
	}
	s, err := stack.Parse(data)
	if err != nil {
		return nil
	}
	e := cost.Of(s, d.App)
	return &e
}

func (d *Deployment) step(ctx context.Context, name Step, run func(context.Context) error) error {
	d.tell(Progress{Step: name})
	began := time.Now()
	err := run(ctx)
	d.tell(Progress{Step: name, Done: true, Took: time.Since(began), Err: err})
	return err
}

func (d *Deployment) events(step Step) func(infra.Event) {
	return func(e infra.Event) { d.tell(Progress{Step: step, Event: &e, Waits: waitsFor(e.Address, e.Action)}) }
}

// collect shows the events and keeps the errors among them.
func collect(faults *[]infra.Event, show func(infra.Event)) func(infra.Event) {
	return func(e infra.Event) {
		if e.Type == "diagnostic" && e.Severity == "error" {
			*faults = append(*faults, e)
		}
		show(e)
	}
}

func (d *Deployment) tell(p Progress) {
	if d.Progress != nil {
		d.Progress(p)
	}
}
