package terraform

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log"
	"maps"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/aproorg/sluice/internal/image/imagetest"
	"github.com/aproorg/sluice/internal/provider"
	"github.com/aproorg/sluice/internal/provider/plugin"
	"github.com/aproorg/sluice/internal/testkit"
)

// howToRun is the command that makes the tests with a real tofu run.
const howToRun = "what is needed: make deps, and a tofu with a module registry on loopback, which .ci/run prepares where the folder ../shared/terraform lies beside the repository"

// providerVersion is what environments/dev pins.
const providerVersion = "0.1.0"

// account is an emulated AWS account that has what a stack refers to.
type account struct {
	env      []string
	endpoint string         // of every service
	viewer   *viewer        // of the stack, who calls all the while
	work     string         // folder that lives as long as the account
	base     string         // OCI layout of an app image
	registry string         // URL of what stands in for ECR
	tfvars   map[string]any // of environments/dev
	wrong    map[string]string
	options  map[string]string // what a test may add to the variables
	versions *versions
	network  *network
	lost     *lost
	calls    *calls
	stop     func()
}

var shared struct {
	sync.Once
	*account
	err error
}

// TestMain ends the emulated account when all tests are done. It is also the
// provider aproorg/sluice: tofu starts this test's executable as one.
func TestMain(m *testing.M) {
	if plugin.Started(os.Args[0]) {
		if err := provider.Serve(context.Background(), providerVersion); err != nil {
			log.Fatal(err)
		}
		return
	}
	code := m.Run()
	if shared.account != nil {
		shared.stop()
	}
	os.Exit(code)
}

// separate returns an emulated account of the test's own, for one that leaves
// things behind, or skips.
func separate(t *testing.T) *account {
	t.Helper()
	needTofu(t)
	a, err := newAccount()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(a.stop)
	return a
}

// emulated returns the one emulated account that tests share, or skips.
func emulated(t *testing.T) *account {
	t.Helper()
	needTofu(t)
	shared.Do(func() { shared.account, shared.err = newAccount() })
	if shared.err != nil {
		t.Fatal(shared.err)
	}
	return shared.account
}

func needTofu(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("a real tofu takes minutes: run without -short")
	}
	for _, program := range []string{"tofu", "moto_server"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("no %s; %s", program, howToRun)
		}
	}
	if registry := moduleRegistry(); !reachable(registry) {
		t.Skipf("no module registry answers at %q, which TF_CLI_CONFIG_FILE names; %s", registry, howToRun)
	}
}

var modulesService = regexp.MustCompile(`"modules\.v1"\s*=\s*"(http[^"]+)"`)

// moduleRegistry is the one of the CLI configuration; empty where that has none.
func moduleRegistry() string {
	config, _ := os.ReadFile(os.Getenv("TF_CLI_CONFIG_FILE"))
	if found := modulesService.FindSubmatch(config); found != nil {
		return string(found[1])
	}
	return ""
}

// reachable tells whether the registry has the modules.
func reachable(registry string) bool {
	if registry == "" {
		return false
	}
	response, err := http.Get(registry + "terraform-aws-modules/s3-bucket/aws/versions")
	if err != nil {
		return false
	}
	response.Body.Close()
	return response.StatusCode == http.StatusOK
}

