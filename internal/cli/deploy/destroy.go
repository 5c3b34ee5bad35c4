package deploy

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/aproorg/sluice/internal/cli/command"
)

// NewDestroy declares destroy.
func NewDestroy(p *command.Program) *cobra.Command {
	o := environment{}
	var yes bool
	cmd := &cobra.Command{
		Use:     "destroy",
		Short:   "Destroy an environment, after naming the data that is lost with it",
		Example: "  sluice destroy\n  sluice destroy --dir environments/dev --yes",
		Args:    cobra.NoArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return runDestroy(cmd.Context(), p, o, yes) },
	}
	o.addFlags(cmd.Flags())
	cmd.Flags().BoolVar(&yes, "yes", false, "do not ask: destroy it")
	return cmd
}

func runDestroy(ctx context.Context, p *command.Program, o environment, yes bool) error {
	d, err := o.deployment(ctx, p, false)
	if err != nil {
		return err
	}
	if !yes {
		d.Confirm = asker{p}.confirm
	}
	result, err := d.Destroy(ctx)
	if err != nil {
		return err
	}
	if p.JSON {
		return p.WriteJSON(result)
	}
	if !result.Changed {
		p.Terminal().Line("nothing is deployed")
		return nil
	}
	p.Terminal().Line("destroyed: nothing is left")
	return nil
}
