package up

import (
	"log/slog"

	"github.com/spf13/cobra"

	apps "github.com/aproorg/sluice/internal/app"
	"github.com/aproorg/sluice/internal/app/presets"
	"github.com/aproorg/sluice/internal/cli/command"
)

// NewServeApp declares the hidden command by which sluice is one of the apps it knows.
func NewServeApp(p *command.Program) *cobra.Command {
	return &cobra.Command{
		Use:    apps.ServeCommand + " NAME",
		Short:  "Be an app that listens on PORT (sluice up starts it)",
		Hidden: true,
		Args:   cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			preset, ok := presets.Find(args[0])
			if !ok || preset.Serve == nil {
				return command.Usagef("sluice is no app %q", args[0])
			}
			return preset.Serve(apps.Server{Context: cmd.Context(), Getenv: p.Getenv, Log: slog.New(slog.NewTextHandler(p.Err, nil))})
		},
	}
}
