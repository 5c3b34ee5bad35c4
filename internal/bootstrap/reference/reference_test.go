package reference

import (
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
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
	for _, name := range []string{"SLUICE_APP_PORT", "SLUICE_READY_LOG", "SLUICE_DRAIN_LIMIT", "SLUICE_SECRETS", "SLUICE_CONFIG_S3"} {
		if !strings.Contains(document, "| `"+name+"` |") {
			t.Errorf("%s has no row", name)
		}
	}
}
