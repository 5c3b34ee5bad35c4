package coldstart_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aproorg/sluice/internal/bootstrap/coldstart"
	"github.com/aproorg/sluice/internal/bootstrap/settings"
	"github.com/aproorg/sluice/internal/emulate/s3"
	"github.com/aproorg/sluice/internal/emulate/ssm"
	"github.com/aproorg/sluice/internal/hint"
	"github.com/aws/aws-sdk-go-v2/credentials/endpointcreds"
	"github.com/google/go-cmp/cmp"
)

// world is the part of AWS that a cold start talks to, and the variables that a function there has.
type world struct {
	t    *testing.T
	env  map[string]string
	logs *bytes.Buffer
	// before, if set, may answer a request to SSM itself.
	before func(http.ResponseWriter, *http.Request) bool
	calls  atomic.Int64

	store  *ssm.Store
	bucket *s3.Store
}

const value = "s3cr3t-value" // begins each value that must be in no log and no error

func newWorld(t *testing.T, secure map[string]string, objects map[string]string, deny ...string) *world {
	t.Helper()
	w := &world{t: t, logs: &bytes.Buffer{}}
	store, err := ssm.New(ssm.Config{Region: "eu-west-1", Secure: secure, Deny: deny})
	if err != nil {
		t.Fatal(err)
	}
	parameters := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		w.calls.Add(1)
		if w.before == nil || !w.before(rw, r) {
			store.ServeHTTP(rw, r)
		}
	}))
	t.Cleanup(parameters.Close)
	bucket, err := s3.New(s3.Config{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { bucket.Close() })
	bucket.Bucket("config")
	for key, body := range objects {
		if err := bucket.Put("config", key, strings.NewReader(body), nil); err != nil {
			t.Fatal(err)
		}
	}
	objectAPI := httptest.NewServer(bucket.API())
	t.Cleanup(objectAPI.Close)
	w.store, w.bucket = store, bucket
	w.env = map[string]string{
		"AWS_LAMBDA_RUNTIME_API": "127.0.0.1:9001", "AWS_REGION": "eu-west-1", "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": value + "-key", "AWS_SESSION_TOKEN": value + "-session",
		"SLUICE_ENDPOINT_URL_SSM": parameters.URL, "SLUICE_ENDPOINT_URL_S3": objectAPI.URL, "NODE_ENV": "production",
		"AWS_ENDPOINT_URL": "http://127.0.0.1:1", "AWS_ENDPOINT_URL_S3": "minio:9000", // of the app's storage: not the bootstrap's to use
	}
	return w
}

func (w *world) config() coldstart.Config {
	w.t.Helper()
	s, err := settings.Read(func(name string) (string, bool) { v, ok := w.env[name]; return v, ok })
	if err != nil {
		w.t.Fatal(err)
	}
	return coldstart.Config{ColdStart: s.ColdStart, AWS: s.AWS, Log: slog.New(slog.NewJSONHandler(w.logs, nil))}
}

func (w *world) own() (env []string) {
	for k, v := range w.env {
		env = append(env, k+"="+v)
	}
	return env
}

// run makes a cold start and returns the app's environment.
func (w *world) run() (map[string]string, error) {
	w.t.Helper()
	r, err := coldstart.Run(w.t.Context(), w.config(), w.own())
	w.t.Cleanup(r.Close)
	if strings.Contains(w.logs.String(), value) || strings.Contains(fmt.Sprint(err), value) {
		w.t.Errorf("a value shows in the log or the error:\n%s\n%v", w.logs, err)
	}
	vars := map[string]string{}
	for _, entry := range r.Apply(w.own()) {
		name, v, _ := strings.Cut(entry, "=")
		if _, twice := vars[name]; twice {
			w.t.Errorf("%s is in the environment twice", name)
		}
		vars[name] = v
	}
	return vars, err
}