func newAccount() (*account, error) {
	moto, stop, err := startMoto()
	if err != nil {
		return nil, err
	}
	proxy := httputil.NewSingleHostReverseProxy(moto)
	network := newNetwork(proxy)
	versions := newVersions(newForgets(conflicts{network}))
	viewer := newViewer(newGaps(versions))
	calls := &calls{next: viewer}
	lost := newLost(calls)
	server := httptest.NewServer(lost)
	work, err := os.MkdirTemp("", "sluice-account")
	if err != nil {
		return nil, err
	}
	a := &account{endpoint: server.URL, viewer: viewer, versions: versions, network: network, lost: lost, calls: calls, work: work, stop: func() { server.Close(); stop(); os.RemoveAll(work) }}
	// S3 Control puts the account's id before the host, which no loopback address
	// takes: a host that is none, and this server as the way to it.
	a.env = append(os.Environ(), "AWS_ENDPOINT_URL="+server.URL, "AWS_ENDPOINT_URL_S3_CONTROL=http://aws.test", "HTTP_PROXY="+server.URL, "http_proxy="+server.URL,
		"AWS_ACCESS_KEY_ID=testing", "AWS_SECRET_ACCESS_KEY=testing", "AWS_SESSION_TOKEN=", "AWS_PROFILE=", "AWS_CONFIG_FILE=/dev/null", "AWS_SHARED_CREDENTIALS_FILE=/dev/null",
		"AWS_EC2_METADATA_DISABLED=true", "CHECKPOINT_DISABLE=1", "TF_IN_AUTOMATION=1", "TF_INPUT=0")
	if err := errors.Join(a.installProvider(), a.serveRegistry(), a.furnish(nil)); err != nil {
		a.stop()
		return nil, err
	}
	a.env = append(a.env, "AWS_ACCESS_KEY_ID="+deployerKey)
	return a, nil
}

// asOwner is an environment with the account's own key, which nobody refuses, in place of the deployer's.
func asOwner(env []string) []string { return append(slices.Clone(env), "AWS_ACCESS_KEY_ID=testing") }

// startMoto starts a moto server and waits until it answers.
func startMoto() (*url.URL, func(), error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, nil, err
	}
	address := l.Addr().String()
	l.Close()
	_, port, _ := net.SplitHostPort(address)
	cmd := exec.Command("moto_server", "-H", "127.0.0.1", "-p", port)
	cmd.Env = append(os.Environ(), "MOTO_IAM_LOAD_MANAGED_POLICIES=true")
	cmd.SysProcAttr = ownGroup()
	// It dies with the thread that started it, which another test's rehearsal may end.
	started, ended := make(chan error, 1), make(chan struct{})
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		started <- cmd.Start()
		<-ended
	}()
	stop := func() {
		defer close(ended)
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM)
		_ = cmd.Wait()
	}
	if err := <-started; err != nil {
		close(ended)
		return nil, nil, err
	}
	u := &url.URL{Scheme: "http", Host: address}
	if !testkit.Until(2*time.Minute, func() bool {
		resp, err := http.Get(u.String() + "/moto-api/")
		return err == nil && resp.Body.Close() == nil
	}) {
		stop()
		return nil, nil, fmt.Errorf("moto_server does not answer at %s within 2 min", address)
	}
	return u, stop, nil
}

// furnish applies testdata/account, which holds what an account has before a stack comes,
// with further variables such as another region than eu-west-1.
func (a *account) furnish(more map[string]any) error {
	dir, err := os.MkdirTemp("", "account")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	source, err := os.ReadFile(filepath.Join("testdata", "account", "main.tf"))
	if err != nil {
		return err
	}
	given := map[string]any{
		"certificate": selfSigned("*.sandbox.data.apro.is"),
		"shared":      selfSigned("www.example.org", "lambda-test.sandbox.data.apro.is"),
	}
	maps.Copy(given, more)
	vars, err := json.Marshal(given)
	if err != nil {
		return err
	}
	for name, data := range map[string][]byte{"main.tf": source, "terraform.tfvars.json": vars} {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			return err
		}
	}
	owner := *a // whoever deploys may not do this
	owner.env = asOwner(a.env)
	for _, args := range [][]string{{"init"}, {"apply", "-auto-approve"}} {
		if out, err := owner.run(dir, args...); err != nil {
			return fmt.Errorf("%s\n%w", out, err)
		}
	}
	if err := errors.Join(owner.output(dir, "tfvars", &a.tfvars), owner.output(dir, "wrong", &a.wrong), owner.output(dir, "options", &a.options)); err != nil {
		return err
	}
	// A plan has subnets in the order of their ids: so that each always stands for the same of the example's.
	subnets := a.tfvars["network"].(map[string]any)["subnet_ids"].([]any)
	slices.SortFunc(subnets, func(a, b any) int { return strings.Compare(a.(string), b.(string)) })
	return nil
}

