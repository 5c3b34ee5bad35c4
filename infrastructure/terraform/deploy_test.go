package terraform

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/google/go-containerregistry/pkg/crane"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/aproorg/sluice/internal/image/imagetest"
)

// TestDeployEndToEnd takes environments/dev from nothing to deployed and back with
// the sluice program: the account is moto's with what gaps and forgets say that moto
// lacks, the image's base is an app on this machine's Node, and ECR's registry is
// go-containerregistry's. The program is interrupted in each step on the way, and some
// of AWS's answers are lost.
//
// What stands for AWS here serves no request, so the deployment is not verified at
// its URL (--no-verify); instead the image that was pushed is run behind the
// rehearsal of the plan that was applied. moto also does not join the stand-in
// registry with its ECR: an image deleted there stays here until the test ends.
func TestDeployEndToEnd(t *testing.T) {
	a := separate(t) // moto forgets to forget a few things that an interrupted apply has made
	p := newProgram(t, a)
	a.guarded(t)

	out := p.must(t, "plan", "--dir", p.dev)
	for _, want := range []string{"+ sluice_image.app", "+ module.frontend.module.distribution.aws_cloudfront_distribution.this[0]", "to create", "a month"} {
		if !strings.Contains(out, want) {
			t.Errorf("plan does not say %q:\n%s", want, out)
		}
	}
	for _, at := range []string{`"step":"init"`, `"step":"plan"`, `"step":"apply","done":false,"resource":{"type":"apply_complete"`} {
		p.interrupted(t, at)
	}
	lose := []string{"PutParameter"}
	if _, err := exec.LookPath("aws"); err == nil {
		lose = append(lose, "CreateDistribution", "CreateOriginAccessControl", "CreateResponseHeadersPolicy") // the commands for them look up the id
	}
	a.lost.arm(lose...)
	out = p.converges(t, a)
	if len(a.lost.done) != len(lose) {
		t.Errorf("lost the answers of %v", a.lost.done)
	}
	if !strings.Contains(out, "deployed: https://lambda-test.sandbox.data.apro.is") || strings.Contains(out, "nothing to change") {
		t.Errorf("deploy says:\n%s", out)
	}
	t.Run("what was applied serves", func(t *testing.T) { p.rehearsed(t, a, p.dev, "librechat-dev") })
	t.Run("a second deploy changes nothing", func(t *testing.T) {
		began := time.Now()
		if out := p.must(t, "deploy", "--dir", p.dev, "--yes", "--no-verify"); !strings.Contains(out, "nothing to change") {
			t.Errorf("it says:\n%s", out)
		}
		t.Logf("took %s", time.Since(began).Round(time.Second))
	})
	owner := *p // the deployer's rights are for one VPC
	owner.env = asOwner(p.env)
	const beside = "deploy another environment beside it"
	for _, c := range []struct {
		what, set string
		says      []string
	}{
		{"another name", "environment_name=other", []string{`module.frontend.module.distribution.aws_cloudfront_function.this["spa"] would be made anew`, beside}},
		{"another VPC", "network=" + a.wrong["moved"], []string{"module.network.aws_security_group.this would be made anew", beside}},
		{"more variables than Lambda takes", `environment={"NOTE":"` + strings.Repeat("x", 4096) + `"}`, []string{"AWS would refuse the plan: module.backend.aws_lambda_function.this", "bytes as JSON"}},
	} {
		t.Run("no plan of "+c.what, func(t *testing.T) {
			out, err := owner.run(t, "plan", "--dir", p.dev, "--var", c.set)
			for _, says := range c.says {
				if err == nil || !strings.Contains(out, says) {
					t.Errorf("it does not say %q: %v\n%s", says, err, out)
				}
			}
		})
	}
	if out := p.must(t, "status", "--dir", p.dev); !strings.Contains(out, "sluice_image") || !strings.Contains(out, "https://lambda-test.sandbox.data.apro.is") {
		t.Errorf("status says:\n%s", out)
	}
	a.fill(t)
	if out := p.must(t, "destroy", "--dir", p.dev, "--yes"); !strings.Contains(out, "nothing is left") {
		t.Errorf("destroy says:\n%s", out)
	}
	if left := a.left(t); len(left) > 0 {
		t.Errorf("destroy left %v", left)
	}
	if out, err := p.run(t, "status", "--dir", p.dev); err == nil || !strings.Contains(out, "nothing is deployed") {
		t.Errorf("status after destroy: %v\n%s", err, out)
	}
	a.judged(t)
}

