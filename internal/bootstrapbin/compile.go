package bootstrapbin

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/aproorg/sluice/internal/bounded"
	"github.com/aproorg/sluice/internal/hint"
	"github.com/aproorg/sluice/internal/tempdir"
)

const (
	module  = "github.com/aproorg/sluice"
	command = module + "/cmd/bootstrap"
)

// Flags of go build, by which nothing of the machine gets into the executable.
var Flags = []string{"-trimpath", "-buildvcs=false", "-ldflags=-s -w -buildid="}

// localFlags change the link only, so that the packages are those of go run.
var localFlags = []string{"-buildvcs=false", "-ldflags=-s -w"}

// compileLimit bounds one compilation, from an empty build cache too.
const compileLimit = 5 * time.Minute

// Compile builds cmd/bootstrap for one system and architecture in Go's words.
// It needs the go command and this module's source. Package gen calls it for a
// release; everyone else calls Binary.
func Compile(ctx context.Context, goos, goarch string) ([]byte, error) {
	return compile(ctx, target{os: goos, arch: goarch})
}

func compile(ctx context.Context, t target) ([]byte, error) {
	root, err := sourceRoot()
	if err != nil {
		return nil, fmt.Errorf("compile the bootstrap for %s/%s: %w", t.os, t.arch, err)
	}
	dir, err := tempdir.Make("bootstrap")
	if err != nil {
		return nil, fmt.Errorf("compile the bootstrap: %w", err)
	}
	defer os.RemoveAll(dir)
	out := filepath.Join(dir, "bootstrap")
	if err := goBuild(ctx, root, out, t); err != nil {
		return nil, fmt.Errorf("compile the bootstrap for %s/%s: %w", t.os, t.arch, err)
	}
	return os.ReadFile(out)
}

func goBuild(ctx context.Context, root, out string, t target) error {
	ctx, cancel := context.WithTimeout(ctx, compileLimit)
	defer cancel()
	flags, env := Flags, reproducible(t)
	if t.local {
		flags, env = localFlags, nil
	}
	cmd := exec.CommandContext(ctx, "go", slices.Concat([]string{"build"}, flags, []string{"-o", out, command})...)
	cmd.Dir = root
	cmd.Env = append(append(cmd.Environ(), env...), "GOTMPDIR="+filepath.Dir(out)) // removed with it, killed or not
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	var output bytes.Buffer
	cmd.Stdout, cmd.Stderr = &output, &output
	err := cmd.Run()
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(err, exec.ErrNotFound):
		return hint.With(err, "install Go, or use a released sluice, which carries the bootstrap")
	case err != nil:
		return fmt.Errorf("go build: %w: %s", err, strings.TrimSpace(output.String()))
	}
	return nil
}

// reproducible overrides all of the person's Go settings that change bytes.
func reproducible(t target) []string {
	return []string{
		"GOOS=" + t.os, "GOARCH=" + t.arch, "CGO_ENABLED=0", "GOFLAGS=", "GOWORK=off",
		"GOAMD64=v1", "GOARM64=v8.0", "GOEXPERIMENT=", "GOFIPS140=off", "GO111MODULE=on",
	}
}

// sourceRoot finds this module's directory: where this file was compiled, or
// else the working directory or one above it.
func sourceRoot() (string, error) {
	var tried []string
	if _, file, _, ok := runtime.Caller(0); ok && filepath.IsAbs(file) {
		tried = append(tried, filepath.Dir(file))
	}
	if dir, err := os.Getwd(); err == nil {
		tried = append(tried, dir)
	}
	for _, dir := range tried {
		if root, ok := moduleAbove(dir); ok {
			return root, nil
		}
	}
	return "", hint.With(fmt.Errorf("no source of %s in %s or above", module, strings.Join(tried, " or ")), "run inside the source tree, or use a released sluice")
}

// maxGoMod bounds what is read of a go.mod on the way up.
const maxGoMod = 1 << 20

func moduleAbove(dir string) (string, bool) {
	for {
		text, err := bounded.ReadFile(filepath.Join(dir, "go.mod"), maxGoMod)
		if err == nil && strings.HasPrefix(string(text), "module "+module+"\n") {
			return dir, true
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", false
		}
		dir = parent
	}
}
