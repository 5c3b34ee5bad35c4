package parts

import (
	"bytes"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/aproorg/sluice/internal/cli/command"
	"github.com/aproorg/sluice/internal/graph"
)

// NewGraph declares graph.
func NewGraph(p *command.Program) *cobra.Command {
	source, file := command.Stack{}, ""
	cmd := &cobra.Command{
		Use:   "graph",
		Short: "Draw the architecture that a plan, a state or the embedded extract describes, as SVG",
		Example: `  sluice graph --output architecture.svg
  tofu show -json tfplan > plan.json && sluice graph --plan plan.json > architecture.svg`,
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error { return runGraph(p, source, file) },
	}
	source.AddFlags(cmd, cmd.Flags())
	cmd.Flags().StringVar(&file, "output", "", "`FILE` to write in place of standard output")
	return cmd
}

func runGraph(p *command.Program, source command.Stack, file string) error {
	s, err := source.Load()
	if err != nil {
		return err
	}
	var svg bytes.Buffer
	if err := graph.SVG(&svg, s); err != nil {
		return err
	}
	switch {
	case file != "":
		if err := os.WriteFile(file, svg.Bytes(), 0o644); err != nil {
			return fmt.Errorf("write the drawing: %w", err)
		}
		return nil
	case p.JSON:
		return p.WriteJSON(struct {
			SVG string `json:"svg"`
		}{svg.String()})
	}
	_, err = svg.WriteTo(p.Out)
	return err
}
