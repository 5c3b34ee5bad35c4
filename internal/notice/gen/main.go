// Command gen writes the notice of the authors of what is in a release: into the file that a release build of package
// notice embeds, and beside the programs in dist. It leaves out what is in the notice: package notice says that.
package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"

	"github.com/aproorg/sluice/internal/notice"
)

var files = []string{"internal/notice/embedded/THIRD-PARTY.txt", "dist/THIRD-PARTY.txt"}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "notice:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	// The list asks for the embedded file, which on a first run is not there.
	for _, file := range files {
		if err := write(file, nil); err != nil {
			return err
		}
	}
	modules, err := notice.Modules(ctx, notice.Released()...)
	if err != nil {
		return err
	}
	var text bytes.Buffer
	if err := notice.Write(&text, modules); err != nil {
		return err
	}
	for _, file := range files {
		if err := write(file, text.Bytes()); err != nil {
			return err
		}
		fmt.Printf("%s: %d modules, %d bytes\n", file, len(modules), text.Len())
	}
	return nil
}

func write(file string, text []byte) error {
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return err
	}
	return os.WriteFile(file, text, 0o644)
}
