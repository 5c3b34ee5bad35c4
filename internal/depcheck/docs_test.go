package depcheck

import (
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// row is a line of the tables of packages in docs/architecture.md.
var row = regexp.MustCompile("(?m)^\\| `([a-z0-9/]+)` \\| [^|]+ \\|$")

func TestArchitectureNamesEveryPackage(t *testing.T) {
	const document = "docs/architecture.md"
	text, err := os.ReadFile("../../" + document)
	if err != nil {
		t.Fatal(err)
	}
	named := map[string]bool{}
	for _, match := range row.FindAllStringSubmatch(string(text), -1) {
		named[match[1]] = true
	}
	all := packages(t)
	for _, path := range slices.Sorted(maps.Keys(all)) {
		name, below := strings.CutPrefix(path, module+"internal/")
		if below && !named[name] {
			t.Errorf("%s does not name %s: add the row\n\t| `%s` | what it is for |", document, name, name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(named)) {
		if _, there := all[module+"internal/"+name]; !there {
			t.Errorf("%s names %s, which is gone: take its row out", document, name)
		}
	}
}