func (a *account) output(dir, name string, into any) error {
	out, err := a.run(dir, "output", "-json", name)
	if err != nil {
		return fmt.Errorf("%s\n%w", out, err)
	}
	return json.Unmarshal([]byte(out), into)
}

// run runs tofu in dir for at most 10 minutes and returns all that it printed.
func (a *account) run(dir string, args ...string) (string, error) {
	a.calls.runs(args[0])
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "tofu", args...)
	if args[0] != "show" && args[0] != "output" {
		cmd.Args = append(cmd.Args, "-no-color")
	}
	cmd.Dir, cmd.Env = dir, a.env
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM) }
	cmd.WaitDelay = 20 * time.Second
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	return out.String(), err
}

// installProvider adds this executable as aproorg/sluice to the mirror of providers.
func (a *account) installProvider() error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	mirror := filepath.Join(a.work, "mirror")
	if _, err := plugin.Install(self, providerVersion, mirror); err != nil {
		return err
	}
	config, err := os.ReadFile(os.Getenv("TF_CLI_CONFIG_FILE"))
	if err != nil {
		return err
	}
	more := fmt.Sprintf("provider_installation {\n  filesystem_mirror { path = %q }\n", mirror)
	own := filepath.Join(a.work, "tofu.rc")
	a.env = append(a.env, "TF_CLI_CONFIG_FILE="+own)
	return os.WriteFile(own, bytes.Replace(config, []byte("provider_installation {\n"), []byte(more), 1), 0o600)
}

// serveRegistry makes what stands in for ECR's registry, and an app's image.
func (a *account) serveRegistry() error {
	server := httptest.NewServer(a.calls.registry(registry.New(registry.Logger(log.New(io.Discard, "", 0)))))
	stop := a.stop
	a.registry, a.stop = server.URL, func() { server.Close(); stop() }
	a.base = filepath.Join(a.work, "base")
	img, err := appImage()
	if err != nil {
		return err
	}
	index, err := layout.Write(a.base, empty.Index)
	if err != nil {
		return err
	}
	return index.AppendImage(img)
}

// appImage is an image with the files by which LibreChat is known.
func appImage() (v1.Image, error) {
	layer, err := imagetest.Files(types.DockerLayer, map[string][]byte{
		"app/api/server/index.js":     []byte("// the app"),
		"app/client/dist/index.html":  []byte("<!doctype html>"),
		"app/client/dist/assets/a.js": []byte("// hashed"),
		"app/client/dist/sw.js":       []byte("// worker"),
		"app/client/dist/favicon.ico": []byte("icon"),
	})
	if err != nil {
		return nil, err
	}
	img, err := mutate.AppendLayers(empty.Image, layer)
	if err != nil {
		return nil, err
	}
	return mutate.ConfigFile(img, &v1.ConfigFile{Architecture: "amd64", OS: "linux",
		Config: v1.Config{Cmd: []string{"node", "server/index.js"}, WorkingDir: "/app/api", Env: []string{"PATH=/usr/bin"}},
		RootFS: v1.RootFS{Type: "layers", DiffIDs: diffIDs(layer)}})
}

func diffIDs(layer v1.Layer) []v1.Hash {
	id, _ := layer.DiffID()
	return []v1.Hash{id}
}

