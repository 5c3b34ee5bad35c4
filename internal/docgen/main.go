// Command docgen writes a document that is made from the code. Where each of them
// comes from stands in its package, beside `go:generate`.
package main

import (
	"context"
	"fmt"
	"os"

	"github.com/aproorg/sluice/internal/app/presets"
	bootstrap "github.com/aproorg/sluice/internal/bootstrap/reference"
	"github.com/aproorg/sluice/internal/provider"
)

var documents = map[string]func() string{
	"bootstrap": bootstrap.Markdown,
	"provider":  func() string { return provider.Markdown(context.Background()) },
}

func main() {
	for _, p := range presets.All() { // an app's document is named after it
		if p.Document != nil {
			documents[p.Name] = p.Document
		}
	}
	if len(os.Args) != 3 || documents[os.Args[1]] == nil {
		fmt.Fprintln(os.Stderr, "usage: docgen bootstrap|provider|APP FILE")
		os.Exit(2)
	}
	if err := os.WriteFile(os.Args[2], []byte(documents[os.Args[1]]()), 0o644); err != nil {
		fmt.Fprintln(os.Stderr, "docgen:", err)
		os.Exit(1)
	}
}
