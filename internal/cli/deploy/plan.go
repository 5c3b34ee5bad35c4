package deploy

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/aproorg/sluice/internal/cli/command"
)

// NewPlan declares plan.
func NewPlan(p *command.Program) *cobra.Command {
	o := environment{}
	cmd := &cobra.Command{
		Use:     "plan",
		Short:   "Show what a deploy would change, and what a month costs at rest",
		Example: "  sluice plan\n  sluice plan --dir environments/prod --json",
		Args:    cobra.NoArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return runPlan(cmd.Context(), p, o) },
	}
	o.addFlags(cmd.Flags())
	return cmd
}

func runPlan(ctx context.Context, p *command.Program, o environment) error {
	d, err := o.deployment(ctx, p)
	if err != nil {
		return err
	}
	if err := o.checkVariables(); err != nil {
		return err
	}
	plan, err := d.Plan(ctx, false)
	if err != nil {
		return err
	}
	q := d.Question(plan)
	if p.JSON {
		return p.WriteJSON(map[string]any{"event": "plan", "changes": plan.Changes, "cost": q.Cost, "file": plan.File})
	}
	asker{p}.show(q)
	return nil
}
