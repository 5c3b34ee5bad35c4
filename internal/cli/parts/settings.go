package parts

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/aproorg/sluice/internal/bootstrap/settings"
	"github.com/aproorg/sluice/internal/cli/command"
	"github.com/aproorg/sluice/internal/ui"
)

// NewSettings declares settings.
func NewSettings(p *command.Program) *cobra.Command {
	return &cobra.Command{
		Use:   "settings",
		Short: "List the bootstrap's settings: the function's environment variables and their defaults",
		Long: `Settings lists the environment variables that the bootstrap in the image reads, each
with its default. Set them on the function, or in a rehearsal with --env.`,
		Example: `  sluice settings
  sluice up --env SLUICE_HEARTBEAT=5s`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return runSettings(cmd.Context(), p) },
	}
}

// setting is one line of JSON.
type setting struct {
	Name    string `json:"name"`
	Default string `json:"default"`
	Meaning string `json:"meaning"`
}

func runSettings(_ context.Context, p *command.Program) error {
	var rows [][]string
	json := ui.NewJSON(p.Out)
	for _, s := range settings.Table() {
		if p.JSON {
			if err := json.Write(setting{s.Name, s.Default, s.Meaning}); err != nil {
				return err
			}
		}
		rows = append(rows, []string{s.Name, s.Default, s.Meaning})
	}
	if p.JSON {
		return nil
	}
	return ui.Table(p.Out, rows)
}
