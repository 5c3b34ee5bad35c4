package plugin

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestStarted(t *testing.T) {
	for arg0, want := range map[string]bool{
		"sluice": false, "/usr/bin/sluice": false, "": false,
		"terraform-provider-sluice_v0.1.0":              true,
		".terraform/x/terraform-provider-sluice_v0.1.0": true,
	} {
		if Started(arg0) != want {
			t.Errorf("%q: %v", arg0, !want)
		}
	}
}

func TestInstall(t *testing.T) {
	binary := filepath.Join(t.TempDir(), "sluice")
	write(t, binary, "one")
	dir := t.TempDir()
	installed, err := Install(binary, "1.2.3", dir)
	if err != nil || len(installed) != 2 {
		t.Fatalf("%v, %v", installed, err)
	}
	before, err := os.Stat(installed[0])
	if err != nil || before.Mode().Perm() != 0o755 || filepath.Base(installed[0]) != "terraform-provider-sluice_v1.2.3" {
		t.Errorf("%v, %v", before, err)
	}
	if _, err := Install(binary, "1.2.3", dir); err != nil {
		t.Fatal(err)
	}
	if after, err := os.Stat(installed[0]); err != nil || !os.SameFile(before, after) {
		t.Errorf("wrote the same again: %v", err)
	}
	write(t, binary, "two")
	if _, err := Install(binary, "1.2.3", dir); err != nil {
		t.Fatal(err)
	}
	if text, err := os.ReadFile(installed[1]); err != nil || string(text) != "two" {
		t.Errorf("%q, %v", text, err)
	}
	if _, err := Install(filepath.Join(dir, "absent"), "1.2.3", dir); err == nil {
		t.Error("installed nothing")
	}
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