// program is a built sluice with an environment for it, and a home of its own: it
// has to install itself as the provider, where the CLI configuration looks.
type program struct {
	path, dev string
	env       []string
	calls     *calls // of the account
}

func newProgram(t *testing.T, a *account) *program {
	t.Helper()
	work := t.TempDir()
	p := &program{path: filepath.Join(work, "sluice"), calls: a.calls}
	build := exec.CommandContext(t.Context(), "go", "build", "-o", p.path, "github.com/aproorg/sluice/cmd/sluice")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build sluice: %v\n%s", err, out)
	}
	config, err := os.ReadFile(os.Getenv("TF_CLI_CONFIG_FILE"))
	if err != nil {
		t.Fatal(err)
	}
	mirror := `provider_installation {` + "\n" + `  filesystem_mirror {` + "\n    path    = \"" + filepath.Join(work, "mirror") + "\"\n    include = [\"aproorg/*\"]\n  }\n"
	rc := filepath.Join(work, "tofu.rc")
	if err := os.WriteFile(rc, bytes.Replace(config, []byte("provider_installation {\n"), []byte(mirror), 1), 0o600); err != nil {
		t.Fatal(err)
	}
	cache, err := exec.CommandContext(t.Context(), "go", "env", "GOCACHE", "GOMODCACHE").Output()
	if err != nil {
		t.Fatal(err)
	}
	dirs := strings.Fields(string(cache))
	p.env = append(slices.Clone(a.env), "HOME="+work, "XDG_CACHE_HOME=", "GOCACHE="+dirs[0], "GOMODCACHE="+dirs[1], "TF_CLI_CONFIG_FILE="+rc)
	base := runnable(t)
	p.dev = a.environment(t, func(vars map[string]any) { vars["image"], vars["site"] = base, base })
	for _, made := range []string{".terraform", ".terraform.lock.hcl"} { // deploy has to do its own init
		if err := os.RemoveAll(filepath.Join(p.dev, made)); err != nil {
			t.Fatal(err)
		}
	}
	return p
}

func (p *program) command(ctx context.Context, args ...string) *exec.Cmd {
	p.calls.runs("sluice " + args[0])
	cmd := exec.CommandContext(ctx, p.path, args...)
	cmd.Env = p.env
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM) }
	cmd.WaitDelay = 20 * time.Second
	return cmd
}

func (p *program) run(t *testing.T, args ...string) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 15*time.Minute)
	defer cancel()
	out, err := p.command(ctx, args...).CombinedOutput()
	return string(out), err
}

