package main

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/aproorg/sluice/internal/emulate/ssm"
)

// TestMain lets the test's binary be the bootstrap and the app as well.
func TestMain(m *testing.M) {
	switch {
	case os.Getenv("TEST_BE_APP") != "" && len(os.Args) > 1 && os.Args[1] == "app":
		app()
	case os.Getenv("TEST_BE_BOOTSTRAP") != "" && len(os.Args) > 1:
		main()
	default:
		os.Exit(m.Run())
	}
}

// app writes down its environment, and is healthy.
func app() {
	if err := os.WriteFile(os.Getenv("TEST_BE_APP"), []byte(strings.Join(os.Environ(), "\n")), 0o600); err != nil {
		panic(err)
	}
	http.ListenAndServe("127.0.0.1:"+os.Getenv("PORT"), http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
}

// runtimeAPI tells of the first call that a runtime makes: next, or an init error with its body.
func runtimeAPI(t *testing.T) (addr string, first chan string) {
	first = make(chan string, 8)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		switch path := strings.TrimPrefix(r.URL.Path, "/2018-06-01/runtime/"); path {
		case "invocation/next":
			first <- path
			<-r.Context().Done()
		case "init/error":
			first <- path + " " + string(body)
			w.WriteHeader(http.StatusAccepted)
		}
	}))
	t.Cleanup(func() { server.CloseClientConnections(); server.Close() })
	return strings.TrimPrefix(server.URL, "http://"), first
}

// start runs the bootstrap with a parameter store behind it, and returns its first word to Lambda and its log.
func start(t *testing.T, environment ...string) (first string, log *bytes.Buffer) {
	t.Helper()
	store, err := ssm.New(ssm.Config{Region: "eu-west-1", Secure: map[string]string{"/app/jwt": "s3cr3t"}})
	if err != nil {
		t.Fatal(err)
	}
	parameters := httptest.NewServer(store)
	t.Cleanup(parameters.Close)
	api, words := runtimeAPI(t)
	log = &bytes.Buffer{}
	cmd := exec.Command(os.Args[0], "--", os.Args[0], "app")
	cmd.Env = append([]string{"TEST_BE_BOOTSTRAP=1", "AWS_LAMBDA_RUNTIME_API=" + api, "AWS_REGION=eu-west-1", "SLUICE_ENDPOINT_URL_SSM=" + parameters.URL,
		"AWS_ACCESS_KEY_ID=AKID", "AWS_SECRET_ACCESS_KEY=s3cr3t-key", "AWS_SESSION_TOKEN=s3cr3t-session", "SLUICE_EXTENSION=false",
		"PATH=" + os.Getenv("PATH")}, environment...)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.WaitDelay = 5 * time.Second
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Signal(syscall.SIGTERM)
		cmd.Wait()
		if strings.Contains(log.String(), "s3cr3t") {
			t.Errorf("a secret is in the log:\n%s", log)
		}
	})
	select {
	case first = <-words:
	case <-time.After(20 * time.Second):
		syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		cmd.Wait()
		t.Fatalf("no word for Lambda within 20 s:\n%s", log)
	}
	return first, log
}

func TestTheAppGetsItsSecretsAndNoKeys(t *testing.T) {
	seen := filepath.Join(t.TempDir(), "environment")
	first, _ := start(t, "TEST_BE_APP="+seen, "SLUICE_SECRETS=JWT_SECRET=/app/jwt")
	if first != "invocation/next" {
		t.Fatalf("Lambda heard %s", first)
	}
	environment, err := os.ReadFile(seen)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]bool{"JWT_SECRET=s3cr3t\n": true, "AWS_CONTAINER_CREDENTIALS_FULL_URI=http://127.0.0.1:": true,
		"AWS_SESSION_TOKEN=": false, "AWS_ACCESS_KEY_ID=": false, "AWS_SECRET_ACCESS_KEY=": false} {
		if strings.Contains(string(environment)+"\n", name) != want {
			t.Errorf("%q in the app's environment: want %v", name, want)
		}
	}
}

func TestAMissingSecretIsAnInitError(t *testing.T) {
	first, _ := start(t, "TEST_BE_APP=/dev/null", "SLUICE_SECRETS=JWT_SECRET=/app/jwt, CREDS_KEY=/app/none, CREDS_IV=/app/none2")
	body, ok := strings.CutPrefix(first, "init/error ")
	var report struct{ ErrorMessage string }
	if err := json.Unmarshal([]byte(body), &report); !ok || err != nil {
		t.Fatalf("Lambda heard %s: %v", first, err)
	}
	for _, want := range []string{"2 of 3", "CREDS_KEY from /app/none", "CREDS_IV from /app/none2"} {
		if !strings.Contains(report.ErrorMessage, want) {
			t.Errorf("%q is not in %s", want, report.ErrorMessage)
		}
	}
}

func TestASettingThatIsWrongIsAnInitError(t *testing.T) {
	first, _ := start(t, "TEST_BE_APP=/dev/null", "SLUICE_CONFIG_S3=bucket/key")
	if !strings.HasPrefix(first, "init/error") || !strings.Contains(first, "SLUICE_CONFIG_S3") {
		t.Errorf("Lambda heard %s", first)
	}
}

func TestRulesOfTheImageAddToTheEnvironment(t *testing.T) {
	dir := t.TempDir()
	seen, rules := filepath.Join(dir, "environment"), filepath.Join(dir, "rules.json")
	for file, text := range map[string]string{
		filepath.Join(dir, "routes.js"): "/stream/:id",
		rules:                           `[{"file":"` + filepath.Join(dir, "routes.js") + `","contains":"/stream/","environment":{"MODE":"s3cr3t-mode","SLUICE_HEARTBEAT":"soon"}}]`,
	} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	// A setting of a rule is read as one of the function's: this one cannot be.
	if first, _ := start(t, "TEST_BE_APP=/dev/null", "SLUICE_RULES="+rules); !strings.Contains(first, "SLUICE_HEARTBEAT") {
		t.Errorf("Lambda heard %s", first)
	}
	if first, log := start(t, "TEST_BE_APP="+seen, "SLUICE_RULES="+rules, "SLUICE_HEARTBEAT=1s"); first != "invocation/next" {
		t.Fatalf("Lambda heard %s\n%s", first, log)
	}
	environment, err := os.ReadFile(seen)
	if err != nil || !strings.Contains(string(environment), "MODE=s3cr3t-mode\n") {
		t.Errorf("%v in\n%s", err, environment)
	}
}
