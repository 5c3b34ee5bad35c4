package infra

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/opentofu/tofudl"

	"github.com/aproorg/sluice/internal/tempdir"
)

// Version of OpenTofu that Fetch takes when there is neither tofu nor terraform.
const Version = "1.12.6"

// NotFoundError says that the machine has none of the programs looked for.
type NotFoundError struct{ Looked []string }

func (e *NotFoundError) Error() string {
	return "neither " + strings.Join(e.Looked, " nor ") + " is on PATH"
}

// Find returns the path of tofu, or else of terraform. A name that the caller
// insists on goes before both.
func Find(name string) (string, error) {
	if name != "" {
		path, err := exec.LookPath(name)
		if err != nil {
			return "", fmt.Errorf("find %s: %w", name, err)
		}
		return path, nil
	}
	names := []string{"tofu", "terraform"}
	for _, n := range names {
		if path, err := exec.LookPath(n); err == nil {
			return path, nil
		}
	}
	return "", &NotFoundError{names}
}

// Fetch downloads a version of OpenTofu into dir, unless it is there, and says whether it did. The checksums'
// signature is verified against OpenTofu's key, and the archive against the
// checksums, before anything is written. Options point it at a mirror.
func Fetch(ctx context.Context, dir, version string, opts ...tofudl.ConfigOpt) (path string, fetched bool, err error) {
	path = filepath.Join(dir, "tofu-"+version)
	if runtime.GOOS == "windows" {
		path += ".exe"
	}
	if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() && info.Size() > 0 {
		return path, false, nil
	}
	downloader, err := tofudl.New(opts...)
	if err != nil {
		return "", false, fmt.Errorf("fetch OpenTofu %s: %w", version, err)
	}
	binary, err := downloader.Download(ctx, tofudl.DownloadOptVersion(tofudl.Version(version)))
	if err != nil {
		return "", false, fmt.Errorf("fetch OpenTofu %s: %w", version, err)
	}
	if err := writeExecutable(path, binary); err != nil {
		return "", false, fmt.Errorf("keep OpenTofu %s: %w", version, err)
	}
	return path, true, nil
}

// writeExecutable puts the whole file in place, or none of it.
func writeExecutable(path string, content []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	tempdir.RemoveStale(filepath.Join(filepath.Dir(path), ".part-*"))
	part, err := os.CreateTemp(filepath.Dir(path), ".part-*")
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(part.Name()) }() // gone already after the rename
	_, err = part.Write(content)
	if e := part.Chmod(0o755); err == nil {
		err = e
	}
	if e := part.Close(); err == nil {
		err = e
	}
	if err != nil {
		return err
	}
	return os.Rename(part.Name(), path)
}
