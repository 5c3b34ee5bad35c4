package emulatetest

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awslambda "github.com/aws/aws-sdk-go-v2/service/lambda"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
	awsssm "github.com/aws/aws-sdk-go-v2/service/ssm"

	"github.com/aproorg/sluice/internal/emulate/s3"
	"github.com/aproorg/sluice/internal/emulate/sigv4"
	"github.com/aproorg/sluice/internal/emulate/ssm"
	"github.com/aproorg/sluice/internal/testkit"
)

// services are the emulated ones behind their guards.
type services struct {
	key, temporary         sigv4.Key
	s3URL, ssmURL, lambURL string
	invoked                []string // paths that came to Lambda
}

func startServices(t *testing.T) *services {
	t.Helper()
	s := &services{key: sigv4.NewKey(), temporary: sigv4.NewTemporaryKey()}
	keys := []sigv4.Key{s.key, s.temporary}
	store, err := s3.New(s3.Config{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	store.Bucket("bucket")
	parameters, err := ssm.New(ssm.Config{Secure: map[string]string{"/a/b": "hunter2"}})
	if err != nil {
		t.Fatal(err)
	}
	function := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.invoked = append(s.invoked, r.URL.EscapedPath())
		_, _ = io.Copy(w, r.Body)
	})
	for _, x := range []struct {
		handler http.Handler
		service string
		url     *string
	}{{store.API(keys...), "", &s.s3URL}, {parameters, "ssm", &s.ssmURL}, {function, "lambda", &s.lambURL}} {
		handler := x.handler
		if x.service != "" { // S3 checks by itself
			handler = sigv4.Guard(handler, x.service, keys, 1<<20)
		}
		server := httptest.NewServer(handler)
		t.Cleanup(server.Close)
		*x.url = server.URL
	}
	return s
}

// TestSignedByTheSDK: the SDK for Go is served with either key, whatever a key of S3 or a function is called.
func TestSignedByTheSDK(t *testing.T) {
	s := startServices(t)
	for _, key := range []sigv4.Key{s.key, s.temporary} {
		objects := awss3.New(awss3.Options{Region: "eu-west-1", BaseEndpoint: &s.s3URL, UsePathStyle: true, Credentials: provider(key)})
		for _, name := range []string{"a", "a b+c/d%2F&=?#é~*'().txt", "/lead//double", "%41", "ü/日本"} {
			if _, err := objects.PutObject(t.Context(), &awss3.PutObjectInput{Bucket: aws.String("bucket"), Key: &name, Body: strings.NewReader("body"), Metadata: map[string]string{"a": " two  spaces "}}); err != nil {
				t.Errorf("put %q: %v", name, err)
			}
			presigned, err := awss3.NewPresignClient(objects).PresignGetObject(t.Context(), &awss3.GetObjectInput{Bucket: aws.String("bucket"), Key: &name, ResponseContentType: aws.String("a/b; c=d e")})
			if err != nil {
				t.Fatal(err)
			}
			res, err := http.Get(presigned.URL)
			if err != nil {
				t.Fatal(err)
			}
			body, _ := io.ReadAll(res.Body)
			res.Body.Close()
			if res.StatusCode != 200 || string(body) != "body" {
				t.Errorf("presigned GET of %q: %s %s", name, res.Status, body)
			}
			altered := strings.Replace(presigned.URL, "X-Amz-Expires=900", "X-Amz-Expires=90000", 1)
			if res, err = http.Get(altered); err != nil || res.StatusCode != 403 {
				t.Errorf("a presigned URL whose time was prolonged: %v, %v", res, err)
			}
			res.Body.Close()
		}
		parameters := awsssm.New(awsssm.Options{Region: "eu-west-1", BaseEndpoint: &s.ssmURL, Credentials: provider(key)})
		if out, err := parameters.GetParameter(t.Context(), &awsssm.GetParameterInput{Name: aws.String("/a/b"), WithDecryption: aws.Bool(true)}); err != nil || *out.Parameter.Value != "hunter2" {
			t.Error(err)
		}
		function := awslambda.New(awslambda.Options{Region: "eu-west-1", BaseEndpoint: &s.lambURL, Credentials: provider(key)})
		if out, err := function.Invoke(t.Context(), &awslambda.InvokeInput{FunctionName: aws.String("arn:aws:lambda:eu-west-1:123456789012:function:f:live"), Payload: []byte(`{"a":1}`)}); err != nil || string(out.Payload) != `{"a":1}` {
			t.Error(err)
		}
	}
	for name, bad := range map[string]sigv4.Key{
		"another key": sigv4.NewKey(), "a wrong secret": {ID: s.key.ID, Secret: "x"}, "no session token": {ID: s.temporary.ID, Secret: s.temporary.Secret},
		"another token": {ID: s.temporary.ID, Secret: s.temporary.Secret, Token: "x"}, "a token where there is none": {ID: s.key.ID, Secret: s.key.Secret, Token: "x"},
	} {
		count := len(s.invoked)
		if _, err := awslambda.New(awslambda.Options{Region: "eu-west-1", BaseEndpoint: &s.lambURL, Credentials: provider(bad), RetryMaxAttempts: 1}).Invoke(t.Context(), &awslambda.InvokeInput{FunctionName: aws.String("f")}); err == nil || len(s.invoked) > count {
			t.Errorf("Lambda with %s: %v", name, err)
		}
		if _, err := awsssm.New(awsssm.Options{Region: "eu-west-1", BaseEndpoint: &s.ssmURL, Credentials: provider(bad), RetryMaxAttempts: 1}).GetParameter(t.Context(), &awsssm.GetParameterInput{Name: aws.String("/a/b")}); err == nil {
			t.Errorf("SSM with %s", name)
		}
		if _, err := awss3.New(awss3.Options{Region: "eu-west-1", BaseEndpoint: &s.s3URL, UsePathStyle: true, Credentials: provider(bad), RetryMaxAttempts: 1}).ListBuckets(t.Context(), nil); err == nil {
			t.Errorf("S3 with %s", name)
		}
	}
}

