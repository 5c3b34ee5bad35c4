// Command gen writes the Terraform provider's reference.
package main

import (
	"context"
	"fmt"
	"os"

	"github.com/aproorg/sluice/internal/provider"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: gen FILE")
		os.Exit(2)
	}
	if err := os.WriteFile(os.Args[1], []byte(provider.Markdown(context.Background())), 0o644); err != nil {
		fmt.Fprintln(os.Stderr, "gen:", err)
		os.Exit(1)
	}
}
