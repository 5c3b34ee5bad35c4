package terraform

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

var update = flag.Bool("update", false, "write recorded files anew")

// TestInterfaces compares the recorded interfaces with the modules that `tofu init`
// fetched; with -update it records them.
func TestInterfaces(t *testing.T) {
	a := emulated(t)
	dev := a.environment(t, nil)
	manifest, err := os.ReadFile(filepath.Join(dev, ".terraform", "modules", "modules.json"))
	if err != nil {
		t.Fatal(err)
	}
	var list struct {
		Modules []struct{ Key, Source, Version, Dir string }
	}
	if err := json.Unmarshal(manifest, &list); err != nil {
		t.Fatal(err)
	}
	seen := 0
	for _, fetched := range list.Modules {
		if fetched.Version == "" {
			continue
		}
		seen++
		m := fetchedModule(t, filepath.Join(dev, fetched.Dir))
		source := fetched.Source[len("registry.opentofu.org/"):]
		got, _ := json.MarshalIndent(m.face(source, fetched.Version), "", " ")
		got = append(got, '\n')
		if *update {
			if err := os.WriteFile(recorded(source), got, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, _ := os.ReadFile(recorded(source))
		if diff := cmp.Diff(string(want), string(got)); diff != "" {
			t.Errorf("%s is not as recorded; run with -update:\n%s", source, diff)
		}
	}
	if seen == 0 {
		t.Error("no registry module was fetched")
	}
}

func fetchedModule(t *testing.T, dir string) *module {
	t.Helper()
	m := &module{dir: dir}
	files, _ := filepath.Glob(filepath.Join(dir, "*.tf"))
	for _, name := range files {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		file, diags := hclsyntax.ParseConfig(data, name, hcl.InitialPos)
		if diags.HasErrors() {
			t.Fatal(diags)
		}
		m.blocks = append(m.blocks, file.Body.(*hclsyntax.Body).Blocks...)
	}
	return m
}
