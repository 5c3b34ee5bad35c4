package bootstrap_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/aproorg/sluice/internal/bootstrap"
	"github.com/aproorg/sluice/internal/bootstrap/runtimeapi/runtimetest"
	"github.com/aproorg/sluice/internal/bootstrap/settings"
)

// config is for a bootstrap that runs inside the test.
func config(t *testing.T, stub *runtimetest.Server, kind string) bootstrap.Config {
	t.Helper()
	env := map[string]string{"AWS_LAMBDA_RUNTIME_API": stub.Addr(), "SLUICE_READY_INTERVAL": "50ms", "SLUICE_PRELOAD": "false"}
	set, err := settings.Read(func(name string) (string, bool) { v, ok := env[name]; return v, ok })
	if err != nil {
		t.Fatal(err)
	}
	return bootstrap.Config{
		Settings: set, Command: []string{self()}, Env: []string{"SLUICE_TEST_APP=" + kind, "PORT=1", "AWS_SECRET_ACCESS_KEY=x", "SLUICE_ORIGIN_SECRET=y"},
		Stdout: io.Discard, Stderr: io.Discard, Logger: slog.New(slog.NewTextHandler(t.Output(), nil)),
	}
}

func TestPrepareMakesTheEnvironment(t *testing.T) {
	stub, err := runtimetest.Start()
	if err != nil {
		t.Fatal(err)
	}
	defer stub.Close()
	cfg := config(t, stub, "bin")
	var before []string
	cfg.Prepare = func(_ context.Context, env []string) ([]string, error) {
		before = env
		return append(env, "PREPARED=yes"), nil
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- bootstrap.Run(ctx, cfg) }()
	inv := stub.Invoke(get("/environ"), time.Minute)
	if err := inv.Answered(ctx); err != nil {
		t.Fatal(err)
	}
	if _, err := runtimetest.ReadHead(inv.Body); err != nil {
		t.Fatal(err)
	}
	body, _ := io.ReadAll(inv.Body)
	if !strings.Contains(string(body), "PREPARED=yes") {
		t.Errorf("the app's environment: %s", body)
	}
	if text := strings.Join(before, "\n"); strings.Contains(text, "SLUICE_ORIGIN_SECRET") || strings.Contains(text, "PORT=1\n") {
		t.Errorf("Prepare got %s", text)
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestPrepareThatFailsIsTheInitError(t *testing.T) {
	stub, err := runtimetest.Start()
	if err != nil {
		t.Fatal(err)
	}
	defer stub.Close()
	cfg := config(t, stub, "bin")
	cfg.Prepare = func(context.Context, []string) ([]string, error) {
		return nil, errors.New("parameter /app/jwt is missing")
	}
	if err := bootstrap.Run(t.Context(), cfg); err == nil {
		t.Error("no error")
	}
	if got := stub.InitErrors(); len(got) != 1 || !strings.Contains(got[0].Message, "/app/jwt") {
		t.Errorf("init errors %+v", got)
	}
}

// TestSecretOfPrepare: the origin secret that the cold start fetches is asked for, in the first request too, and the app does not see it.
func TestSecretOfPrepare(t *testing.T) {
	for _, c := range []struct{ name, fetched, brought, want string }{
		{"right", "s3cret", "s3cret", "200"},
		{"wrong", "s3cret", "guess", "403"},
		{"none brought", "s3cret", "", "403"},
		{"none fetched", "", "", "403"},
	} {
		t.Run(c.name, func(t *testing.T) {
			stub, err := runtimetest.Start()
			if err != nil {
				t.Fatal(err)
			}
			defer stub.Close()
			cfg := config(t, stub, "bin")
			cfg.LateSecret = true
			cfg.Prepare = func(_ context.Context, env []string) ([]string, error) {
				if c.fetched != "" {
					env = append(env, "SLUICE_ORIGIN_SECRET="+c.fetched)
				}
				return env, nil
			}
			ctx, cancel := context.WithCancel(t.Context())
			done := make(chan error)
			go func() { done <- bootstrap.Run(ctx, cfg) }()
			event := request{path: "/environ", header: map[string]string{"X-Origin-Verify": c.brought}}.event()
			inv := stub.Invoke(event, time.Minute)
			if err := inv.Answered(ctx); err != nil {
				t.Fatal(err)
			}
			head, err := runtimetest.ReadHead(inv.Body)
			if err != nil {
				t.Fatal(err)
			}
			body, _ := io.ReadAll(inv.Body)
			if status := fmt.Sprint(head.StatusCode); status != c.want {
				t.Errorf("answered %s, want %s", status, c.want)
			}
			if strings.Contains(string(body), "s3cret") {
				t.Errorf("the app sees the secret: %s", body)
			}
			cancel()
			if err := <-done; err != nil {
				t.Error(err)
			}
		})
	}
}