func TestEverythingAtOnce(t *testing.T) {
	secure := map[string]string{"/app/env": "FROM_PARAMETER=p\nBOTH=parameter\nNODE_ENV=development\n"}
	var refs []string
	for i := range 25 {
		secure[fmt.Sprintf("/app/s%02d", i)] = fmt.Sprintf("%s-%d", value, i)
		refs = append(refs, fmt.Sprintf("SECRET_%d=/app/s%02d", i, i))
	}
	refs = append(refs, "SAME=/app/s01", "BY_ARN=arn:aws:ssm:eu-west-1:123456789012:parameter/app/s02", "BY_VERSION=/app/s03:1",
		"ARN_VERSION=arn:aws:ssm:eu-west-1:123456789012:parameter/app/s04:1")
	w := newWorld(t, secure, map[string]string{"env": "FROM_S3='s'\nBOTH=object\n", "librechat.yaml": "version: 1.2\nserver: https://DOMAIN/api\n"})
	dir := t.TempDir()
	if err := os.Symlink(filepath.Join(dir, "tmp", "logs"), filepath.Join(dir, "logs")); err != nil {
		t.Fatal(err)
	}
	w.env["SLUICE_SECRETS"] = strings.Join(refs, ", ")
	w.env["SLUICE_ENV_S3"], w.env["SLUICE_ENV_PARAMETER"] = "s3://config/env", "/app/env"
	w.env["SLUICE_CONFIG_S3"], w.env["SLUICE_CONFIG_PATH"] = "s3://config/librechat.yaml", filepath.Join(dir, "made", "librechat.yaml")
	w.env["SLUICE_CONFIG_REPLACE"] = "DOMAIN=chat.example.org"
	w.env["SLUICE_WRITABLE"] = filepath.Join(dir, "logs") + "," + filepath.Join(dir, "a", "b")
	got, err := w.run()
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"SECRET_0": value + "-0", "SECRET_24": value + "-24", "SAME": value + "-1", "BY_ARN": value + "-2", "BY_VERSION": value + "-3", "ARN_VERSION": value + "-4",
		"FROM_S3": "s", "FROM_PARAMETER": "p", "BOTH": "parameter", "NODE_ENV": "production", "CONFIG_PATH": filepath.Join(dir, "made", "librechat.yaml"),
	} {
		if got[name] != want {
			t.Errorf("%s=%q, want %q", name, got[name], want)
		}
	}
	config, err := os.ReadFile(got["CONFIG_PATH"])
	if diff := cmp.Diff("version: 1.2\nserver: https://chat.example.org/api\n", string(config)); diff != "" || err != nil {
		t.Errorf("configuration (-want +got), %v:\n%s", err, diff)
	}
	for _, made := range []string{"tmp/logs", "a/b"} {
		if info, err := os.Stat(filepath.Join(dir, made)); err != nil || !info.IsDir() {
			t.Errorf("%s was not made: %v", made, err)
		}
	}
	if calls := w.calls.Load(); calls != 4 { // 28 names in three batches, and the environment's parameter
		t.Errorf("%d calls of SSM", calls)
	}
	if log := w.logs.String(); strings.Count(log, `"msg":"cold start"`) != 5 || !strings.Contains(log, `"variables":["NODE_ENV"]`) {
		t.Errorf("log:\n%s", log)
	}
}

// A configuration that says none of what is expected is warned of, and written all the same.
func TestWhatTheConfigurationShouldSay(t *testing.T) {
	for config, warned := range map[string]bool{
		"version: 1\n":                                 true,
		"version: 1\nfileStrategy: local\n":            true,
		"version: 1\nnested:\n  fileStrategy: s3\n":    true,
		"fileStrategy: \"s3\"\n":                       false,
		"fileStrategies:\n  default: s3\nversion: 1\n": false,
	} {
		w := newWorld(t, nil, map[string]string{"librechat.yaml": config})
		w.env["SLUICE_CONFIG_S3"], w.env["SLUICE_CONFIG_PATH"] = "s3://config/librechat.yaml", filepath.Join(t.TempDir(), "librechat.yaml")
		w.env["SLUICE_CONFIG_EXPECT"] = "fileStrategy=s3,fileStrategies"
		if _, err := w.run(); err != nil {
			t.Fatal(err)
		}
		const warning = `"msg":"the configuration does not say what this deployment expects of it","object":"s3://config/librechat.yaml","expected":[`
		if got := strings.Contains(w.logs.String(), warning); got != warned {
			t.Errorf("%q: warned is %v, want %v:\n%s", config, got, warned, w.logs)
		}
	}
}

