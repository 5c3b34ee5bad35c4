package cli

import (
	"fmt"
	"log/slog"

	"github.com/spf13/cobra"

	apps "github.com/aproorg/sluice/internal/app"
	"github.com/aproorg/sluice/internal/app/presets"
)

// newServeApp is the hidden command by which sluice is one of the apps it knows.
func newServeApp(a *app) *cobra.Command {
	return &cobra.Command{
		Use:    apps.ServeCommand + " NAME",
		Short:  "Be an app that listens on PORT (sluice up starts it)",
		Hidden: true,
		Args:   cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			preset, ok := presets.Find(args[0])
			if !ok || preset.Serve == nil {
				return &usageError{fmt.Errorf("sluice is no app %q", args[0])}
			}
			return preset.Serve(apps.Server{Context: cmd.Context(), Getenv: a.Getenv, Log: slog.New(slog.NewTextHandler(a.Err, nil))})
		},
	}
}