// environment copies the HCL to a folder of the test, with the variables of
// environments/dev for this account changed by change, and initialises it.
func (a *account) environment(t *testing.T, change func(vars map[string]any)) string {
	t.Helper()
	root := t.TempDir()
	if err := os.CopyFS(root, Files); err != nil {
		t.Fatal(err)
	}
	dev := filepath.Join(root, "environments", "dev")
	a.variables(t, dev, change)
	a.override(t, dev)
	if err := os.WriteFile(filepath.Join(dev, "global-bundle.pem"), []byte(selfSigned("authority.example")["body"]), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := a.run(dev, "init"); err != nil {
		t.Fatalf("init: %v\n%s", err, out)
	}
	return dev
}

// override gives Sluice's provider what stands in for ECR.
func (a *account) override(t *testing.T, dev string) {
	t.Helper()
	override := fmt.Sprintf("provider \"sluice\" {\n  registry_endpoint = %q\n  cache_dir = %q\n}\n", a.registry, filepath.Join(a.work, "cache"))
	if err := os.WriteFile(filepath.Join(dev, "emulated_override.tf"), []byte(override), 0o600); err != nil {
		t.Fatal(err)
	}
}

// variables writes terraform.tfvars.json: the environment's committed example with this account's ids.
func (a *account) variables(t *testing.T, environment string, change func(vars map[string]any)) {
	t.Helper()
	data, err := fs.ReadFile(Files, "environments/"+filepath.Base(environment)+"/terraform.tfvars.json")
	if err != nil {
		t.Fatal(err)
	}
	vars := map[string]any{}
	own, _ := json.Marshal(a.tfvars)
	for _, layer := range [][]byte{data, own} {
		if err := json.Unmarshal(layer, &vars); err != nil {
			t.Fatal(err)
		}
	}
	vars["image"], vars["site"] = "oci:"+a.base, "oci:"+a.base
	if change != nil {
		change(vars)
	}
	data, err = json.MarshalIndent(vars, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(environment, "terraform.tfvars.json"), data, 0o600); err != nil {
		t.Fatal(err)
	}
}

// selfSigned makes a certificate to import, as the account's owner would have one issued: its main name, and others.
func selfSigned(name string, others ...string) map[string]string {
	key, _ := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, DNSNames: append([]string{name}, others...),
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(30 * 24 * time.Hour)}
	der, _ := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	keyDER, _ := x509.MarshalPKCS8PrivateKey(key)
	return map[string]string{
		"key":  string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER})),
		"body": string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})),
	}
}

// fill puts an object into each bucket of the stack and an image into its registry.
func (a *account) fill(t *testing.T) {
	t.Helper()
	config := aws.Config{Region: "eu-west-1", BaseEndpoint: &a.endpoint, Credentials: credentials.NewStaticCredentialsProvider("testing", "testing", "")}
	buckets := s3.NewFromConfig(config, func(o *s3.Options) { o.UsePathStyle = true })
	for _, bucket := range []string{"librechat-dev-site-123456789012-eu-west-1", "librechat-dev-files-123456789012-eu-west-1"} {
		if _, err := buckets.PutObject(t.Context(), &s3.PutObjectInput{Bucket: &bucket, Key: aws.String("dir/file"), Body: strings.NewReader("x")}); err != nil {
			t.Fatal(err)
		}
	}
	digest := "sha256:" + strings.Repeat("1", 64)
	manifest := `{"schemaVersion":2,"mediaType":"application/vnd.docker.distribution.manifest.v2+json","config":{"mediaType":"application/vnd.docker.container.image.v1+json","size":1,"digest":"` + digest + `"},"layers":[]}`
	if _, err := ecr.NewFromConfig(config).PutImage(t.Context(), &ecr.PutImageInput{RepositoryName: aws.String("librechat-dev"), ImageManifest: &manifest, ImageTag: aws.String("one")}); err != nil {
		t.Fatal(err)
	}
}

func decodeBase64(b []byte) []byte {
	out, err := base64.StdEncoding.DecodeString(strings.TrimSpace(string(b)))
	if err != nil {
		return b
	}
	return out
}

func parseForm(body string) url.Values {
	v, _ := url.ParseQuery(body)
	return v
}
