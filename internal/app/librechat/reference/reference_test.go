package reference

import (
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestDocumentIsFresh(t *testing.T) {
	committed, err := os.ReadFile("../../../../docs/librechat.md")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(committed), Markdown()); diff != "" {
		t.Errorf("docs/librechat.md is not what `go generate ./internal/app/librechat/reference` writes (-committed +now):\n%s", diff)
	}
}

func TestEveryKindOfVariableIsInTheDocument(t *testing.T) {
	document := Markdown()
	for _, name := range []string{"MONGO_URI", "MONGO_MAX_POOL_SIZE", "AWS_ACCESS_KEY_ID", "USE_REDIS_STREAMS"} {
		if !strings.Contains(document, "| `"+name+"` |") {
			t.Errorf("%s has no row", name)
		}
	}
}
