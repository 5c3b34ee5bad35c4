package provider

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/aproorg/sluice/internal/provider/plugin"
)

// TestUpgradeWithinAVersion installs other bytes under the same version: a plain
// init refuses them, and after Relock it does not.
func TestUpgradeWithinAVersion(t *testing.T) {
	oneTool(t, func(t *testing.T, w *tool) {
		mirror := t.TempDir()
		write(t, filepath.Join(w.dir, "cli.tfrc"), `provider_installation { filesystem_mirror { path = "`+mirror+`" } }`)
		w.env = append(w.env, "TF_CLI_CONFIG_FILE="+filepath.Join(w.dir, "cli.tfrc"))
		write(t, filepath.Join(w.dir, "main.tf"), "terraform {\n  required_providers {\n    sluice = { source = \"aproorg/sluice\" }\n  }\n}\n")
		installed := make([][]string, 2)
		for n, content := range []string{"one", "two"} {
			write(t, filepath.Join(w.dir, "sluice"), content)
			var err error
			if installed[n], err = plugin.Install(filepath.Join(w.dir, "sluice"), version, mirror); err != nil {
				t.Fatal(err)
			}
			if n == 0 {
				w.must(t, "init", "-input=false")
				continue
			}
			if out, code := w.run(t, "init", "-input=false"); code == 0 {
				t.Fatalf("init took other bytes: Relock has no use\n%s", out)
			}
			if err := plugin.Relock(w.dir, installed[n][0]); err != nil {
				t.Fatal(err)
			}
			w.must(t, "init", "-input=false")
		}
		before, _ := os.ReadFile(filepath.Join(w.dir, plugin.LockFile))
		if err := plugin.Relock(w.dir, installed[1][0]); err != nil {
			t.Fatal(err)
		}
		if after, _ := os.ReadFile(filepath.Join(w.dir, plugin.LockFile)); string(before) != string(after) {
			t.Errorf("changed a lock file that fits:\n%s", after)
		}
	})
}
