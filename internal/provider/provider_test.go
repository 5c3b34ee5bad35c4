package provider

import (
	"os"
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
