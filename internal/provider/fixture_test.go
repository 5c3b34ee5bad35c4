package provider

import (
	"bytes"
	"context"
	"debug/elf"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"

	"github.com/aproorg/sluice/internal/image/imagetest"
	"github.com/aproorg/sluice/internal/provider/plugin"
)

const version = "0.1.0"

// TestMain is also the provider: the tools start this test's executable as one.
func TestMain(m *testing.M) {
	if !plugin.Started(os.Args[0]) {
		os.Exit(m.Run())
	}
	if err := Serve(context.Background(), version); err != nil {
		log.Fatal(err)
	}
}

// tool is OpenTofu or Terraform in a directory of its own.
type tool struct {
	path string
	dir  string
	env  []string
}

// eachTool runs the test with OpenTofu and with Terraform, as far as they are
// installed.
func eachTool(t *testing.T, test func(*testing.T, *tool)) {
	ran := false
	for _, name := range []string{"tofu", "terraform"} {
		path, err := exec.LookPath(name)
		if err != nil {
			continue
		}
		ran = true
		t.Run(name, func(t *testing.T) { test(t, newTool(t, path)) })
	}
	if !ran {
		t.Skip("neither tofu nor terraform is here: https://opentofu.org/docs/intro/install/")
	}
}

// oneTool runs the test with the first that is installed: what it shows of the
// resources does not differ between the two.
func oneTool(t *testing.T, test func(*testing.T, *tool)) {
	done := false
	eachTool(t, func(t *testing.T, w *tool) {
		if !done {
			done = true
			test(t, w)
		}
	})
}

func newTool(t *testing.T, path string) *tool {
	t.Helper()
	mirror, work := t.TempDir(), t.TempDir()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := plugin.Install(self, version, mirror); err != nil {
		t.Fatal(err)
	}
	config := filepath.Join(mirror, "cli.tfrc")
	write(t, config, fmt.Sprintf("provider_installation {\n filesystem_mirror { path = %q }\n}\n", mirror))
	return &tool{path: path, dir: work, env: append(os.Environ(),
		"TF_CLI_CONFIG_FILE="+config, "TF_IN_AUTOMATION=1", "CHECKPOINT_DISABLE=1", "TF_DATA_DIR="+filepath.Join(work, ".terraform"),
		"AWS_ACCESS_KEY_ID=test", "AWS_SECRET_ACCESS_KEY=test", "AWS_REGION=eu-west-1", "AWS_CONFIG_FILE="+os.DevNull, "AWS_SHARED_CREDENTIALS_FILE="+os.DevNull)}
}

// run returns what the tool printed and its exit code.
func (w *tool) run(t *testing.T, args ...string) (string, int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, w.path, args...)
	cmd.Dir, cmd.Env = w.dir, w.env
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatalf("%s: %v", args[0], err)
	}
	return string(out), cmd.ProcessState.ExitCode()
}

func (w *tool) must(t *testing.T, args ...string) string {
	t.Helper()
	out, code := w.run(t, append(args, "-no-color")...)
	if code != 0 {
		t.Fatalf("%s: exit code %d\n%s", strings.Join(args, " "), code, out)
	}
	return out
}

func (w *tool) apply(t *testing.T) string {
	t.Helper()
	return w.must(t, "apply", "-auto-approve", "-input=false")
}

// plan tells whether there is something to do.
func (w *tool) plan(t *testing.T) (out string, changes bool) {
	t.Helper()
	out, code := w.run(t, "plan", "-input=false", "-no-color", "-detailed-exitcode")
	if code != 0 && code != 2 {
		t.Fatalf("plan: exit code %d\n%s", code, out)
	}
	return out, code == 2
}

func (w *tool) outputs(t *testing.T) map[string]string {
	t.Helper()
	var raw map[string]struct{ Value any }
	if err := json.Unmarshal([]byte(w.must(t, "output", "-json")), &raw); err != nil {
		t.Fatal(err)
	}
	values := map[string]string{}
	for name, output := range raw {
		values[name] = fmt.Sprint(output.Value)
	}
	return values
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// newBucket serves gofakes3 with one bucket, "site".
func newBucket(t *testing.T) (endpoint string, backend *s3mem.Backend) {
	t.Helper()
	backend = s3mem.New()
	if err := backend.CreateBucket("site"); err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(gofakes3.New(backend, gofakes3.WithLogger(gofakes3.DiscardLog()), gofakes3.WithTimeSkewLimit(0)).Server())
	t.Cleanup(server.Close)
	return server.URL, backend
}

func newRegistry(t *testing.T) string {
	server := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	t.Cleanup(server.Close)
	return strings.TrimPrefix(server.URL, "http://")
}

// program writes programBytes and a tail, which makes another program of it.
func program(t *testing.T, path, tail string) {
	t.Helper()
	write(t, path, string(programBytes(t))+tail)
}

// programBytes is the smallest thing that passes for a bootstrap.
func programBytes(t *testing.T) []byte {
	t.Helper()
	var out bytes.Buffer
	if err := binary.Write(&out, binary.LittleEndian, elf.Header64{
		Ident: [elf.EI_NIDENT]byte{0x7f, 'E', 'L', 'F', byte(elf.ELFCLASS64), byte(elf.ELFDATA2LSB), byte(elf.EV_CURRENT)},
		Type:  uint16(elf.ET_EXEC), Machine: uint16(elf.EM_X86_64), Version: uint32(elf.EV_CURRENT), Ehsize: 64, Phentsize: 56, Shentsize: 64,
	}); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// base is an OCI layout with an app that looks like LibreChat's from outside.
func base(t *testing.T) string {
	t.Helper()
	layer := imagetest.Programs(t, types.OCILayer, map[string][]byte{
		"app/api/server/index.js": []byte("server"), "app/client/dist/index.html": []byte("page"), "app/client/dist/assets/a.A1b2C3d4.js": []byte("script"),
	})
	img := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON)
	img, err := mutate.ConfigFile(img, &v1.ConfigFile{OS: "linux", Architecture: "amd64", RootFS: v1.RootFS{Type: "layers"},
		Config: v1.Config{Entrypoint: []string{"docker-entrypoint.sh"}, Cmd: []string{"node", "server/index.js"}, WorkingDir: "/app/api"}})
	if err == nil {
		img, err = mutate.AppendLayers(img, layer)
	}
	if err != nil {
		t.Fatal(err)
	}
	return imagetest.Stored(t, img)
}
