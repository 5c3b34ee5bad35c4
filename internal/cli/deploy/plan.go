package deploy

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"github.com/aproorg/sluice/internal/cli/command"
)

// NewPlan declares plan.
func NewPlan(p *command.Program) *cobra.Command {
	o := environment{}
	var out string
	cmd := &cobra.Command{
		Use:     "plan",
		Short:   "Show what a deploy would change, and what a month costs at rest",
		Example: "  sluice plan\n  sluice plan --dir environments/prod --json\n  sluice plan --out ~/dev.plan",
		Args:    cobra.NoArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return runPlan(cmd.Context(), p, o, out) },
	}
	o.addFlags(cmd.Flags())
	cmd.Flags().StringVar(&out, "out", "", "keep the plan in `FILE`, for tofu show and apply; it holds secrets in clear")
	return cmd
}

func runPlan(ctx context.Context, p *command.Program, o environment, out string) (err error) {
	d, err := o.deployment(ctx, p, false)
	if err != nil {
		return err
	}
	if err := o.checkVariables(); err != nil {
		return err
	}
	d.Out = out
	defer func() { err = errors.Join(err, d.Infra.Forget()) }()
	plan, err := d.Plan(ctx, false)
	if err != nil {
		return err
	}
	q := d.Question(plan)
	if p.JSON {
		event := map[string]any{"event": "plan", "changes": plan.Changes, "cost": q.Cost}
		if out != "" {
			event["file"] = plan.File
		}
		return p.WriteJSON(event)
	}
	asker{p}.show(q, false)
	return nil
}
