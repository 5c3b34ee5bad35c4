package deploy

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/aproorg/sluice/internal/cli/command"
)

// NewInit declares init.
func NewInit(p *command.Program) *cobra.Command {
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
		RunE:    func(cmd *cobra.Command, _ []string) error { return runInit(cmd.Context(), p) },
	}
}

func runInit(_ context.Context, p *command.Program) error {
	files, err := installProvider(p)
	if err != nil {
		return err
	}
	if p.JSON {
		return p.WriteJSON(map[string]any{"event": "init", "files": files})
	}
	for _, file := range files {
		p.Terminal().Line(file)
	}
	return nil
}
