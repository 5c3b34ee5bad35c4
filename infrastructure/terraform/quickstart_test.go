package terraform

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-containerregistry/pkg/crane"

	"github.com/aproorg/sluice/internal/app/librechat/facts"
	"github.com/aproorg/sluice/internal/app/librechat/librechattest"
	"github.com/aproorg/sluice/internal/app/librechat/rehearsal"
	"github.com/aproorg/sluice/internal/bootstrap/settings"
	"github.com/aproorg/sluice/internal/rehearse"
	"github.com/aproorg/sluice/internal/stack"
)

// shellBlock is a block of commands of docs/quickstart.md.
var shellBlock = regexp.MustCompile("(?ms)^```sh\n(.*?)^```$")

// TestQuickstart runs the commands of docs/quickstart.md as they stand there, one after
// the other, in an emulated account that has what the document asks for. Then it
// rehearses LibreChat with the parameters, the configuration and the function's
// environment that have come of it: a stand-in, and each real release that
// SLUICE_LIBRECHAT_DIR names. What differs from a reader's shell:
//
//   - the values of the document's second block are the emulated account's;
//   - AWS_ENDPOINT_URL leads to that account, and the image of LibreChat is one that lies
//     on this machine;
//   - curl brings a certificate of the test's own, and nothing from anywhere else;
//   - `sluice up` is left out, and `deploy` and `verify` ask nothing of the URL: the emulated
//     distribution has no address. Instead sluice verifies the rehearsal, with the reader's
//     own user; without a model that answers it leaves the stream of an answer out.
func TestQuickstart(t *testing.T) {
	needTofu(t)
	for _, program := range []string{"aws", "openssl", "bash"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("no %s: make deps, or pip install awscli", program)
		}
	}
	q := newQuickstart(t)
	q.run(t)
	q.environment = q.function(t)

	t.Run("parameters", func(t *testing.T) { q.everyParameterIsThere(t) })
	t.Run("certificates", func(t *testing.T) { q.certificatesAreInTheImage(t) })
	t.Run("plan", func(t *testing.T) { q.planSaysTheSame(t) })
	t.Run("access log", func(t *testing.T) {
		if q.stack.RestAPI.AccessLogFormat == "" {
			t.Error("the stage writes no access log")
		}
	})
	t.Run("stand-in", func(t *testing.T) {
		q.rehearse(t, librechattest.StandIn(t, t.TempDir(), facts.StreamsInPost))
	})
	t.Run("release", func(t *testing.T) {
		for _, r := range librechattest.Built(t, "go test ./infrastructure/terraform -run TestQuickstart") {
			t.Run(r.Version, func(t *testing.T) { q.rehearse(t, r) })
		}
	})
}

// quickstart is a reader's folder and account.
type quickstart struct {
	*account
	root, bin   string // the reader's folder, and what stands in for programs
	certificate string // what curl brings

	stack       *stack.Stack
	environment map[string]string // of the function
	parameters  map[string]string // by the variable that gets them
}

func newQuickstart(t *testing.T) *quickstart {
	t.Helper()
	q := &quickstart{account: separate(t), root: t.TempDir(), bin: t.TempDir(), certificate: selfSigned("authority.example")["body"]}
	if err := os.CopyFS(filepath.Join(q.root, "infrastructure", "terraform"), Files); err != nil {
		t.Fatal(err)
	}
	q.iam(t, "DeleteRole", url.Values{"RoleName": {"sluice-api-log-eu-west-1"}}) // the document makes it
	q.override(t, filepath.Join(q.root, "infrastructure", "terraform", "environments", "dev"))
	build := exec.CommandContext(t.Context(), "go", "build", "-o", filepath.Join(q.bin, "sluice"), "./cmd/sluice")
	build.Dir = filepath.Join("..", "..")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build sluice: %v\n%s", err, out)
	}
	compiler, err := exec.LookPath("go") // sluice compiles the bootstrap by it
	if err != nil {
		t.Fatal(err)
	}
	q.program(t, "go", `[ "$1 $2" = "run ./cmd/sluice" ] || exec `+compiler+` "$@"
shift 2
case $1 in
up) exit 0 ;;
verify) case $2 in https://*) exit 0 ;; esac; exit 1 ;;
deploy) exec sluice "$@" --no-verify ;;
*) exec sluice "$@" ;;
esac`)
	q.program(t, "curl", fmt.Sprintf(`[ "$1 $3" = "-fsSo https://truststore.pki.rds.amazonaws.com/global/global-bundle.pem" ] || exit 22
cat >"$2" <<'PEM'
%sPEM`, q.certificate))
	return q
}

