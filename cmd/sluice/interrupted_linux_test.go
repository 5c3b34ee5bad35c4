package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/crane"
	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/google/go-containerregistry/pkg/v1/validate"
	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"

	"github.com/aproorg/sluice/internal/app/demo"
	"github.com/aproorg/sluice/internal/bootstrapbin"
	"github.com/aproorg/sluice/internal/image/imagetest"
	"github.com/aproorg/sluice/internal/testkit"
)

// TestInterruptedDeploy ends `sluice deploy` at each step of its own that is seen from
// outside, one after the other in one environment: what each run leaves is gone on with
// by the next one. In between the registry has no tag of half an image, the bucket no
// page whose files are missing, and the disk no plan, which holds secrets. After
// `kill -9` of sluice a second release is cut off, too. Package infra interrupts an
// apply of other resources, and site and image cut each request off.
func TestInterruptedDeploy(t *testing.T) {
	if testing.Short() {
		t.Skip("a real tofu runs dozens of times: run without -short")
	}
	if _, err := exec.LookPath("tofu"); err != nil {
		t.Skip("OpenTofu is not here: https://opentofu.org/docs/intro/install/")
	}
	program := build(t)
	for _, how := range []end{
		{name: "Ctrl-C", at: steps, send: func(sluice, _ int) { _ = syscall.Kill(sluice, syscall.SIGINT) }},
		{name: "kill -9 of sluice", at: steps, killed: true, performed: true, send: func(sluice, _ int) { _ = syscall.Kill(sluice, syscall.SIGKILL) }},
		{name: "kill -9 of all, as by a power cut", at: steps[pushOfTheManifest : uploadOfThePage+1], killed: true, send: func(sluice, tofu int) {
			_ = syscall.Kill(sluice, syscall.SIGKILL)
			if tofu > 0 {
				_ = syscall.Kill(-tofu, syscall.SIGKILL) // and its providers
			}
		}},
	} {
		t.Run(how.name, func(t *testing.T) {
			e := newEnvironment(t)
			e.program = program
			for _, step := range how.at {
				e.ended(t, how, step)
			}
			var last []string
			if how.killed { // one run that verifies to its end is enough
				last = append(last, "--no-verify")
			}
			if out, code := e.deploy(t, last...); code != 0 || !strings.Contains(out, "deployed: "+e.url) {
				t.Fatalf("the last run ended with %d:\n%s", code, out)
			}
			e.serves(t, "assets/release1.js")
			e.leftNothing(t)
			if how.performed {
				e.secondRelease(t, how)
			}
		})
	}
}

// build makes the program as a user has it. The test's own binary has the race detector at
// times, with which an image takes ten times as long.
func build(t *testing.T) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), "sluice")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", program, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return program
}

// secondRelease is cut off at its page, and gone on with.
func (e *environment) secondRelease(t *testing.T, how end) {
	t.Helper()
	e.release(t, 2)
	e.ended(t, how, steps[uploadOfThePage])
	e.serves(t, "assets/release1.js")
	if out, code := e.deploy(t, "--no-verify"); code != 0 {
		t.Fatalf("the last run of the second release ended with %d:\n%s", code, out)
	}
	e.serves(t, "assets/release2.js")
	if out, code := e.deploy(t, "--no-verify"); code != 0 || !strings.Contains(out, "nothing to change") {
		t.Errorf("there is more to do, exit code %d:\n%s", code, out)
	}
	e.leftNothing(t)
}

// end is a way in which a run ends early.
type end struct {
	name      string
	at        []step
	killed    bool // without a word
	performed bool // what was asked last is done, and its answer lost
	send      func(sluice, tofu int)
}

// step is a request by which a step of a deployment is known.
type step struct{ name, method, path string }

var steps = []step{
	{"push of a layer", http.MethodPatch, "/v2/app/blobs/uploads/"},
	pushOfTheManifest: {"push of the manifest", http.MethodPut, "/v2/app/manifests/"},
	{"upload of a script", http.MethodPut, "/site/assets/release1.js"},
	uploadOfThePage: {"upload of the page", http.MethodPut, "/site/index.html"},
	{"note of the release", http.MethodPut, "/site/_sluice/release.json"},
	{"verify", http.MethodGet, "/api/"},
}

const pushOfTheManifest, uploadOfThePage = 1, 3

// environment is a root module of an image and a site, what stands for AWS, and the app
// that is deployed.
type environment struct {
	gate
	program   string
	dir, home string
	registry  string
	bucket    *s3mem.Backend
	url       string
	env       []string
}