func TestTheErrorListsAllSecretsAtFault(t *testing.T) {
	secure := map[string]string{}
	var refs []string
	for i := range 12 {
		secure[fmt.Sprintf("/s%d", i)] = value
		refs = append(refs, fmt.Sprintf("OK_%d=/s%d", i, i))
	}
	secure["/denied"], secure["/denied2"], secure["/nul"] = value, value, value+"\x00"
	refs = append(refs, "GONE=/gone", "GONE2=/gone2", "DENIED=/denied", "DENIED2=arn:aws:ssm:eu-west-1:123456789012:parameter/denied2", "NUL=/nul")
	w := newWorld(t, secure, nil, "/denied", "/denied2")
	w.env["SLUICE_SECRETS"] = strings.Join(refs, "\n")
	_, err := w.run()
	if err == nil {
		t.Fatal("no error")
	}
	text := hint.Text(err)
	for _, want := range []string{"5 of 17", "GONE from /gone: does not exist", "GONE2 from /gone2", "DENIED from /denied: AccessDeniedException", "DENIED2 from arn:", "NUL from /nul", "kms:Decrypt", "eu-west-1"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not in:\n%s", want, text)
		}
	}
	if strings.Contains(text, "OK_") {
		t.Errorf("a secret that was read is listed:\n%v", err)
	}
}

func TestErrorsNameTheirSetting(t *testing.T) {
	objects := map[string]string{"bad.env": "A=1\nB\n", "own.env": "SLUICE_HEARTBEAT=1s\n", "bad.yaml": "a: 1\nb: [1,\nc: d: e\n", "first.yaml": "a: b: c\n", "deep.yaml": "a: 1\nb:\n  - c\n d: 1\n", "twice.yaml": "a:\n  x: 1\n  y: 2\n  x: 3\n",
		"empty.yaml": "# nothing\n", "list.yaml": "- a\n", "two.yaml": "a: 1\n---\nb: 2\n"}
	for _, c := range []struct {
		env  map[string]string
		want []string
	}{
		{map[string]string{"SLUICE_ENV_S3": "s3://config/none"}, []string{"SLUICE_ENV_S3", "s3://config/none", "NoSuchKey", "hint"}},
		{map[string]string{"SLUICE_ENV_S3": "s3://config/bad.env"}, []string{"SLUICE_ENV_S3", "line 2"}},
		{map[string]string{"SLUICE_ENV_S3": "s3://config/own.env"}, []string{"SLUICE_HEARTBEAT", "function's configuration"}},
		{map[string]string{"SLUICE_ENV_PARAMETER": "/none"}, []string{"SLUICE_ENV_PARAMETER", "/none", "does not exist"}},
		{map[string]string{"SLUICE_CONFIG_S3": "s3://nobucket/x"}, []string{"SLUICE_CONFIG_S3", "s3://nobucket/x", "NoSuchBucket"}},
		{map[string]string{"SLUICE_CONFIG_S3": "s3://config/bad.yaml"}, []string{"s3://config/bad.yaml is not valid", "line 2"}},
		{map[string]string{"SLUICE_CONFIG_S3": "s3://config/first.yaml"}, []string{"yaml: line 1: mapping values"}},
		{map[string]string{"SLUICE_CONFIG_S3": "s3://config/deep.yaml"}, []string{"yaml: line 4: did not find"}},
		{map[string]string{"SLUICE_CONFIG_S3": "s3://config/twice.yaml"}, []string{`line 4, column 3: the key "x" is there twice, first in line 2`}},
		{map[string]string{"SLUICE_CONFIG_S3": "s3://config/empty.yaml"}, []string{"empty"}},
		{map[string]string{"SLUICE_CONFIG_S3": "s3://config/list.yaml"}, []string{"mapping"}},
		{map[string]string{"SLUICE_CONFIG_S3": "s3://config/two.yaml"}, []string{"line 2: a second document"}},
		{map[string]string{"SLUICE_WRITABLE": "/proc/none"}, []string{"SLUICE_WRITABLE: /proc/none", "only /tmp"}},
		{map[string]string{"SLUICE_SECRETS": "A=/x", "AWS_ACCESS_KEY_ID": ""}, []string{"no credentials"}},
		{map[string]string{"SLUICE_SECRETS": "A=/x", "AWS_REGION": ""}, []string{"AWS_REGION"}},
		{map[string]string{"SLUICE_SECRETS": "A=/x", "SLUICE_CONFIG_S3": "s3://config/bad.yaml"}, []string{"SLUICE_SECRETS", "SLUICE_CONFIG_S3"}}, // all at once
	} {
		w := newWorld(t, map[string]string{"/y": value}, objects)
		for k, v := range c.env {
			w.env[k] = v
		}
		w.env["SLUICE_CONFIG_PATH"] = filepath.Join(t.TempDir(), "c.yaml")
		_, err := w.run()
		for _, want := range c.want {
			if err == nil || !strings.Contains(hint.Text(err), want) {
				t.Errorf("%v: %v, want %q in it", c.env, err, want)
			}
		}
		if _, statErr := os.Stat(w.env["SLUICE_CONFIG_PATH"]); statErr == nil && err != nil {
			t.Errorf("%v: an invalid configuration was written", c.env)
		}
	}
}

