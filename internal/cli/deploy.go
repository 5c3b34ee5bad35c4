package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/aproorg/sluice/internal/deploy"
	"github.com/aproorg/sluice/internal/hint"
	"github.com/aproorg/sluice/internal/infra"
	"github.com/aproorg/sluice/internal/ui"
)

// deployOptions are the flags of deploy.
type deployOptions struct {
	environmentDir
	yes   bool
	check checkOptions
	skip  bool
}

func newDeploy(a *app) *cobra.Command {
	o := &deployOptions{}
	command := &cobra.Command{
		Use:   "deploy",
		Short: "Deploy an environment with OpenTofu or Terraform, and prove that it streams",
		Long: `Deploy plans an environment, shows what changes and what a month costs at rest,
applies exactly that plan once you agree, and verifies the result. When it is
interrupted, run it again: it goes on from what was made.`,
		Example: `  sluice deploy
` + appExamples("deploy") + `
  sluice deploy --yes --json`,
		Args:        cobra.NoArgs,
		Annotations: exitCodes("0  deployed and verified", "1  a step failed, a check failed, or you did not agree"),
		RunE:        func(cmd *cobra.Command, _ []string) error { return runDeploy(cmd.Context(), a, o, cmd.Flags()) },
	}
	f := command.Flags()
	o.environmentDir.addFlags(f)
	f.BoolVar(&o.yes, "yes", false, "do not ask: apply what the plan says")
	f.BoolVar(&o.skip, "no-verify", false, "leave the checks at the end out")
	o.check.addFlags(f, "check-var")
	o.check.addOwnFlags(command)
	return command
}

func newPlan(a *app) *cobra.Command {
	o := environmentDir{}
	command := &cobra.Command{
		Use:     "plan",
		Short:   "Show what a deploy would change, and what a month costs at rest",
		Example: "  sluice plan\n  sluice plan --dir environments/prod --json",
		Args:    cobra.NoArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return runPlan(cmd.Context(), a, o) },
	}
	o.addFlags(command.Flags())
	return command
}

func newDestroy(a *app) *cobra.Command {
	o := environmentDir{}
	var yes bool
	command := &cobra.Command{
		Use:     "destroy",
		Short:   "Destroy an environment, after naming the data that is lost with it",
		Example: "  sluice destroy\n  sluice destroy --dir environments/dev --yes",
		Args:    cobra.NoArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return runDestroy(cmd.Context(), a, o, yes) },
	}
	o.addFlags(command.Flags())
	command.Flags().BoolVar(&yes, "yes", false, "do not ask: destroy it")
	return command
}

func runDeploy(ctx context.Context, a *app, o *deployOptions, flags *pflag.FlagSet) error {
	check, err := o.check.ready(a, flags)
	if err != nil {
		return err
	}
	o.environmentDir.app = o.check.app
	d, err := o.deployment(ctx, a)
	if err != nil {
		return err
	}
	if !o.yes {
		d.Confirm = a.confirm
	}
	if !o.skip {
		d.Verify = func(ctx context.Context, url string) error {
			if err := check(ctx, url); errors.Is(err, errChecksFailed) {
				return hint.With(fmt.Errorf("%s is deployed, but %w", url, err), "see the table; sluice verify %s repeats it", url)
			} else {
				return err
			}
		}
	}
	result, err := d.Run(ctx)
	if err != nil {
		return err
	}
	if a.json {
		return ui.NewJSON(a.Out).Write(result)
	}
	out := a.out()
	if !result.Changed {
		out.Line("nothing to change")
	}
	out.Line("deployed: " + result.URL)
	if result.Cost != nil {
		out.Line(result.Cost.String())
	}
	return nil
}

func runPlan(ctx context.Context, a *app, o environmentDir) error {
	d, err := o.deployment(ctx, a)
	if err != nil {
		return err
	}
	plan, err := d.Plan(ctx, false)
	if err != nil {
		return err
	}
	q := d.Question(plan)
	if a.json {
		return ui.NewJSON(a.Out).Write(map[string]any{"event": "plan", "changes": plan.Changes, "cost": q.Cost, "file": plan.File})
	}
	a.tell(q)
	return nil
}

func runDestroy(ctx context.Context, a *app, o environmentDir, yes bool) error {
	d, err := o.deployment(ctx, a)
	if err != nil {
		return err
	}
	if !yes {
		d.Confirm = a.confirm
	}
	result, err := d.Destroy(ctx)
	if err != nil {
		return err
	}
	if a.json {
		return ui.NewJSON(a.Out).Write(result)
	}
	if !result.Changed {
		a.out().Line("nothing is deployed")
		return nil
	}
	a.out().Line("destroyed: nothing is left")
	return nil
}

// tell shows a plan before it is applied.
func (a *app) tell(q deploy.Question) {
	out := a.out()
	marks := map[infra.Action]string{infra.Create: "+", infra.Update: "~", infra.Replace: "±", infra.Delete: "-"}
	for _, c := range q.Plan.Changes {
		out.Line("  " + marks[c.Action] + " " + ui.Clean(c.Address))
	}
	out.Line(q.Plan.String())
	if q.Cost != nil {
		out.Line(q.Cost.String())
	}
	if len(q.Losses) > 0 {
		out.Line(out.Paint(ui.Red, "will be lost, and does not come back:"))
		for _, l := range q.Losses {
			out.Line("  " + ui.Clean(l.String()))
		}
	}
}

// confirm asks a person. Where nobody can answer, --yes is the only way.
func (a *app) confirm(ctx context.Context, q deploy.Question) (bool, error) {
	a.tell(q)
	want, ask := "yes", "Apply this? Type yes: "
	if q.Destroy {
		dir, err := filepath.Abs(q.Dir)
		if err != nil {
			return false, err
		}
		want = filepath.Base(dir)
		ask = fmt.Sprintf("Destroy it? Type the environment's name, %s: ", want)
	}
	if _, err := io.WriteString(a.Out, ask); err != nil {
		return false, err
	}
	answer, err := readLine(ctx, a.In)
	if errors.Is(err, io.EOF) && answer == "" {
		return false, hint.With(errors.New("nobody answered: standard input is closed"), "--yes applies without asking")
	}
	if err != nil && !errors.Is(err, io.EOF) {
		return false, err
	}
	return answer == want, nil
}

// readLine reads one line, or gives up when ctx ends: a read of a terminal cannot
// be taken back, so its goroutine ends with the process.
func readLine(ctx context.Context, in io.Reader) (string, error) {
	type line struct {
		text string
		err  error
	}
	read := make(chan line, 1)
	go func() {
		text, err := bufio.NewReader(in).ReadString('\n')
		read <- line{strings.TrimSpace(text), err}
	}()
	select {
	case l := <-read:
		return l.text, l.err
	case <-ctx.Done():
		return "", ctx.Err()
	}
}
