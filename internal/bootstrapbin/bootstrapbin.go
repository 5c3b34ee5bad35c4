// Package bootstrapbin hands out the bootstrap's executable: the bytes that go
// into an image, and a file that a rehearsal on this machine can start.
//
// A release build (tag "release") carries the Linux executables inside itself;
// package gen writes them first. A build from source compiles cmd/bootstrap on
// the spot with the go command, in the way that leaves no trace of the machine,
// so that the same source and the same Go give the same bytes for everyone. For a
// rehearsal from source those bytes do not matter: it is compiled as go run
// compiled sluice itself, whose packages are in the build cache already.
//
// It does not know what the bootstrap does, nor where in an image it lies.
package bootstrapbin

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"sync"

	"github.com/aproorg/sluice/internal/hint"
	"github.com/aproorg/sluice/internal/tempdir"
)

// Architectures are the values that Binary takes, in Go's and OCI's words.
// Lambda calls them x86_64 and arm64.
var Architectures = []string{"amd64", "arm64"}

// ErrArchitecture says that Lambda has no such instruction set.
var ErrArchitecture = errors.New("bootstrap: unknown architecture")

var memory struct {
	sync.Mutex
	built map[target][]byte
}

// target says what to compile. A local one is for this machine only, with its
// person's own settings of Go.
type target struct {
	os, arch string
	local    bool
}

// Binary returns the bootstrap's executable for Linux on arch (see
// Architectures). The bytes are shared: do not change them. It is safe for
// concurrent use; the first call of a build from source takes some seconds.
func Binary(ctx context.Context, arch string) ([]byte, error) {
	for _, known := range Architectures {
		if arch == known {
			return binary(ctx, target{os: "linux", arch: arch})
		}
	}
	return nil, fmt.Errorf("%w %q: use one of %v", ErrArchitecture, arch, Architectures)
}

// Path returns an executable file of the bootstrap for this machine. It lies in
// the user's cache directory under the digest of its content, so that calls at
// the same time, of other versions too, never meet half a file.
func Path(ctx context.Context) (string, error) {
	content, err := binary(ctx, target{os: runtime.GOOS, arch: runtime.GOARCH, local: true})
	if err != nil {
		return "", err
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", hint.With(fmt.Errorf("find a place for the bootstrap: %w", err), cacheAdvice)
	}
	return store(filepath.Join(cache, "sluice", "bootstrap"), content)
}

func binary(ctx context.Context, t target) ([]byte, error) {
	if t.os == "linux" {
		if content, ok := embedded(t.arch); ok {
			return content, nil
		}
	}
	memory.Lock()
	defer memory.Unlock()
	if content, ok := memory.built[t]; ok {
		return content, nil
	}
	content, err := compile(ctx, t)
	if err != nil {
		return nil, err
	}
	if memory.built == nil {
		memory.built = map[target][]byte{}
	}
	memory.built[t] = content
	return content, nil
}

const cacheAdvice = "set HOME or XDG_CACHE_HOME to a directory that you may write to"

// store writes content to dir/DIGEST/bootstrap once and returns that path.
func store(dir string, content []byte) (string, error) {
	sum := sha256.Sum256(content)
	dir = filepath.Join(dir, hex.EncodeToString(sum[:]))
	path := filepath.Join(dir, "bootstrap")
	if info, err := os.Stat(path); err == nil && info.Size() == int64(len(content)) {
		return path, nil
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", hint.With(fmt.Errorf("store the bootstrap: %w", err), cacheAdvice)
	}
	if err := writeExecutable(dir, path, content); err != nil {
		return "", fmt.Errorf("store the bootstrap: %w", err)
	}
	return path, nil
}

// writeExecutable renames a finished file into place: another process may be
// starting the same path right now.
func writeExecutable(dir, path string, content []byte) error {
	tempdir.RemoveStale(filepath.Join(dir, "bootstrap-*"))
	file, err := os.CreateTemp(dir, "bootstrap-*")
	if err != nil {
		return err
	}
	defer os.Remove(file.Name())
	_, err = file.Write(content)
	if err := errors.Join(err, file.Chmod(0o755), file.Close()); err != nil {
		return err
	}
	return os.Rename(file.Name(), path)
}
