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
	all := modules(t)
	if diff := cmp.Diff(slices.Sorted(maps.Keys(all)), slices.Sorted(slices.Values(documented))); diff != "" {
		t.Errorf("folders of HCL (-there +documented):\n%s", diff)
	}
	got := modulesDoc(all)
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

// documented are the folders of HCL in the order of docs/modules.md.
var documented = []string{
	"environments/dev", "environments/prod", "environments/account", "environments/ci", "modules/frontend", "modules/domain", "modules/api-gateway", "modules/usage-plan", "modules/account",
	"modules/backend", "modules/network", "modules/files", "modules/alias", "modules/redis", "modules/monitoring", "modules/deployer",
	"modules/github",
}

func modulesDoc(all map[string]*module) string {
	var b strings.Builder
	b.WriteString("# Modules\n\nGenerated from the HCL by `go generate ./infrastructure/terraform`. Each module's README has an example.\n")
	for _, dir := range documented {
		m := all[dir]
		fmt.Fprintf(&b, "\n## %s\n\n[%s](../infrastructure/terraform/%s). %s\n", path.Base(dir), dir, dir, m.purpose())
		inputs, outputs := m.labelled("variable"), m.labelled("output")
		if len(inputs) > 0 {
			b.WriteString("\n| input | type | default | what it is |\n|---|---|---|---|\n")
		}
		for _, name := range m.inFileOrder(inputs) {
			v := inputs[name]
			fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", name, m.code(v.Body.Attributes["type"]), m.code(v.Body.Attributes["default"]), cell(literal(v.Body.Attributes["description"])))
		}
		if len(outputs) > 0 {
			b.WriteString("\n| output | what it is |\n|---|---|\n")
		}
		for _, name := range slices.Sorted(maps.Keys(outputs)) {
			fmt.Fprintf(&b, "| `%s` | %s |\n", name, cell(m.commentAbove(outputs[name])))
		}
	}
	return b.String()
}

// purpose is the comment at the top of main.tf, or of backend.tf where main.tf is another environment's.
func (m *module) purpose() string {
	source := m.source[m.dir+"/main.tf"]
	if source == nil {
		source = m.source[m.dir+"/backend.tf"]
	}
	var words []string
	for line := range strings.Lines(string(source)) {
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

// cell is text for a cell of a table: on one line, whatever its layout in the HCL.
func cell(text string) string {
	return strings.ReplaceAll(strings.Join(strings.Fields(text), " "), "|", `\|`)
}