func TestRetriesWhatPasses(t *testing.T) {
	w := newWorld(t, map[string]string{"/a": value}, nil)
	var n atomic.Int64
	w.before = func(rw http.ResponseWriter, _ *http.Request) bool {
		switch n.Add(1) {
		case 1:
			rw.WriteHeader(http.StatusInternalServerError)
		case 2:
			rw.Header().Set("Content-Type", "application/x-amz-json-1.1")
			rw.WriteHeader(http.StatusBadRequest)
			io.WriteString(rw, `{"__type":"ThrottlingException","message":"Rate exceeded"}`)
		default:
			return false
		}
		return true
	}
	w.env["SLUICE_SECRETS"] = "A=/a"
	got, err := w.run()
	if err != nil || got["A"] != value || n.Load() != 3 {
		t.Errorf("A=%v after %d calls, %v", got["A"] == value, n.Load(), err)
	}
}

func TestTheLimitHolds(t *testing.T) {
	w := newWorld(t, nil, nil)
	w.before = func(_ http.ResponseWriter, r *http.Request) bool {
		io.Copy(io.Discard, r.Body) // only then does the server see that a client leaves
		<-r.Context().Done()
		return true
	}
	w.env["SLUICE_SECRETS"], w.env["SLUICE_COLDSTART_LIMIT"] = "A=/a", "300ms"
	began := time.Now()
	_, err := w.run()
	if took := time.Since(began); err == nil || took > 2*time.Second || !strings.Contains(err.Error(), "SLUICE_COLDSTART_LIMIT") || !strings.Contains(hint.Text(err), "VPC endpoint") {
		t.Errorf("after %s: %v", took, err)
	}
}

func TestCredentialsComeFromTheEndpointAlone(t *testing.T) {
	w := newWorld(t, nil, nil)
	got, err := w.run()
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"} {
		if _, ok := got[name]; ok {
			t.Errorf("the app gets %s", name)
		}
	}
	uri, token := got["AWS_CONTAINER_CREDENTIALS_FULL_URI"], got["AWS_CONTAINER_AUTHORIZATION_TOKEN"]
	provider := endpointcreds.New(uri, func(o *endpointcreds.Options) { o.AuthorizationToken = token })
	c, err := provider.Retrieve(t.Context())
	if err != nil || c.AccessKeyID != "AKIDEXAMPLE" || c.SecretAccessKey != value+"-key" || c.SessionToken != value+"-session" || !c.CanExpire || time.Until(c.Expires) < 50*time.Minute {
		t.Errorf("the SDK got %s, expiring %s, %v", c.AccessKeyID, c.Expires, err)
	}
	for _, bad := range []struct {
		method, url, token string
		status             int
	}{{"GET", uri, "", 403}, {"GET", uri, token + "x", 403}, {"GET", uri + "/x", token, 404}, {"POST", uri, token, 404}} {
		req, _ := http.NewRequest(bad.method, bad.url, nil)
		req.Header.Set("Authorization", bad.token)
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(res.Body)
		res.Body.Close()
		if res.StatusCode != bad.status || bytes.Contains(body, []byte(value)) {
			t.Errorf("%s %s: %d %s", bad.method, bad.url, res.StatusCode, body)
		}
	}
	w.env["SLUICE_CREDENTIALS"] = "environment"
	if got, _ := w.run(); got["AWS_SESSION_TOKEN"] == "" || got["AWS_CONTAINER_CREDENTIALS_FULL_URI"] != "" {
		t.Error("SLUICE_CREDENTIALS=environment has no effect")
	}
}