// program puts a shell script in front of a program of that name.
func (q *quickstart) program(t *testing.T, name, script string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(q.bin, name), []byte("#!/bin/sh\n"+script+"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
}

// commands are those of the document, with the account's values for the example's.
func (q *quickstart) commands(t *testing.T) string {
	t.Helper()
	document, err := os.ReadFile(filepath.Join("..", "..", "docs", "quickstart.md"))
	if err != nil {
		t.Fatal(err)
	}
	var blocks []string
	for _, block := range shellBlock.FindAllSubmatch(document, -1) {
		blocks = append(blocks, string(block[1]))
	}
	network := q.tfvars["network"].(map[string]any)
	own := map[string]string{
		"vpc-0a1b2c3d4e5f60718":                        network["vpc_id"].(string),
		"subnet-0a1b2c3d4e5f60711":                     network["subnet_ids"].([]any)[0].(string),
		"subnet-0a1b2c3d4e5f60712":                     network["subnet_ids"].([]any)[1].(string),
		"sg-0a1b2c3d4e5f60722":                         q.tfvars["documentdb"].(map[string]any)["security_group_id"].(string),
		"ghcr.io/danny-avila/librechat-api:v0.8.2-rc1": "oci:" + q.base,
	}
	text := strings.Join(blocks, "\n")
	for example, value := range own {
		if n := strings.Count(text, example); n != 1 {
			t.Fatalf("the document has %s %d times, not once", example, n)
		}
		text = strings.Replace(text, example, value, 1)
	}
	return "set -euo pipefail\n" + text
}

// run types the commands into a shell, and yes where deploy asks.
func (q *quickstart) run(t *testing.T) {
	t.Helper()
	script := filepath.Join(q.root, "quickstart.sh")
	if err := os.WriteFile(script, []byte(q.commands(t)), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 15*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "bash", script)
	cmd.Dir = q.root
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	defer stdin.Close()
	terminal := &reader{answer: stdin}
	cmd.Stdout, cmd.Stderr = terminal, terminal
	cmd.Env = append(slices.DeleteFunc(slices.Clone(q.env), func(e string) bool {
		name, value, _ := strings.Cut(e, "=")
		return value == "" || slices.Contains([]string{"AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE", "TF_INPUT"}, name)
	}), "PATH="+q.bin+":"+os.Getenv("PATH"), "HOME="+t.TempDir())
	cmd.Env = append(cmd.Env, caches(t)...)
	cmd.SysProcAttr = ownGroup()
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM) }
	cmd.WaitDelay = 20 * time.Second
	if err := cmd.Run(); err != nil {
		t.Fatalf("the quickstart: %v\n%s", err, &terminal.seen)
	}
	if out := terminal.seen.String(); !strings.Contains(out, "No changes.") {
		t.Errorf("apply, after deploy, has something to do:\n%s", changes(out))
	}
}

// caches are where Go and sluice keep what they have compiled, in a home of the test's own.
func caches(t *testing.T) []string {
	t.Helper()
	user, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	modules, err := exec.CommandContext(t.Context(), "go", "env", "GOMODCACHE").Output()
	if err != nil {
		t.Fatal(err)
	}
	return []string{"XDG_CACHE_HOME=" + user, "GOMODCACHE=" + strings.TrimSpace(string(modules))}
}

// reader is somebody at a terminal, who answers yes when asked.
type reader struct {
	seen   bytes.Buffer
	answer io.Writer
	asked  int
}

func (r *reader) Write(p []byte) (int, error) {
	r.seen.Write(p)
	for ; r.asked < bytes.Count(r.seen.Bytes(), []byte("Type yes")); r.asked++ {
		if _, err := io.WriteString(r.answer, "yes\n"); err != nil {
			return 0, err
		}
	}
	return len(p), nil
}