func (p *program) must(t *testing.T, args ...string) string {
	t.Helper()
	out, err := p.run(t, args...)
	if err != nil {
		t.Fatalf("sluice %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return out
}

// interrupted starts a deployment and sends it what Ctrl-C sends, once a line of
// its progress has the text.
func (p *program) interrupted(t *testing.T, at string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	cmd := p.command(ctx, "deploy", "--dir", p.dev, "--yes", "--no-verify", "--json")
	var output bytes.Buffer
	cmd.Stderr = &output
	progress, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	sent := false
	lines := bufio.NewScanner(progress)
	lines.Buffer(nil, 4<<20)
	for lines.Scan() {
		if !sent && strings.Contains(lines.Text(), at) {
			sent = true
			if err := cmd.Process.Signal(os.Interrupt); err != nil {
				t.Fatal(err)
			}
		}
	}
	err = cmd.Wait()
	var exit *exec.ExitError
	if !sent || !errors.As(err, &exit) || exit.ExitCode() != 130 {
		t.Fatalf("interrupted at %s (sent: %v): %v\n%s", at, sent, err, &output)
	}
}

// rehearsed runs the image that was pushed to a repository behind what the environment's state says.
func (p *program) rehearsed(t *testing.T, a *account, environment, repository string) {
	plan, err := a.run(environment, "show", "-json")
	if err != nil {
		t.Fatalf("%v\n%s", err, plan)
	}
	file := filepath.Join(t.TempDir(), "plan.json")
	if err := os.WriteFile(file, []byte(plan), 0o600); err != nil {
		t.Fatal(err)
	}
	tags, err := crane.ListTags(strings.TrimPrefix(a.registry, "http://") + "/" + repository)
	if err != nil || len(tags) == 0 {
		t.Fatalf("nothing was pushed: %v, %v", tags, err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	cmd := p.command(ctx, "up", "--json", "--plan", file, "--image", strings.TrimPrefix(a.registry, "http://")+"/"+repository+":"+tags[0], "--ready-path", "/health", "--listen", "127.0.0.1:0")
	var output bytes.Buffer
	cmd.Stderr = &output
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = cmd.Process.Signal(os.Interrupt)
		_, _ = io.Copy(io.Discard, out)
		if err := cmd.Wait(); err != nil {
			t.Errorf("sluice up ended with %v\n%s", err, &output)
		}
	}()
	var event struct{ Event, Viewer string }
	for lines := bufio.NewScanner(out); event.Viewer == "" && lines.Scan(); {
		_ = json.Unmarshal(lines.Bytes(), &event)
	}
	if event.Viewer == "" {
		t.Fatalf("sluice up did not get ready:\n%s", &output)
	}
	go func() { _, _ = io.Copy(io.Discard, out) }()
	response, err := http.Get(strings.TrimSuffix(event.Viewer, "/") + "/health")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if body, _ := io.ReadAll(response.Body); response.StatusCode != http.StatusOK || string(body) != "OK from /app/api" {
		t.Errorf("GET /health: %s %s\n%s", response.Status, body, &output)
	}
}

// left names what the account has now and did not have before the stack.
func (a *account) left(t *testing.T) (names []string) {
	t.Helper()
	config := aws.Config{Region: "eu-west-1", BaseEndpoint: &a.endpoint, Credentials: credentials.NewStaticCredentialsProvider("testing", "testing", "")}
	buckets, err := s3.NewFromConfig(config, func(o *s3.Options) { o.UsePathStyle = true }).ListBuckets(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range buckets.Buckets {
		if *b.Name != "apro-librechat-config" {
			names = append(names, "bucket "+*b.Name)
		}
	}
	repositories, err := ecr.NewFromConfig(config).DescribeRepositories(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range repositories.Repositories {
		names = append(names, "repository "+*r.RepositoryName)
	}
	functions, err := lambda.NewFromConfig(config).ListFunctions(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range functions.Functions {
		names = append(names, "function "+*f.FunctionName)
	}
	return names
}

// runnable is an OCI layout with this machine's Node, its libraries, and an app where
// LibreChat has its own.
func runnable(t *testing.T) string {
	t.Helper()
	app := map[string][]byte{
		"app/api/server/index.js":    []byte(`require('http').createServer((q, s) => s.end('OK from ' + process.cwd())).listen(process.env.PORT, '127.0.0.1')`),
		"app/client/dist/index.html": []byte("<!doctype html>"), "app/client/dist/assets/app.0123abcd.js": []byte("// hashed"),
	}
	img, err := mutate.ConfigFile(empty.Image, &v1.ConfigFile{Architecture: "amd64", OS: "linux", RootFS: v1.RootFS{Type: "layers"},
		Config: v1.Config{Cmd: []string{"node", "server/index.js"}, WorkingDir: "/app/api", Env: []string{"PATH=/usr/bin"}}})
	if err == nil {
		img, err = mutate.AppendLayers(img, imagetest.Programs(t, types.DockerLayer, imagetest.Node(t)), imagetest.Programs(t, types.DockerLayer, app))
	}
	if err != nil {
		t.Fatal(err)
	}
	return imagetest.Stored(t, img)
}
