package deploy

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strconv"

	tfjson "github.com/hashicorp/terraform-json"
	"github.com/spf13/cobra"

	"github.com/aproorg/sluice/internal/cli/command"
	"github.com/aproorg/sluice/internal/hint"
	"github.com/aproorg/sluice/internal/infra"
	"github.com/aproorg/sluice/internal/ui"
)

// NewStatus declares status.
func NewStatus(p *command.Program) *cobra.Command {
	o := environment{}
	cmd := &cobra.Command{
		Use:         "status",
		Short:       "Show what an environment's state says is deployed",
		Example:     "  sluice status\n  sluice status --dir environments/prod --json",
		Args:        cobra.NoArgs,
		Annotations: command.ExitCodes("0  something is deployed", "1  nothing is, or the state cannot be read"),
		RunE:        func(cmd *cobra.Command, _ []string) error { return runStatus(cmd.Context(), p, o) },
	}
	o.addFlags(cmd.Flags())
	return cmd
}

// status is what runStatus writes as JSON.
type status struct {
	Resources map[string]int    `json:"resources"` // by type
	Outputs   map[string]string `json:"outputs"`
	LogGroups map[string]string `json:"logGroups,omitempty"` // by what writes there
}

func runStatus(ctx context.Context, p *command.Program, o environment) error {
	workspace, err := o.workspace(ctx, p)
	if err != nil {
		return err
	}
	state, err := workspace.State(ctx)
	if err != nil {
		return err
	}
	s := status{Resources: map[string]int{}}
	if state != nil {
		count(state.Values.RootModule, s.Resources)
	}
	if len(s.Resources) == 0 {
		return hint.With(errors.New("nothing is deployed in "+o.dir), "sluice deploy")
	}
	s.Outputs, s.LogGroups = infra.OutputsOf(state), logGroups(state)
	if p.JSON {
		return p.WriteJSON(s)
	}
	return s.write(p)
}

func (s status) write(p *command.Program) error {
	rows := [][]string{{"url", s.Outputs["url"]}}
	for _, writer := range slices.Sorted(maps.Keys(s.LogGroups)) {
		rows = append(rows, []string{"log of the " + writer, s.LogGroups[writer]})
	}
	for _, kind := range slices.Sorted(maps.Keys(s.Resources)) {
		rows = append(rows, []string{kind, strconv.Itoa(s.Resources[kind])})
	}
	return ui.Table(p.Out, rows)
}

// logGroups are those that the environment's output log_groups names.
func logGroups(state *tfjson.State) map[string]string {
	output := state.Values.Outputs["log_groups"]
	if output == nil {
		return nil
	}
	named, _ := output.Value.(map[string]any)
	groups := map[string]string{}
	for writer, group := range named {
		if name, ok := group.(string); ok {
			groups[writer] = name
		}
	}
	return groups
}

// count adds up the managed resources of a module and those below it, by type.
func count(m *tfjson.StateModule, types map[string]int) {
	if m == nil {
		return
	}
	for _, r := range m.Resources {
		if r.Mode == tfjson.ManagedResourceMode {
			types[r.Type]++
		}
	}
	for _, child := range m.ChildModules {
		count(child, types)
	}
}
