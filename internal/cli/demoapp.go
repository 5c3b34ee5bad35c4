package cli

import (
	"log/slog"

	"github.com/spf13/cobra"

	"github.com/aproorg/sluice/internal/app/demo"
)

// demoAppCommand is the hidden command by which sluice is its own demo app.
const demoAppCommand = "demo-app"

func newDemoApp(a *app) *cobra.Command {
	return &cobra.Command{
		Use:    demoAppCommand,
		Short:  "Serve the demo app's API on PORT (sluice up starts it)",
		Hidden: true,
		Args:   cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			config, err := demo.ConfigFrom(a.Getenv)
			if err != nil {
				return err
			}
			config.Log = slog.New(slog.NewTextHandler(a.Err, nil))
			return demo.Run(cmd.Context(), config)
		},
	}
}
