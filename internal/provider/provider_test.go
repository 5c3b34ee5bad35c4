package provider

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/johannesboyne/gofakes3"
)

var noPage = gofakes3.ListBucketPage{}

func TestReferenceIsFresh(t *testing.T) {
	have, err := os.ReadFile("../../docs/provider.md")
	if err != nil {
		t.Fatal(err)
	}
	if string(have) != Markdown(t.Context()) {
		t.Error("docs/provider.md is not what the schemas say: go generate ./internal/provider")
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