func newEnvironment(t *testing.T) *environment {
	t.Helper()
	e := &environment{dir: t.TempDir(), home: t.TempDir(), bucket: s3mem.New()}
	e.registry = strings.TrimPrefix(e.serve(t, registry.New(registry.Logger(log.New(io.Discard, "", 0)))), "http://")
	if err := e.bucket.CreateBucket("site"); err != nil {
		t.Fatal(err)
	}
	s3 := e.serve(t, gofakes3.New(e.bucket, gofakes3.WithLogger(gofakes3.DiscardLog()), gofakes3.WithTimeSkewLimit(0)).Server())
	api, err := demo.New(demo.Config{Environment: "test"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(api.Close)
	e.url = e.serve(t, demo.Standalone(demo.Site(), api))
	bootstrap, err := bootstrapbin.Path(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	e.write(t, "main.tf", fmt.Sprintf(`
terraform {
  required_providers {
    sluice = { source = "aproorg/sluice", version = "0.1.0" }
  }
}
provider "sluice" {
  endpoint  = %q
  cache_dir = "${path.module}/cache"
}
variable "release" { type = number }
resource "sluice_image" "app" {
  base       = %q
  app        = "demo"
  repository = "%s/app"
  bootstrap  = %q
  labels     = { release = var.release }
}
resource "sluice_site" "app" {
  source     = "${path.module}/site"
  bucket     = "site"
  depends_on = [sluice_image.app]
}
output "url" { value = %q }
`, s3, imagetest.Stored(t, imagetest.App(t, types.OCIManifestSchema1, "amd64")), e.registry, bootstrap, e.url))
	e.write(t, "cli.tfrc", fmt.Sprintf("provider_installation {\n  filesystem_mirror { path = %q }\n}\n", filepath.Join(e.home, "mirror")))
	e.release(t, 1)
	e.env = append(os.Environ(), "SLUICE_TEST_IS_SLUICE=1", "HOME="+e.home, "XDG_CACHE_HOME=", "TF_CLI_CONFIG_FILE="+filepath.Join(e.dir, "cli.tfrc"), "CHECKPOINT_DISABLE=1",
		"AWS_ACCESS_KEY_ID=test", "AWS_SECRET_ACCESS_KEY=test", "AWS_REGION=eu-west-1", "AWS_CONFIG_FILE="+os.DevNull, "AWS_SHARED_CREDENTIALS_FILE="+os.DevNull)
	return e
}

func (e *environment) serve(t *testing.T, next http.Handler) string {
	server := httptest.NewServer(e.before(next))
	t.Cleanup(func() { server.CloseClientConnections(); server.Close() })
	return server.URL
}

func (e *environment) write(t *testing.T, name, text string) {
	t.Helper()
	path := filepath.Join(e.dir, name)
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), 0o644)); err != nil {
		t.Fatal(err)
	}
}

// release is what the next runs deploy.
func (e *environment) release(t *testing.T, n int) {
	t.Helper()
	if err := os.RemoveAll(filepath.Join(e.dir, "site")); err != nil {
		t.Fatal(err)
	}
	script := fmt.Sprintf("assets/release%d.js", n)
	e.write(t, "site/index.html", script)
	e.write(t, "site/"+script, "script "+script)
	e.write(t, "site/assets/logo.svg", script)
	e.write(t, "terraform.tfvars.json", fmt.Sprintf(`{"release": %d}`, n))
}

func (e *environment) command(args ...string) *exec.Cmd {
	cmd := exec.Command(e.program, append([]string{"deploy", "--dir", e.dir, "--yes", "--app", "demo", "--quick"}, args...)...)
	cmd.Env = e.env
	return cmd
}

func (e *environment) deploy(t *testing.T, args ...string) (string, int) {
	t.Helper()
	cmd := e.command(args...)
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return string(out), cmd.ProcessState.ExitCode()
}

