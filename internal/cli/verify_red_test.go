package cli_test

import (
	"bytes"
	"context"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/aproorg/sluice/internal/app/demo"
	"github.com/aproorg/sluice/internal/cli"
	"github.com/aproorg/sluice/internal/probe/badhop"
)

// TestVerifyThroughBadHops: green against the app, and through each bad hop exit code 1 with the reason that a person needs.
func TestVerifyThroughBadHops(t *testing.T) {
	api, err := demo.New(demo.Config{Environment: "test"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(api.Close)
	app := httptest.NewServer(demo.Standalone(demo.Site(), api))
	t.Cleanup(func() { app.CloseClientConnections(); app.Close() })

	t.Run("none", func(t *testing.T) {
		if code, output := verifyQuick(t, app.URL); code != 0 {
			t.Errorf("exit code %d:\n%s", code, output)
		}
	})
	for fault, want := range map[string][]string{
		"buffer":   {"fail  stream cadence", "buffered", "hint:", "response transfer mode"},
		"truncate": {"fail  stream cadence", "without its last one", "fail  large body", "truncates"},
		"mask":     {"fail  API errors stay errors", "must get 404 and got 200 text/html", "custom error responses", "fail  missing file"},
	} {
		t.Run(fault, func(t *testing.T) {
			handler, err := badhop.New(app.URL, fault)
			if err != nil {
				t.Fatal(err)
			}
			hop := httptest.NewServer(handler)
			t.Cleanup(func() { hop.CloseClientConnections(); hop.Close() })
			code, output := verifyQuick(t, hop.URL)
			if code != 1 {
				t.Errorf("exit code %d, want 1", code)
			}
			for _, part := range want {
				if !strings.Contains(output, part) {
					t.Errorf("no %q in:\n%s", part, output)
				}
			}
		})
	}
	if _, err := badhop.New(app.URL, "none"); err == nil {
		t.Error("a fault that is none is taken")
	}
}

func verifyQuick(t *testing.T, url string) (int, string) {
	t.Helper()
	var out, errs bytes.Buffer
	code := cli.Run(context.Background(), cli.Program{
		In: strings.NewReader(""), Out: &out, Err: &errs, Getenv: func(string) string { return "" },
	}, []string{"verify", url, "--quick"})
	return code, out.String() + errs.String()
}
