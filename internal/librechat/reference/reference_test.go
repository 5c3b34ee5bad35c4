package reference

import (
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestDocumentIsFresh(t *testing.T) {
	committed, err := os.ReadFile("../../../docs/librechat.md")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(committed), Markdown()); diff != "" {
		t.Errorf("docs/librechat.md is not what `go generate ./internal/librechat/reference` writes (-committed +now):\n%s", diff)
	}
}
