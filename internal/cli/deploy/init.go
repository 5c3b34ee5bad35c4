package deploy

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/aproorg/sluice/internal/cli/command"
	"github.com/aproorg/sluice/internal/hint"
	"github.com/aproorg/sluice/internal/infra"
)

// NewInit declares init.
func NewInit(p *command.Program) *cobra.Command {
	o := environment{}
	cmd := &cobra.Command{
		Use:   "init",
		Short: "Install Sluice's Terraform provider where tofu and terraform look, and make the state's bucket",
		Long: `Init copies this executable to the plugin directory of OpenTofu and Terraform, as
the provider aproorg/sluice, so that a plain "tofu init && tofu apply" works in an
environment. Where your CLI configuration (TF_CLI_CONFIG_FILE, ~/.tofurc or
~/.terraformrc) says where providers come from, it is copied there too. Deploy,
plan and destroy do the same by themselves.

With --dir it also makes the bucket where that environment keeps its state, if it
is not there: sluice-state-ACCOUNT-REGION, private, encrypted and versioned, and prints
what tofu init has to know of it. Deploy does the same by itself.`,
		Example: "  sluice init && tofu -chdir=" + shippedEnvironment + " init\n  sluice init --dir infrastructure/terraform/environments/prod",
		Args:    cobra.NoArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return runInit(cmd.Context(), p, o) },
	}
	f := cmd.Flags()
	f.StringVar(&o.dir, "dir", "", "`DIR` of the environment whose state's bucket is made")
	f.StringArrayVar(&o.vars, "var", nil, "`NAME=VALUE` of a Terraform variable, such as region; may be repeated")
	return cmd
}

func runInit(ctx context.Context, p *command.Program, o environment) error {
	files, err := installProvider(p)
	if err != nil {
		return err
	}
	state := remoteState{}
	if o.dir != "" {
		if err := infra.CheckModule(o.dir); err != nil {
			return hint.With(err, "--dir names the environment's folder, such as %s", shippedEnvironment)
		}
		if state, err = o.remoteState(ctx, p); err != nil {
			return err
		}
		if err := state.make(ctx, p); err != nil {
			return err
		}
	}
	if p.JSON {
		return p.WriteJSON(map[string]any{"event": "init", "files": files, "backend": state.settings})
	}
	for _, file := range files {
		p.Terminal().Line(file)
	}
	if state.bucket != nil {
		p.Terminal().Line(fmt.Sprintf("tofu -chdir=%s init -backend-config=bucket=%s -backend-config=region=%s", o.dir, state.name, state.settings["region"]))
	}
	return nil
}
