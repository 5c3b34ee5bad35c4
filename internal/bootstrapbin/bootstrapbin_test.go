package bootstrapbin

import (
	"bytes"
	"context"
	"debug/elf"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aproorg/sluice/internal/hint"
)

func TestBinaryIsAStaticExecutableOfItsArchitecture(t *testing.T) {
	want := map[string]elf.Machine{"amd64": elf.EM_X86_64, "arm64": elf.EM_AARCH64}
	for _, arch := range Architectures {
		t.Run(arch, func(t *testing.T) {
			content, err := Binary(t.Context(), arch)
			if err != nil {
				t.Fatal(err)
			}
			file, err := elf.NewFile(bytes.NewReader(content))
			if err != nil {
				t.Fatal(err)
			}
			if file.Machine != want[arch] {
				t.Errorf("machine %v, want %v", file.Machine, want[arch])
			}
			for _, part := range file.Progs {
				if part.Type == elf.PT_INTERP {
					t.Error("needs a dynamic loader: it would not start in an Alpine image")
				}
			}
		})
	}
}

func TestBinaryHoldsNoTraceOfThisMachine(t *testing.T) {
	content, err := Binary(t.Context(), "amd64")
	if err != nil {
		t.Fatal(err)
	}
	root, err := sourceRoot()
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(content, []byte(root+"/")) {
		t.Errorf("holds the source directory's path %s", root)
	}
}

func TestTwoCompilationsGiveTheSameBytes(t *testing.T) {
	first, err := Compile(t.Context(), "linux", "arm64")
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("GOFLAGS", "-tags=other -buildvcs=true")
	t.Setenv("GOAMD64", "v3")
	second, err := Compile(t.Context(), "linux", "arm64")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(first, second) {
		t.Error("the bytes differ")
	}
}

func TestUnknownArchitecture(t *testing.T) {
	_, err := Binary(t.Context(), "riscv64")
	if !errors.Is(err, ErrArchitecture) || !strings.Contains(err.Error(), "riscv64") {
		t.Errorf("got %v", err)
	}
}

func TestCompileStopsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Compile(ctx, "linux", "amd64"); err == nil {
		t.Error("no error")
	}
}

func TestPathIsExecutableAndKeyedByContent(t *testing.T) {
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	first, err := Path(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(first)
	if err != nil || info.Mode().Perm() != 0o755 {
		t.Fatalf("mode %v, %v", info, err)
	}
	again, err := Path(t.Context())
	if err != nil || again != first {
		t.Errorf("second call gave %s, %v", again, err)
	}
}

func TestStoreMendsATruncatedFile(t *testing.T) {
	dir, content := t.TempDir(), []byte("the whole program")
	path, err := store(dir, content)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, content[:3], 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := store(dir, content); err != nil {
		t.Fatal(err)
	}
	if got, _ := os.ReadFile(path); !bytes.Equal(got, content) {
		t.Errorf("left %q", got)
	}
	if left, _ := os.ReadDir(filepath.Dir(path)); len(left) != 1 {
		t.Errorf("left %d files", len(left))
	}
}

// TestInterruptedCompilationLeavesNothing ends it at several moments, in the middle of go's own work among them.
func TestInterruptedCompilationLeavesNothing(t *testing.T) {
	tmp := t.TempDir()
	t.Setenv("TMPDIR", tmp)
	t.Setenv("GOCACHE", t.TempDir()) // all is to be compiled: it cannot be done before it is interrupted
	for _, after := range []time.Duration{0, 50 * time.Millisecond, 500 * time.Millisecond} {
		ctx, cancel := context.WithTimeout(t.Context(), after)
		_, err := Compile(ctx, "linux", "amd64")
		cancel()
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("after %s: %v", after, err)
		}
	}
	left, err := os.ReadDir(tmp)
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func TestNoPlaceForTheBootstrapIsSaidWithAHint(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Path(t.Context()); err != nil { // compiles it: go needs a home too
		t.Fatal(err)
	}
	for name, home := range map[string]string{"none": "", "a file": file} {
		t.Setenv("XDG_CACHE_HOME", "")
		t.Setenv("HOME", home)
		_, err := Path(t.Context())
		if err == nil || !strings.Contains(hint.Text(err), "(hint: set HOME or XDG_CACHE_HOME") {
			t.Errorf("home is %s: %v", name, err)
		}
	}
}
