package image_test

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/aproorg/sluice/internal/bootstrapbin"
	"github.com/aproorg/sluice/internal/emulate/lambda"
	"github.com/aproorg/sluice/internal/image"
	"github.com/aproorg/sluice/internal/image/imagetest"
	"github.com/aproorg/sluice/internal/image/registry"
	"github.com/aproorg/sluice/internal/image/rootfs"
	"github.com/aproorg/sluice/internal/image/source"
	"github.com/aproorg/sluice/internal/stack"
)

// A real base, the real bootstrap, and a Lambda that lets nobody write but to
// /tmp: the app, which logs to a path of its own, starts and answers.
func TestImageRunsOnLambda(t *testing.T) {
	for name, base := range map[string]func(*testing.T) v1.Image{"a static program": goApp, "Debian's Node": nodeApp} {
		t.Run(name, func(t *testing.T) {
			root, config := unpacked(t, base(t), image.Options{})
			if answer := invoke(t, root, config); !strings.Contains(answer, "hello from /app/api") {
				t.Errorf("answered %s", answer)
			}
			if target, err := os.Readlink(filepath.Join(root, "app/api/logs")); err != nil || target != "/tmp/logs" {
				t.Errorf("logs lead to %q, %v", target, err)
			}
		})
	}
}

// unpacked is what sluice image makes of base, with further options.
func unpacked(t *testing.T, base v1.Image, o image.Options) (string, v1.Config) {
	t.Helper()
	bootstrap, err := bootstrapbin.Binary(t.Context(), "amd64")
	if err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(t.TempDir(), "out")
	o.Base, o.To, o.Bootstrap = imagetest.Stored(t, base), "oci:"+out, bootstrap
	o.Links = []image.Link{{Path: "/app/api/logs", Target: "/tmp/logs"}}
	result, err := image.Build(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	img, err := source.Open(t.Context(), result.Reference, "amd64", registry.Access{})
	if err != nil {
		t.Fatal(err)
	}
	root := filepath.Join(t.TempDir(), "root")
	if _, err := rootfs.Unpack(t.Context(), img, root); err != nil {
		t.Fatal(err)
	}
	config, err := img.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	return root, config.Config
}

// invoke sends one request of a REST API's through the emulated Lambda.
func invoke(t *testing.T, root string, config v1.Config) string {
	t.Helper()
	var output bytes.Buffer
	function, err := lambda.New(lambda.Config{
		Function: stack.Function{FunctionName: "app", MemorySize: 1024, Timeout: 30 * time.Second, EphemeralStorage: 512, Architecture: "x86_64",
			Environment: map[string]string{"SLUICE_RESPONSE_MODE": "buffered", "SLUICE_READY_PATH": "/"}},
		Process: lambda.Process{Command: config.Entrypoint, Dir: config.WorkingDir, Env: config.Env, Root: root},
		Log:     slog.New(slog.NewTextHandler(&output, nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := function.Close(context.Background()); err != nil {
			t.Error(err)
		}
	}()
	if strings.Contains(strings.Join(function.Missing(), "\n"), "no mount namespaces") {
		t.Skipf("%v: run as root, or allow user namespaces", function.Missing())
	}
	server := httptest.NewServer(function)
	defer server.Close()
	event := `{"resource":"/{proxy+}","path":"/","httpMethod":"GET","headers":{"Host":"example.com"},"multiValueHeaders":{"Host":["example.com"]},
		"requestContext":{"requestId":"r","stage":"live","path":"/","httpMethod":"GET","identity":{"sourceIp":"192.0.2.1"}},"isBase64Encoded":false}`
	response, err := http.Post(server.URL+"/2015-03-31/functions/app/invocations", "application/json", strings.NewReader(event))
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK || response.Header.Get("X-Amz-Function-Error") != "" {
		t.Fatalf("%s %s %v\n%s", response.Status, answer, err, &output)
	}
	return string(answer)
}

func goApp(t *testing.T) v1.Image {
	dir := t.TempDir()
	source := filepath.Join(dir, "main.go")
	if err := os.WriteFile(source, []byte(`package main
import ("fmt"; "net/http"; "os")
func main() {
	if err := os.WriteFile("logs/started", nil, 0o644); err != nil { panic(err) }
	wd, _ := os.Getwd()
	panic(http.ListenAndServe("127.0.0.1:"+os.Getenv("PORT"), http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "hello from ", wd) })))
}`), 0o644); err != nil {
		t.Fatal(err)
	}
	build := exec.Command("go", "build", "-o", filepath.Join(dir, "app"), source)
	build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH=amd64")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return appImage(t, []string{"/app/api/app"}, files(t, map[string]string{"app/api/app": filepath.Join(dir, "app")}))
}

func nodeApp(t *testing.T) v1.Image {
	script := filepath.Join(t.TempDir(), "server.js")
	if err := os.WriteFile(script, []byte(`require('fs').writeFileSync('logs/started', '')
require('http').createServer((q, s) => s.end('hello from ' + process.cwd())).listen(process.env.PORT, '127.0.0.1')`), 0o644); err != nil {
		t.Fatal(err)
	}
	return appImage(t, []string{"node", "/app/api/server.js"}, nodeLayer(t), files(t, map[string]string{"app/api/server.js": script}))
}

// nodeLayer is this machine's Node with its libraries.
func nodeLayer(t *testing.T) v1.Layer {
	t.Helper()
	return imagetest.Programs(t, types.DockerLayer, imagetest.Node(t))
}

func appImage(t *testing.T, command []string, layers ...v1.Layer) v1.Image {
	t.Helper()
	img, err := mutate.ConfigFile(mutate.MediaType(empty.Image, types.DockerManifestSchema2), &v1.ConfigFile{
		OS: "linux", Architecture: "amd64", RootFS: v1.RootFS{Type: "layers"},
		Config: v1.Config{Cmd: command, WorkingDir: "/app/api", Env: []string{"PATH=/usr/bin:/bin"}},
	})
	if err == nil {
		img, err = mutate.AppendLayers(img, layers...)
	}
	if err != nil {
		t.Fatal(err)
	}
	return img
}

// files is a layer of this machine's files under other names.
func files(t *testing.T, names map[string]string) v1.Layer {
	t.Helper()
	contents := map[string][]byte{}
	for name, from := range names {
		content, err := os.ReadFile(from)
		if err != nil {
			t.Fatal(err)
		}
		contents[name] = content
	}
	return imagetest.Programs(t, types.DockerLayer, contents)
}
