package provider

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
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
			if installed[n], err = Install(filepath.Join(w.dir, "sluice"), version, mirror); err != nil {
				t.Fatal(err)
			}
			if n == 0 {
				w.must(t, "init", "-input=false")
				continue
			}
			if out, code := w.run(t, "init", "-input=false"); code == 0 {
				t.Fatalf("init took other bytes: Relock is without use\n%s", out)
			}
			if err := Relock(w.dir, installed[n][0]); err != nil {
				t.Fatal(err)
			}
			w.must(t, "init", "-input=false")
		}
		before, _ := os.ReadFile(filepath.Join(w.dir, LockFile))
		if err := Relock(w.dir, installed[1][0]); err != nil {
			t.Fatal(err)
		}
		if after, _ := os.ReadFile(filepath.Join(w.dir, LockFile)); string(before) != string(after) {
			t.Errorf("changed a lock file that fits:\n%s", after)
		}
	})
}

func TestRelockLeavesOtherProviders(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "bin", "p"), "x")
	other := "provider \"registry.opentofu.org/hashicorp/aws\" {\n  version = \"6.34.0\"\n}\n"
	write(t, filepath.Join(dir, LockFile), other+"\nprovider \"registry.opentofu.org/aproorg/sluice\" {\n  version = \"0.1.0\"\n  hashes = [\"h1:x\"]\n}\n")
	if err := Relock(dir, filepath.Join(dir, "bin", "p")); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(dir, LockFile))
	if err != nil || !strings.HasPrefix(string(text), other) || strings.Contains(string(text), "aproorg") {
		t.Errorf("%v:\n%s", err, text)
	}
	write(t, filepath.Join(dir, LockFile), "provider {")
	if err := Relock(dir, filepath.Join(dir, "bin", "p")); err == nil || !strings.Contains(err.Error(), LockFile) {
		t.Errorf("error is %v", err)
	}
	if err := Relock(t.TempDir(), filepath.Join(dir, "bin", "p")); err != nil {
		t.Errorf("without a lock file: %v", err)
	}
}

func FuzzWithoutProvider(f *testing.F) {
	f.Add([]byte("provider \"registry.opentofu.org/aproorg/sluice\" {\n  version = \"0.1.0\"\n}\n"))
	f.Add([]byte("# comment\nprovider \"a/b/c\" {}\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		without, changed, err := withoutProvider(text)
		if err != nil || !changed {
			return
		}
		if again, _, err := withoutProvider(without); err != nil {
			t.Errorf("cannot be read again: %v\n%s", err, again)
		}
	})
}
