package cli

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/aproorg/sluice/internal/ui"
)

func newInit(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "init",
		Short: "Install Sluice's Terraform provider where tofu and terraform look",
		Long: `Init copies this executable to the plugin directory of OpenTofu and Terraform, as
the provider aproorg/sluice, so that a plain "tofu init && tofu apply" works in an
environment. Where your CLI configuration (TF_CLI_CONFIG_FILE, ~/.tofurc or
~/.terraformrc) says where providers come from, it is copied there too. Deploy,
plan and destroy do the same by themselves.`,
		Example: "  sluice init && tofu -chdir=" + shippedEnvironment + " init",
		Args:    cobra.NoArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return runInit(cmd.Context(), a) },
	}
}

func runInit(_ context.Context, a *app) error {
	files, err := installProvider(a)
	if err != nil {
		return err
	}
	if a.json {
		return ui.NewJSON(a.Out).Write(map[string]any{"event": "init", "files": files})
	}
	for _, file := range files {
		a.out().Line(file)
	}
	return nil
}