// function reads what was deployed, and returns the function's environment.
func (q *quickstart) function(t *testing.T) map[string]string {
	t.Helper()
	dev := filepath.Join(q.root, "infrastructure", "terraform", "environments", "dev")
	out, err := q.account.run(dev, "show", "-json")
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if q.stack, err = stack.Parse([]byte(out)); err != nil {
		t.Fatal(err)
	}
	environment := q.stack.Function.Environment
	for _, name := range []string{"ALLOW_REGISTRATION", "MONGO_AUTO_INDEX", "USE_REDIS"} {
		if environment[name] != "true" {
			t.Errorf("%s is %q: nobody could begin", name, environment[name])
		}
	}
	if host := environment["SLUICE_PUBLIC_HOST"]; host == "" || environment["DOMAIN_CLIENT"] != "https://"+host {
		t.Errorf("the site is %s, and the app is told the host %q", environment["DOMAIN_CLIENT"], host)
	}
	return environment
}

// planSaysTheSame: what is rehearsed by the state, and what by a plan, is one stack. The
// plan before the first deployment knows no address of the site without a domain, and
// with that nothing of the function's environment; docs/runbook.md says so.
func (q *quickstart) planSaysTheSame(t *testing.T) {
	_, raw := q.planned(t, filepath.Join(q.root, "infrastructure", "terraform", "environments", "dev"))
	planned, err := stack.Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(q.stack, planned); diff != "" {
		t.Errorf("the plan says other than the state:\n%s", diff)
	}
}

// config is what the reader's clients of AWS have.
func (q *quickstart) config() aws.Config {
	return aws.Config{Region: "eu-west-1", BaseEndpoint: &q.endpoint, Credentials: credentials.NewStaticCredentialsProvider("testing", "testing", "")}
}

// everyParameterIsThere: one that is missing fails every cold start.
func (q *quickstart) everyParameterIsThere(t *testing.T) {
	named, err := settings.ParseSecrets(q.environment[settings.SecretsVariable])
	if err != nil {
		t.Fatal(err)
	}
	q.parameters = map[string]string{}
	client := ssm.NewFromConfig(q.config())
	for _, ref := range named {
		got, err := client.GetParameter(t.Context(), &ssm.GetParameterInput{Name: &ref.Parameter, WithDecryption: aws.Bool(true)})
		if err != nil {
			t.Errorf("%s: %v", ref, err)
			continue
		}
		if got.Parameter.Type != "SecureString" {
			t.Errorf("%s is a %s", ref, got.Parameter.Type)
		}
		q.parameters[ref.Variable] = *got.Parameter.Value
	}
	if len(q.parameters) < 8 {
		t.Errorf("there are only %v", slices.Sorted(maps.Keys(q.parameters)))
	}
}

// certificatesAreInTheImage: at the path that MONGO_URI names.
func (q *quickstart) certificatesAreInTheImage(t *testing.T) {
	const file = "opt/sluice/ca.pem"
	if !strings.Contains(q.parameters["MONGO_URI"], "tlsCAFile=/"+file) {
		t.Errorf("MONGO_URI is %s", q.parameters["MONGO_URI"])
	}
	_, repository, _ := strings.Cut(q.stack.Function.ImageURI, "/")
	image, err := crane.Pull(strings.TrimPrefix(q.registry, "http://")+"/"+repository, crane.Insecure)
	if err != nil {
		t.Fatal(err)
	}
	layers, err := image.Layers()
	if err != nil {
		t.Fatal(err)
	}
	for _, layer := range layers {
		content, err := layer.Uncompressed()
		if err != nil {
			t.Fatal(err)
		}
		got := fileInTar(t, content, file)
		if got != nil && string(got) != q.certificate {
			t.Errorf("/%s is not what curl brought:\n%s", file, got)
		}
		if got != nil {
			return
		}
	}
	t.Errorf("the image has no /%s", file)
}

// rehearse starts a release as the function would, and has sluice verify it.
func (q *quickstart) rehearse(t *testing.T, release facts.Release) {
	site := q.serve(t, release)
	verify := exec.CommandContext(t.Context(), filepath.Join(q.bin, "sluice"), "verify", site, "--app", "librechat", "--quick",
		"--var", "email="+readerEmail, "--var", "password="+readerPassword)
	if out, err := verify.CombinedOutput(); err != nil {
		t.Errorf("verify: %v\n%s", err, out)
	} else {
		t.Logf("verify:\n%s", out)
	}
}