// TestSignedByTheCLI holds the guards against Amazon's CLI, which signs by botocore.
func TestSignedByTheCLI(t *testing.T) {
	cli, err := exec.LookPath("aws")
	if err != nil {
		t.Skip("the AWS CLI is not here: pip install awscli")
	}
	s := startServices(t)
	dir := t.TempDir()
	file := filepath.Join(dir, "é b+c.txt")
	if err := os.WriteFile(file, []byte("body"), 0o600); err != nil {
		t.Fatal(err)
	}
	config := filepath.Join(dir, "config") // the CLI would presign for an endpoint that it does not know by Version 2
	if err := os.WriteFile(config, []byte("[default]\ns3 =\n    signature_version = s3v4\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	run := func(key sigv4.Key, args ...string) (string, error) {
		ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
		defer cancel()
		cmd := exec.CommandContext(ctx, cli, args...)
		cmd.Dir = dir
		cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + os.Getenv("HOME"), "AWS_ACCESS_KEY_ID=" + key.ID, "AWS_SECRET_ACCESS_KEY=" + key.Secret, "AWS_SESSION_TOKEN=" + key.Token, "AWS_REGION=eu-west-1",
			"AWS_DEFAULT_REGION=eu-west-1", "AWS_CONFIG_FILE=" + config, "AWS_SHARED_CREDENTIALS_FILE=" + os.DevNull, "AWS_MAX_ATTEMPTS=1", "AWS_EC2_METADATA_DISABLED=true", "LC_ALL=C.UTF-8"}
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	if out, err := run(s.key, "--version"); err != nil {
		t.Skipf("the AWS CLI does not run: %v %s", err, out)
	}
	for _, args := range [][]string{
		{"s3", "cp", file, "s3://bucket/x/é b+c.txt", "--endpoint-url", s.s3URL},
		{"s3", "ls", "s3://bucket/x/", "--endpoint-url", s.s3URL},
		{"ssm", "get-parameter", "--name", "/a/b", "--with-decryption", "--endpoint-url", s.ssmURL},
		{"lambda", "invoke", "--function-name", "arn:aws:lambda:eu-west-1:123456789012:function:f", "--payload", `{"a":1}`, "--endpoint-url", s.lambURL, "out.json"},
	} {
		out, err := run(s.temporary, args...)
		if err != nil {
			t.Errorf("aws %s: %v %s", strings.Join(args[:2], " "), err, out)
		}
		if args[0] == "ssm" {
			var answer struct{ Parameter struct{ Value string } }
			if err := json.Unmarshal([]byte(out), &answer); err != nil || answer.Parameter.Value != "hunter2" {
				t.Errorf("%v: %s", err, out)
			}
			if out, err := run(sigv4.NewKey(), args...); err == nil || !strings.Contains(out, "UnrecognizedClientException") {
				t.Errorf("with another key: %v %s", err, out)
			}
		}
	}
	url, err := run(s.key, "s3", "presign", "s3://bucket/x/é b+c.txt", "--endpoint-url", s.s3URL)
	if err != nil {
		t.Fatal(err, url)
	}
	res, err := http.Get(strings.TrimSpace(url))
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if body, _ := io.ReadAll(res.Body); res.StatusCode != 200 || string(body) != "body" {
		t.Errorf("presigned by the CLI: %s %s", res.Status, body)
	}
}

// TestUnsignedIsRefused: what a page or another user can send without keys reaches nothing, and in S3, SSM and Lambda the errors are those of AWS.
func TestUnsignedIsRefused(t *testing.T) {
	s := startServices(t)
	for url, want := range map[string]string{s.s3URL + "/bucket": "<Code>AccessDenied</Code>", s.ssmURL + "/": "MissingAuthenticationToken", s.lambURL + "/2015-03-31/functions/f/invocations": "MissingAuthenticationToken"} {
		for _, authorization := range []string{"", "AWS4-HMAC-SHA256 Credential=x/20260101/r/s3/aws4_request", "Basic eDp5", "AWS4-HMAC-SHA256 "} {
			r, err := http.NewRequestWithContext(t.Context(), "POST", url, strings.NewReader(`{"Name":"/a/b"}`))
			if err != nil {
				t.Fatal(err)
			}
			r.Header.Set("X-Amz-Target", "AmazonSSM.GetParameter")
			if authorization != "" {
				r.Header.Set("Authorization", authorization)
			}
			res, err := http.DefaultClient.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			body, _ := io.ReadAll(res.Body)
			res.Body.Close()
			if res.StatusCode < 400 || res.StatusCode >= 500 || authorization == "" && !strings.Contains(string(body), want) {
				t.Errorf("POST %s with %q: %s %s", url, authorization, res.Status, body)
			}
		}
	}
	big := strings.NewReader(strings.Repeat(" ", 2<<20))
	function := awslambda.New(awslambda.Options{Region: "eu-west-1", BaseEndpoint: &s.lambURL, Credentials: provider(s.key), RetryMaxAttempts: 1, HTTPClient: testkit.OwnBodies{}})
	payload, _ := io.ReadAll(big)
	if _, err := function.Invoke(t.Context(), &awslambda.InvokeInput{FunctionName: aws.String("f"), Payload: payload}); err == nil || !strings.Contains(err.Error(), "RequestTooLarge") {
		t.Errorf("an event over the bound: %v", err)
	}
	if len(s.invoked) > 0 {
		t.Errorf("Lambda was reached: %q", s.invoked)
	}
}
