package cli_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/aproorg/sluice/internal/app/presets"
	"github.com/aproorg/sluice/internal/cli"
)

// TestHelp compares the help of each command with testdata/help, so that a change
// of it is read before it is made. A flag that goes should keep its name: see command.Renamed.
func TestHelp(t *testing.T) {
	const dir = "testdata/help"
	helps := map[string][]string{"sluice.txt": {"--help"}}
	for _, name := range cli.CommandNames() {
		helps[name+".txt"] = []string{name, "--help"}
	}
	for _, app := range presets.Names() {
		if app == presets.Rehearsed().Name {
			continue // its help is that of the command alone
		}
		for _, command := range []string{"up", "verify"} {
			helps[command+"-"+app+".txt"] = []string{command, "--app", app, "--help"}
		}
	}
	for file, args := range helps {
		var out, errs strings.Builder
		code := cli.Run(t.Context(), cli.Program{
			In: strings.NewReader(""), Out: &out, Err: &errs,
			Getenv: func(string) string { return "" }, Executable: os.Executable,
		}, args)
		if code != 0 || errs.Len() > 0 {
			t.Errorf("sluice %s ended with %d: %s", strings.Join(args, " "), code, &errs)
		}
		golden := filepath.Join(dir, file)
		if *update {
			if err := os.WriteFile(golden, []byte(out.String()), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(golden)
		if err != nil {
			t.Errorf("%v; go test ./internal/cli -run TestHelp -update writes it", err)
			continue
		}
		if diff := cmp.Diff(string(want), out.String()); diff != "" {
			t.Errorf("the help of sluice %s has changed; go test ./internal/cli -run TestHelp -update writes %s anew (-was +is):\n%s", strings.Join(args, " "), file, diff)
		}
	}
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if helps[file.Name()] == nil {
			t.Errorf("%s is of no command: remove it", filepath.Join(dir, file.Name()))
		}
	}
}
