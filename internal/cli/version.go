package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"

	"github.com/aproorg/sluice/internal/hint"
	"github.com/aproorg/sluice/internal/notice"
)

func newVersion(p *Program) *cobra.Command {
	var licenses bool
	cmd := &cobra.Command{
		Use:     "version",
		Short:   "Show which sluice this is",
		Example: "  sluice version --json\n  sluice version --licenses",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if licenses {
				return runLicenses(p)
			}
			return runVersion(cmd.Context(), p)
		},
	}
	cmd.Flags().BoolVar(&licenses, "licenses", false, "show what software of others is in a release, and its licenses")
	return cmd
}

func runLicenses(p *Program) error {
	if notice.Text == "" {
		return hint.With(errors.New("this sluice was built from source, without the licenses of others"), "go run ./internal/notice/gen writes them to dist/THIRD-PARTY.txt")
	}
	_, err := io.WriteString(p.Out, notice.Text)
	return err
}

// version is what the build knows of itself.
type version struct {
	Version  string `json:"version"`
	Revision string `json:"revision,omitempty"`
	Modified bool   `json:"modified"`
	Go       string `json:"go"`
	Platform string `json:"platform"`
}

func readVersion() version {
	v := version{Version: "unknown", Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return v
	}
	v.Version = info.Main.Version
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			v.Revision = s.Value
		case "vcs.modified":
			v.Modified = s.Value == "true"
		}
	}
	return v
}

func runVersion(_ context.Context, p *Program) error {
	v := readVersion()
	if p.JSON {
		return p.WriteJSON(v)
	}
	text := fmt.Sprintf("sluice %s, %s, %s", v.Version, v.Go, v.Platform)
	if v.Revision != "" {
		text += ", commit " + v.Revision
	}
	if v.Modified {
		text += " with changes"
	}
	_, err := fmt.Fprintln(p.Out, text)
	return err
}