// serve starts a release as the function would, with the account's parameters but for
// the addresses of the stores, with the reader as its user, and returns where it is.
func (q *quickstart) serve(t *testing.T, release facts.Release) string {
	object, err := settings.ParseObject(q.environment[settings.ConfigS3Variable])
	if err != nil {
		t.Fatal(err)
	}
	buckets := s3.NewFromConfig(q.config(), func(o *s3.Options) { o.UsePathStyle = true })
	got, err := buckets.GetObject(t.Context(), &s3.GetObjectInput{Bucket: &object.Bucket, Key: &object.Key})
	if err != nil {
		t.Fatal(err)
	}
	yaml, err := io.ReadAll(got.Body)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(yaml, []byte("fileStrategy: \"s3\"\n")) {
		t.Errorf("uploads would vanish with their environment:\n%s", yaml)
	}
	file := filepath.Join(t.TempDir(), "librechat.yaml")
	if err := os.WriteFile(file, yaml, 0o600); err != nil {
		t.Fatal(err)
	}
	env := maps.Clone(q.parameters)
	for _, store := range []string{"MONGO_URI", "REDIS_URI", "SLUICE_ORIGIN_SECRET"} {
		delete(env, store)
	}
	env["FIXTURE_STATE"] = t.TempDir() // the stand-in's database, before its environments have one of their own
	addresses, err := rehearse.Listen("127.0.0.1:0", "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = addresses.Close() })
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	config := rehearsal.Config{Release: release, SiteURL: addresses.ViewerURL, Env: env, Path: os.Getenv("PATH"), Function: q.environment, YAML: yaml, YAMLFile: file}
	config.Stores.Dir = t.TempDir()
	chat, err := rehearsal.Start(ctx, config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := chat.Close(); err != nil {
			t.Error(err)
		}
	})
	chat.App.State = "FIXTURE_STATE"
	world, err := rehearse.Start(ctx, rehearse.Config{
		App: chat.App, Stores: chat.Stores, Addresses: addresses, Stack: q.stack, Site: os.DirFS(release.SiteDir()), Routes: facts.Routes(), Concurrency: 8,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := world.Close(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	})
	if err := chat.Prepared(ctx); err != nil {
		t.Fatal(err)
	}
	logIn(t, world.ViewerURL)
	return world.ViewerURL
}

const readerEmail, readerPassword = "reader@example.com", "correct horse battery staple"

// logIn visits the site, reads its settings, registers, and logs in.
func logIn(t *testing.T, site string) {
	t.Helper()
	ask := func(method, path, body string) (int, string) {
		request, err := http.NewRequestWithContext(t.Context(), method, site+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Content-Type", "application/json")
		request.Header.Set("User-Agent", "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0")
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		answer, err := io.ReadAll(response.Body)
		if err != nil {
			t.Fatal(err)
		}
		return response.StatusCode, string(answer)
	}
	account, _ := json.Marshal(map[string]string{
		"name": "Reader", "username": "reader", "email": readerEmail, "password": readerPassword, "confirm_password": readerPassword,
	})
	for _, c := range []struct{ method, path, body, holds string }{
		{"GET", "/", "", "<!doctype html"},
		{"GET", "/api/config", "", "emailLoginEnabled"},
		{"POST", "/api/auth/register", string(account), "message"},
		{"POST", "/api/auth/login", string(account), `"token"`},
	} {
		if status, body := ask(c.method, c.path, c.body); status != http.StatusOK || !strings.Contains(strings.ToLower(body), strings.ToLower(c.holds)) {
			t.Errorf("%s %s: %d %.300s", c.method, c.path, status, body)
		}
	}
}

// fileInTar is a file's content; nil where the archive does not have it.
func fileInTar(t *testing.T, archive io.ReadCloser, name string) []byte {
	t.Helper()
	defer archive.Close()
	for r := tar.NewReader(archive); ; {
		header, err := r.Next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			t.Fatal(err)
		}
		if strings.TrimPrefix(header.Name, "/") != name {
			continue
		}
		content, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		return content
	}
}
