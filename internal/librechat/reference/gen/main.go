// Command gen writes docs/librechat.md to the file that it is given.
package main

import (
	"fmt"
	"os"

	"github.com/aproorg/sluice/internal/librechat/reference"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: gen FILE")
		os.Exit(2)
	}
	if err := os.WriteFile(os.Args[1], []byte(reference.Markdown()), 0o644); err != nil {
		fmt.Fprintln(os.Stderr, "gen:", err)
		os.Exit(1)
	}
}
