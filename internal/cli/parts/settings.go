package parts

import (
	"github.com/spf13/cobra"

	"github.com/aproorg/sluice/internal/app"
	"github.com/aproorg/sluice/internal/app/presets"
	"github.com/aproorg/sluice/internal/bootstrap/settings"
	"github.com/aproorg/sluice/internal/cli/command"
	"github.com/aproorg/sluice/internal/ui"
)

// NewSettings declares settings.
func NewSettings(p *command.Program) *cobra.Command {
	var name string
	cmd := &cobra.Command{
		Use:   "settings",
		Short: "List the bootstrap's settings: the function's environment variables and their defaults",
		Long: `Settings lists the environment variables that the bootstrap in the image reads, each
with its default. Set them on the function, or in a rehearsal with --env.

With --app it lists the variables of an app instead: who sets each, to what, and why.`,
		Example: `  sluice settings
  sluice settings --app ` + presets.Shipped().Name + `
  sluice up --env SLUICE_HEARTBEAT=5s`,
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			if name != "" {
				return runAppSettings(p, name)
			}
			return runSettings(p)
		},
	}
	cmd.Flags().StringVar(&name, "app", "", "`NAME` of an app, to list its variables in place of the bootstrap's")
	return cmd
}

// setting is one line of JSON.
type setting struct {
	Name    string `json:"name"`
	Default string `json:"default"`
	Meaning string `json:"meaning"`
}

func runSettings(p *command.Program) error {
	var rows [][]string
	for _, s := range settings.Table() {
		if p.JSON {
			if err := p.WriteJSON(setting{s.Name, s.Default, s.Meaning}); err != nil {
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

// variable is one line of JSON.
type variable struct {
	Name   string   `json:"name"`
	Need   app.Need `json:"need"` // required, provided, forbidden
	Secret bool     `json:"secret"`
	Value  string   `json:"value"` // of a provided one; empty where it depends on the deployment
	Why    string   `json:"why"`
}

// runAppSettings lists the variables that the app's preset has an opinion on.
func runAppSettings(p *command.Program, name string) error {
	preset, ok := presets.Find(name)
	if !ok {
		return command.UnknownApp(name)
	}
	rows := [][]string{{"VARIABLE", "WHO SETS IT", "VALUE", "WHY"}}
	for _, v := range preset.Variables {
		if p.JSON {
			if err := p.WriteJSON(variable{v.Name, v.Need, v.Secret, v.Value, v.Why}); err != nil {
				return err
			}
		}
		rows = append(rows, []string{v.Name, v.Need.By(), v.Value, v.Why})
	}
	switch {
	case p.JSON:
		return nil
	case len(preset.Variables) == 0:
		p.Terminal().Line(preset.Title + " needs no variables of its own")
		return nil
	}
	return ui.Table(p.Out, rows)
}