// With SnapStart there are no keys: the function's own container endpoint serves this package and the app.
func TestContainerCredentialsAreUsedAndPassedOn(t *testing.T) {
	w := newWorld(t, map[string]string{"/a": value}, nil)
	agent := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "tok" {
			rw.WriteHeader(http.StatusForbidden)
			return
		}
		json.NewEncoder(rw).Encode(map[string]string{"AccessKeyId": "ASIA", "SecretAccessKey": "x", "Token": "y", "Expiration": "2099-01-01T00:00:00Z"})
	}))
	t.Cleanup(agent.Close)
	for _, name := range []string{"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"} {
		delete(w.env, name)
	}
	w.env["AWS_CONTAINER_CREDENTIALS_FULL_URI"], w.env["AWS_CONTAINER_AUTHORIZATION_TOKEN"] = agent.URL, "tok"
	w.env["SLUICE_SECRETS"] = "A=/a"
	used := ""
	w.before = func(_ http.ResponseWriter, r *http.Request) bool { used = r.Header.Get("Authorization"); return false }
	got, err := w.run()
	if err != nil || got["A"] != value || got["AWS_CONTAINER_CREDENTIALS_FULL_URI"] != agent.URL || !strings.Contains(used, "Credential=ASIA/") {
		t.Errorf("signed by %q, endpoint %s, %v", used, got["AWS_CONTAINER_CREDENTIALS_FULL_URI"], err)
	}
}

func TestPreparerFetchesOnceAndAgainAfterAFailure(t *testing.T) {
	w := newWorld(t, map[string]string{"/a": value}, nil)
	broken := true
	w.before = func(rw http.ResponseWriter, _ *http.Request) bool {
		if broken {
			rw.WriteHeader(http.StatusForbidden)
		}
		return broken
	}
	w.env["SLUICE_SECRETS"] = "A=/a"
	p := coldstart.NewPreparer(w.config())
	t.Cleanup(p.Close)
	if _, err := p.Prepare(t.Context(), w.own()); err == nil {
		t.Fatal("no error")
	}
	broken = false
	before := w.calls.Load()
	ctx, cancel := context.WithCancel(t.Context())
	first, err := p.Prepare(ctx, append(w.own(), "PORT=1"))
	cancel()
	if err != nil {
		t.Fatal(err)
	}
	second, err := p.Prepare(t.Context(), append(w.own(), "PORT=2"))
	if err != nil || w.calls.Load() != before+1 || !slices.Contains(first, "A="+value) || !slices.Contains(second, "A="+value) || !slices.Contains(second, "PORT=2") {
		t.Errorf("%d calls, %v", w.calls.Load()-before, err)
	}
	for _, entry := range second { // the endpoint outlives the context of the start that made it
		if uri, ok := strings.CutPrefix(entry, "AWS_CONTAINER_CREDENTIALS_FULL_URI="); ok {
			if res, err := http.Get(uri); err != nil || res.StatusCode != 403 {
				t.Errorf("the endpoint: %v %v", res, err)
			}
		}
	}
}

// TestRequestForCredentialsWithoutEnd: the app's own requests are bounded too.
func TestRequestForCredentialsWithoutEnd(t *testing.T) {
	w := newWorld(t, nil, nil)
	vars, err := w.run()
	if err != nil {
		t.Fatal(err)
	}
	address := strings.TrimSuffix(strings.TrimPrefix(vars["AWS_CONTAINER_CREDENTIALS_FULL_URI"], "http://"), "/credentials")
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	written, err := io.WriteString(conn, "GET /credentials HTTP/1.1\r\nHost: x\r\n")
	for n := 0; err == nil && written < 64<<20; written += n {
		n, err = io.WriteString(conn, strings.Repeat("A: b\r\n", 1000))
	}
	if written >= 64<<20 {
		t.Errorf("%d bytes of a head were read", written)
	}
}
