package reference

import (
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/aproorg/sluice/internal/bootstrap/settings"
)

func TestDocumentIsFresh(t *testing.T) {
	committed, err := os.ReadFile("../../../docs/bootstrap.md")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(committed), Markdown()); diff != "" {
		t.Errorf("docs/bootstrap.md is not what `go generate ./internal/bootstrap/reference` writes (-committed +now):\n%s", diff)
	}
}

func TestEverySettingIsInTheDocument(t *testing.T) {
	document := Markdown()
	for _, s := range settings.Table() {
		if !strings.Contains(document, "| `"+s.Name+"` |") {
			t.Errorf("%s has no row", s.Name)
		}
	}
}
