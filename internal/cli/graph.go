package cli

import (
	"bytes"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/aproorg/sluice/internal/graph"
	"github.com/aproorg/sluice/internal/ui"
)

func newGraph(a *app) *cobra.Command {
	source, file := stackSource{}, ""
	command := &cobra.Command{
		Use:   "graph",
		Short: "Draw the architecture that a plan, a state or the embedded extract describes, as SVG",
		Example: `  sluice graph --output architecture.svg
  tofu show -json tfplan > plan.json && sluice graph --plan plan.json > architecture.svg`,
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error { return runGraph(a, source, file) },
	}
	source.addFlags(command, command.Flags())
	command.Flags().StringVar(&file, "output", "", "`FILE` to write in place of standard output")
	return command
}

func runGraph(a *app, source stackSource, file string) error {
	s, err := source.load()
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
	case a.json:
		return ui.NewJSON(a.Out).Write(struct {
			SVG string `json:"svg"`
		}{svg.String()})
	}
	_, err = svg.WriteTo(a.Out)
	return err
}