// ended starts a run, ends it at the step, and looks at what it leaves.
func (e *environment) ended(t *testing.T, how end, at step) {
	t.Helper()
	reached := e.close(at, how.performed)
	cmd := e.command()
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	over := make(chan error, 1)
	go func() { over <- cmd.Wait() }()
	select {
	case <-reached:
	case err := <-over:
		t.Fatalf("the run never came to the %s: %v\n%s", at.name, err, &out)
	case <-time.After(time.Minute):
		_ = cmd.Process.Kill()
		t.Fatalf("the run never came to the %s:\n%s", at.name, &out)
	}
	testkit.Wait(t, 10*time.Second, "the plan's removal, once tofu has read it", func() (string, bool) {
		left := e.left()
		return fmt.Sprint(left), !slices.ContainsFunc(left, func(f string) bool { return strings.HasPrefix(f, "plan") })
	})
	tofu := e.tofu(t)
	how.send(cmd.Process.Pid, tofu)
	<-over
	if tofu > 0 {
		testkit.Wait(t, 30*time.Second, "the end of tofu", func() (string, bool) {
			return fmt.Sprintf("process %d is there", tofu), syscall.Kill(tofu, 0) != nil
		})
	}
	if how.killed {
		e.leftNoPlan(t)
	} else {
		if code := cmd.ProcessState.ExitCode(); code != 130 || !strings.Contains(out.String(), "run it again") || strings.Contains(out.String(), "FAILED") {
			t.Errorf("interrupted at the %s, it ended with %d:\n%s", at.name, code, &out)
		}
		e.leftNothing(t)
	}
	e.isWhole(t, at)
}

// tofu is the process id of the program that a run drives, 0 where it drives none.
func (e *environment) tofu(t *testing.T) int {
	t.Helper()
	files, _ := filepath.Glob(filepath.Join(e.home, ".cache/sluice/runs/*/running"))
	if len(files) == 0 {
		return 0
	}
	text, err := os.ReadFile(files[0])
	var running struct{ PID int }
	if err := errors.Join(err, json.Unmarshal(text, &running)); err != nil {
		t.Fatal(err)
	}
	return running.PID
}

// isWhole checks that nothing half done is served.
func (e *environment) isWhole(t *testing.T, at step) {
	t.Helper()
	tags, _ := crane.ListTags(e.registry + "/app") // no repository is no tag
	for _, tag := range tags {
		image, err := crane.Pull(e.registry + "/app:" + tag)
		if err == nil {
			err = validate.Image(image)
		}
		if err != nil {
			t.Errorf("ended at the %s: %s is half an image: %v", at.name, tag, err)
		}
	}
	if page, err := e.bucket.GetObject("site", "index.html", nil); err == nil {
		script, _ := io.ReadAll(page.Contents)
		e.serves(t, string(script))
	}
}

func (e *environment) serves(t *testing.T, script string) {
	t.Helper()
	object, err := e.bucket.GetObject("site", script, nil)
	if err != nil {
		t.Errorf("the page names %s: %v", script, err)
		return
	}
	if text, _ := io.ReadAll(object.Contents); string(text) != "script "+script {
		t.Errorf("%s is %q", script, text)
	}
}

// leftNoPlan checks what a run keeps beside the environment: the note of its program,
// for the next one, is no secret.
func (e *environment) leftNoPlan(t *testing.T) {
	t.Helper()
	if left := slices.DeleteFunc(e.left(), func(f string) bool { return f == "running" }); len(left) > 0 {
		t.Errorf("there are still %v", left)
	}
}

func (e *environment) leftNothing(t *testing.T) {
	t.Helper()
	if left := e.left(); len(left) > 0 {
		t.Errorf("there are still %v", left)
	}
}

func (e *environment) left() (names []string) {
	_ = filepath.WalkDir(filepath.Join(e.home, ".cache/sluice/runs"), func(_ string, entry fs.DirEntry, err error) error {
		if err == nil && !entry.IsDir() {
			names = append(names, entry.Name())
		}
		return nil
	})
	return names
}

// gate holds one request until whoever made it is gone.
type gate struct {
	mu        sync.Mutex
	at        *step
	performed bool
	reached   chan struct{}
}

// close holds the next request of the step, once it was performed or before.
func (g *gate) close(at step, performed bool) (reached chan struct{}) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.at, g.performed, g.reached = &at, performed, make(chan struct{})
	return g.reached
}

func (g *gate) before(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		g.mu.Lock()
		held := g.at != nil && r.Method == g.at.method && strings.HasPrefix(r.URL.Path, g.at.path)
		performed, reached := g.performed, g.reached
		if held {
			g.at = nil
		}
		g.mu.Unlock()
		if !held {
			next.ServeHTTP(w, r)
			return
		}
		if performed {
			next.ServeHTTP(httptest.NewRecorder(), r)
		}
		_, _ = io.Copy(io.Discard, r.Body) // only then the server notices that the client is gone
		close(reached)
		<-r.Context().Done()
	})
}
