package bootstrap_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/aproorg/sluice/internal/bootstrap"
	"github.com/aproorg/sluice/internal/runtimeapi/runtimetest"
	"github.com/aproorg/sluice/internal/settings"
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
		Settings: set, Command: []string{self()}, Environ: []string{"SLUICE_TEST_APP=" + kind, "PORT=1", "AWS_SECRET_ACCESS_KEY=x", "SLUICE_ORIGIN_SECRET=y"},
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
	var given []string
	cfg.Prepare = func(_ context.Context, env []string) ([]string, error) {
		given = env
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
	if text := strings.Join(given, "\n"); strings.Contains(text, "SLUICE_ORIGIN_SECRET") || strings.Contains(text, "PORT=1\n") {
		t.Errorf("given to Prepare: %s", text)
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
