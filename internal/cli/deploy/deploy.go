// Package deploy is the commands that bring an environment to AWS and back: init,
// plan, deploy, status and destroy. They share the flags that name the environment,
// the view of the steps, and the question before a plan is applied.
//
// It leaves out the order of the steps (internal/deploy) and the driving of OpenTofu
// and Terraform (internal/infra).
package deploy

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/aproorg/sluice/internal/cli/check"
	"github.com/aproorg/sluice/internal/cli/command"
	"github.com/aproorg/sluice/internal/hint"
)

// deployOptions are the flags of deploy.
type deployOptions struct {
	environment
	yes   bool
	check check.Options
	skip  bool

	canary int
}

// NewDeploy declares deploy.
func NewDeploy(p *command.Program) *cobra.Command {
	o := &deployOptions{}
	cmd := &cobra.Command{
		Use:   "deploy",
		Short: "Deploy an environment with OpenTofu or Terraform, and prove that it streams",
		Long: `Deploy plans an environment, shows what changes and what a month costs at rest,
applies exactly that plan once you agree, and verifies the result. When it is
interrupted, run it again: it goes on from what was made.`,
		Example: `  sluice deploy
` + command.AppExamples("deploy") + `
  sluice deploy --canary 10 --dir environments/prod
  sluice deploy --yes --json`,
		Args:        cobra.NoArgs,
		Annotations: command.ExitCodes("0  deployed and verified", "1  a step failed, a check failed, or you did not agree"),
		RunE:        func(cmd *cobra.Command, _ []string) error { return runDeploy(cmd.Context(), p, o, cmd.Flags()) },
	}
	f := cmd.Flags()
	o.environment.addFlags(f)
	f.BoolVar(&o.yes, "yes", false, "do not ask: apply what the plan says")
	f.BoolVar(&o.skip, "no-verify", false, "leave the checks at the end out")
	f.IntVar(&o.canary, "canary", 0, "give a new version of the function `PERCENT` of the calls, and leave the rest to the one that is live; the next deploy without it gives all")
	o.check.AddFlags(f, "check-var")
	o.check.AddOwnFlags(cmd)
	return cmd
}

func runDeploy(ctx context.Context, p *command.Program, o *deployOptions, flags *pflag.FlagSet) error {
	verify, err := o.check.Ready(p, flags)
	if err != nil {
		return err
	}
	o.environment.app = o.check.App
	d, err := o.deployment(ctx, p, true)
	if err != nil {
		return err
	}
	if err := o.checkVariables(); err != nil {
		return err
	}
	if o.canary < 0 || o.canary > 99 {
		return hint.With(fmt.Errorf("--canary %d is no percentage from 1 to 99", o.canary), "leave it out to give a new version all calls")
	}
	d.Canary = o.canary
	if !o.yes {
		d.Confirm = asker{p}.confirm
	}
	if !o.skip {
		d.Verify = func(ctx context.Context, url string) error {
			if err := verify(ctx, url); errors.Is(err, check.ErrFailed) {
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
	if p.JSON {
		return p.WriteJSON(result)
	}
	out := p.Terminal()
	if !result.Changed {
		out.Line("nothing to change")
	}
	if result.URL == "" { // such as environments/account, which nobody opens
		out.Line("deployed")
	} else {
		out.Line("deployed: " + result.URL)
	}
	if result.Cost != nil {
		out.Line(result.Cost.String())
	}
	if o.canary > 0 {
		out.Line(fmt.Sprintf("%d %% of the calls go to the newest version: deploy without --canary gives it all of them", o.canary))
	}
	return nil
}
