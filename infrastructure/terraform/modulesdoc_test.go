package terraform

import (
	"fmt"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

//go:generate go test -count=1 -run=TestModulesDoc -update

// TestModulesDoc holds docs/modules.md to the HCL; with -update it writes it.
func TestModulesDoc(t *testing.T) {
	file := filepath.Join("..", "..", "docs", "modules.md")
	got := modulesDoc(modules(t))
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, _ := os.ReadFile(file)
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("docs/modules.md is not what the HCL says: go generate ./infrastructure/terraform\n%s", diff)
	}
}

func modulesDoc(all map[string]*module) string {
	var b strings.Builder
	b.WriteString("# Modules\n\nGenerated from the HCL by `go generate ./infrastructure/terraform`. Each module's README has an example.\n")
	for _, dir := range []string{"environments/dev", "modules/frontend", "modules/api-gateway", "modules/backend", "modules/redis", "modules/monitoring"} {
		m := all[dir]
		fmt.Fprintf(&b, "\n## %s\n\n[%s](../infrastructure/terraform/%s). %s\n", path.Base(dir), dir, dir, m.purpose())
		inputs, outputs := m.labelled("variable"), m.labelled("output")
		b.WriteString("\n| input | type | default | what it is |\n|---|---|---|---|\n")
		for _, name := range m.inFileOrder(inputs) {
			v := inputs[name]
			fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", name, m.code(v.Body.Attributes["type"]), m.code(v.Body.Attributes["default"]), cell(literal(v.Body.Attributes["description"])))
		}
		b.WriteString("\n| output | what it is |\n|---|---|\n")
		for _, name := range slices.Sorted(maps.Keys(outputs)) {
			fmt.Fprintf(&b, "| `%s` | %s |\n", name, cell(m.commentAbove(outputs[name])))
		}
	}
	return b.String()
}

// purpose is the comment at the top of main.tf.
func (m *module) purpose() string {
	var words []string
	for line := range strings.Lines(string(m.source[m.dir+"/main.tf"])) {
		text, ok := strings.CutPrefix(line, "#")
		if !ok {
			break
		}
		words = append(words, strings.Fields(text)...)
	}
	return strings.Join(words, " ")
}

func (m *module) inFileOrder(blocks map[string]*hclsyntax.Block) []string {
	return slices.SortedFunc(maps.Keys(blocks), func(a, b string) int {
		return blocks[a].TypeRange.Start.Byte - blocks[b].TypeRange.Start.Byte
	})
}

// code is an expression's source on one line, or a word for its being required.
func (m *module) code(a *hclsyntax.Attribute) string {
	if a == nil {
		return "required"
	}
	r := a.Expr.Range()
	var lines []string
	for line := range strings.Lines(string(m.source[r.Filename][r.Start.Byte:r.End.Byte])) {
		if text, _, _ := strings.Cut(line, " # "); strings.TrimSpace(text) != "" {
			lines = append(lines, strings.Join(strings.Fields(text), " "))
		}
	}
	text := strings.NewReplacer("{,", "{", "[, ", "[", "(,", "(", ",,", ",", ", }", " }", ", ]", "]", ",]", "]").Replace(strings.Join(lines, ", "))
	if len(text) > 160 {
		return "see [variables.tf](../infrastructure/terraform/" + m.dir + "/variables.tf)"
	}
	return "`" + cell(text) + "`"
}

func cell(text string) string { return strings.ReplaceAll(text, "|", `\|`) }
