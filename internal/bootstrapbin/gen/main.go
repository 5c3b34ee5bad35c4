// Command gen compiles the bootstrap for every architecture of Lambda into the
// files that a release build of package bootstrapbin embeds.
package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"

	"github.com/aproorg/sluice/internal/bootstrapbin"
)

const directory = "internal/bootstrapbin/embedded"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "gen:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	if err := os.MkdirAll(directory, 0o755); err != nil {
		return err
	}
	for _, arch := range bootstrapbin.Architectures {
		content, err := bootstrapbin.Compile(ctx, "linux", arch)
		if err != nil {
			return err
		}
		if err := write(filepath.Join(directory, "bootstrap-linux-"+arch+".gz"), content); err != nil {
			return err
		}
	}
	return nil
}

func write(path string, content []byte) error {
	var packed bytes.Buffer
	writer, err := gzip.NewWriterLevel(&packed, gzip.BestCompression)
	if err != nil {
		return err
	}
	if _, err := writer.Write(content); err != nil {
		return err
	}
	if err := writer.Close(); err != nil {
		return err
	}
	fmt.Printf("%s: %d bytes, %d packed\n", path, len(content), packed.Len())
	return os.WriteFile(path, packed.Bytes(), 0o644)
}
