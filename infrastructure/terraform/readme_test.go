package terraform

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

var fenced = regexp.MustCompile("(?s)```hcl\n(.*?)```")

// examples are the HCL of each module's README.
func examples(t *testing.T) map[string]string {
	t.Helper()
	all := map[string]string{}
	names, _ := filepath.Glob("modules/*")
	for _, dir := range names {
		data, err := os.ReadFile(filepath.Join(dir, "README.md"))
		if err != nil {
			t.Errorf("%s has no README", dir)
			continue
		}
		found := fenced.FindSubmatch(data)
		if found == nil {
			t.Errorf("%s: the README has no example", dir)
			continue
		}
		all[dir] = string(found[1])
	}
	return all
}

// TestExamples: the README's example gives its module what that asks for.
func TestExamples(t *testing.T) {
	all := modules(t)
	for dir, example := range examples(t) {
		file, diags := hclsyntax.ParseConfig([]byte(example), dir+"/README.md", hcl.InitialPos)
		if diags.HasErrors() {
			t.Error(diags)
			continue
		}
		block := file.Body.(*hclsyntax.Body).Blocks[0]
		if source := literal(block.Body.Attributes["source"]); source != "../../"+dir {
			t.Errorf("%s: the example is of %s", dir, source)
		}
		f := all[dir].face("", "")
		for name := range block.Body.Attributes {
			if name != "source" && !slices.Contains(f.Required, name) && !slices.Contains(f.Optional, name) {
				t.Errorf("%s: the example gives %s, which the module does not have", dir, name)
			}
		}
		for _, name := range f.Required {
			if block.Body.Attributes[name] == nil {
				t.Errorf("%s: the example lacks %s", dir, name)
			}
		}
	}
}

// TestExamplesValidate gives all examples to a real tofu, validations included.
func TestExamplesValidate(t *testing.T) {
	a := emulated(t)
	root := t.TempDir()
	if err := os.CopyFS(root, Files); err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(root, "environments", "examples")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	text := "variable \"origin_secret\" { default = \"x\" }\nvariable \"auth_token\" { default = \"0123456789abcdef\" }\n"
	for _, example := range examples(t) {
		text += example
	}
	if err := os.WriteFile(filepath.Join(dir, "main.tf"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"init"}, {"validate"}} {
		if out, err := a.run(dir, args...); err != nil {
			t.Fatalf("%s: %v\n%s", strings.Join(args, " "), err, complaint(out))
		}
	}
}
