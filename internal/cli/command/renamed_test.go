package command

import (
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

func TestRenamedFlagSetsTheNewOneAndSaysSo(t *testing.T) {
	var out, errs strings.Builder
	var values []string
	var on bool
	command := &cobra.Command{Use: "x", RunE: func(*cobra.Command, []string) error { return nil }}
	command.SetOut(&out)
	command.SetErr(&errs)
	command.Flags().StringArrayVar(&values, "env", nil, "")
	command.Flags().BoolVar(&on, "watch", false, "")
	Renamed(command, "environment", "env")
	Renamed(command, "follow", "watch")
	command.SetArgs([]string{"--environment", "A=1", "--environment=B=2", "--follow"})
	if err := command.Execute(); err != nil {
		t.Fatal(err)
	}
	if strings.Join(values, " ") != "A=1 B=2" || !on {
		t.Errorf("the old names set %q and %v", values, on)
	}
	if !command.Flags().Changed("env") || !command.Flags().Changed("watch") {
		t.Error("the new flags do not count as changed")
	}
	want := "notice: --environment is now --env; the old name still works\nnotice: --follow is now --watch; the old name still works\n"
	if errs.String() != want || out.String() != "" {
		t.Errorf("standard error has %q, want %q; standard output has %q", errs.String(), want, out.String())
	}
	if usage := command.UsageString(); strings.Contains(usage, "--environment") || strings.Contains(usage, "--follow") {
		t.Errorf("--help lists old names:\n%s", usage)
	}
}
