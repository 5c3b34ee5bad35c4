package awsx_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"

	"github.com/aproorg/sluice/internal/awsx"
	"github.com/aproorg/sluice/internal/site"
)

// moto starts moto's server, an independent reading of AWS's protocols.
func moto(t *testing.T) string {
	t.Helper()
	server, err := exec.LookPath("moto_server")
	if err != nil {
		t.Skip("moto is not here: pip install 'moto[server]'")
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := listener.Addr().(*net.TCPAddr)
	listener.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	cmd := exec.CommandContext(ctx, server, "-H", "127.0.0.1", "-p", fmt.Sprint(address.Port))
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cancel()
		cmd.Wait()
	})
	for range 150 {
		if response, err := http.Get("http://" + address.String() + "/moto-api/"); err == nil {
			response.Body.Close()
			return "http://" + address.String()
		}
		time.Sleep(200 * time.Millisecond)
	}
	t.Fatal("moto does not answer")
	return ""
}

func session(t *testing.T, endpoint, region string) *awsx.Config {
	t.Helper()
	t.Setenv("AWS_ACCESS_KEY_ID", "test")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "test")
	config, err := awsx.Load(t.Context(), awsx.Settings{Region: region, Endpoint: endpoint})
	if err != nil {
		t.Fatal(err)
	}
	return config
}

// call makes what Terraform would: there is no code for it here.
func call(t *testing.T, method, url, body string, headers ...string) string {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for n := 0; n < len(headers); n += 2 {
		request.Header.Set(headers[n], headers[n+1])
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode >= 300 {
		t.Fatalf("%s %s: %s %s %v", method, url, response.Status, text, err)
	}
	return string(text)
}

const auth = "AWS4-HMAC-SHA256 Credential=test/20260101/eu-west-1/%s/aws4_request, SignedHeaders=host, Signature=0"

func TestAgainstMoto(t *testing.T) {
	endpoint := moto(t)
	config := session(t, endpoint, "eu-west-1")
	call(t, http.MethodPut, endpoint+"/site", `<CreateBucketConfiguration><LocationConstraint>eu-west-1</LocationConstraint></CreateBucketConfiguration>`,
		"Authorization", fmt.Sprintf(auth, "s3"))
	t.Run("account", func(t *testing.T) {
		if account, err := config.Account(t.Context()); err != nil || len(account) != 12 {
			t.Errorf("%q, %v", account, err)
		}
	})
	t.Run("site", func(t *testing.T) { testSite(t, config, endpoint) })
	t.Run("bucket of another region", func(t *testing.T) {
		err := session(t, endpoint, "us-east-1").Bucket("site", "").Check(t.Context())
		if err == nil || !strings.Contains(err.Error(), "is in eu-west-1") {
			t.Errorf("got %v", err)
		}
	})
	t.Run("no bucket", func(t *testing.T) {
		if err := config.Bucket("absent", "").Check(t.Context()); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("got %v", err)
		}
	})
	t.Run("ecr", func(t *testing.T) { testECR(t, config, endpoint) })
}

func testSite(t *testing.T, config *awsx.Config, endpoint string) {
	distribution := call(t, http.MethodPost, endpoint+"/2020-05-31/distribution", `<DistributionConfig xmlns="http://cloudfront.amazonaws.com/doc/2020-05-31/">
<CallerReference>r</CallerReference><Comment/><Enabled>true</Enabled><Origins><Quantity>1</Quantity><Items><Origin><Id>o</Id><DomainName>site.s3.eu-west-1.amazonaws.com</DomainName><S3OriginConfig><OriginAccessIdentity/></S3OriginConfig></Origin></Items></Origins>
<DefaultCacheBehavior><TargetOriginId>o</TargetOriginId><ViewerProtocolPolicy>https-only</ViewerProtocolPolicy><MinTTL>0</MinTTL><ForwardedValues><QueryString>false</QueryString><Cookies><Forward>none</Forward></Cookies></ForwardedValues></DefaultCacheBehavior></DistributionConfig>`,
		"Authorization", fmt.Sprintf(auth, "cloudfront"))
	_, id, _ := strings.Cut(distribution, "<Id>")
	id, _, _ = strings.Cut(id, "</Id>")
	o := site.Options{Store: config.Bucket("site", ""), Invalidator: config.Distribution(id)}
	o.Source = fstest.MapFS{"index.html": {Data: []byte("one")}, "assets/logo.svg": {Data: []byte("<svg/>")}, "assets/ä b+c.txt": {Data: []byte("x")}}
	if _, err := site.Apply(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	plan, err := site.MakePlan(t.Context(), o)
	if err != nil || !plan.Empty() {
		t.Fatalf("second plan: %s, %v", plan.Summary(), err)
	}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodHead, endpoint+"/site/assets/logo.svg", nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", fmt.Sprintf(auth, "s3"))
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	if got := response.Header.Get("Content-Type") + ", " + response.Header.Get("Cache-Control"); got != "image/svg+xml, public, max-age=172800" {
		t.Errorf("headers %s", got)
	}
	o.Source = fstest.MapFS{"index.html": {Data: []byte("two")}, "assets/logo.svg": {Data: []byte("<svg></svg>")}, "assets/ä b+c.txt": {Data: []byte("y")}}
	result, err := site.Apply(t.Context(), o)
	if err != nil || len(result.Invalidated) != 2 || result.Invalidation == "" {
		t.Fatalf("%+v, %v", result, err)
	}
	if back, err := site.Rollback(t.Context(), o, ""); err != nil || back.Uploaded != 3 {
		t.Errorf("rollback: %+v, %v", back, err)
	}
	if text, _, err := o.Store.Get(t.Context(), "assets/ä b+c.txt"); err != nil || string(text) != "x" {
		t.Errorf("rolled back to %q, %v", text, err)
	}
	if _, err := site.Remove(t.Context(), o); err != nil {
		t.Error(err)
	}
	if left, err := o.Store.List(t.Context()); err != nil || len(left) > 0 {
		t.Errorf("left %v, %v", left, err)
	}
}

func testECR(t *testing.T, config *awsx.Config, endpoint string) {
	made := call(t, http.MethodPost, endpoint+"/", `{"repositoryName":"app"}`, "Authorization", fmt.Sprintf(auth, "ecr"),
		"Content-Type", "application/x-amz-json-1.1", "X-Amz-Target", "AmazonEC2ContainerRegistry_V20150921.CreateRepository")
	_, uri, _ := strings.Cut(made, `"repositoryUri": "`)
	uri, _, _ = strings.Cut(uri, `"`)
	repository, err := name.NewRepository(uri)
	if err != nil {
		t.Fatalf("%v in %s", err, made)
	}
	found, err := authn.Resolve(t.Context(), config.Keychain(), repository)
	if err != nil {
		t.Fatal(err)
	}
	if login, err := found.Authorization(); err != nil || login.Username != "AWS" || login.Password == "" {
		t.Errorf("%+v, %v", login, err)
	}
	if err := config.DeleteImage(t.Context(), repository.RegistryStr(), "app", "sha256:"+strings.Repeat("0", 64)); err != nil {
		t.Error(err)
	}
}
