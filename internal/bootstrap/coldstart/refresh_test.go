package coldstart_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aproorg/sluice/internal/bootstrap/coldstart"
	"github.com/aproorg/sluice/internal/bootstrap/settings"
	"github.com/google/go-cmp/cmp"
)

// TestRefresh: what is too old is fetched again, and what differs then is named; the rest of the environment stays as it is.
func TestRefresh(t *testing.T) {
	w := newWorld(t, map[string]string{"/app/jwt": value, "/app/key": value + "-key", "/app/env": "A=1\nGONE=1\n"}, map[string]string{"librechat.yaml": "version: 1\n"})
	config := filepath.Join(t.TempDir(), "librechat.yaml")
	w.env["SLUICE_SECRETS"] = "JWT_SECRET=/app/jwt CREDS_KEY=/app/key"
	w.env["SLUICE_ENV_PARAMETER"], w.env["SLUICE_CONFIG_S3"], w.env["SLUICE_CONFIG_PATH"] = "/app/env", "s3://config/librechat.yaml", config
	p := coldstart.NewPreparer(w.config())
	defer p.Close()
	before, err := p.Prepare(t.Context(), w.own())
	if err != nil {
		t.Fatal(err)
	}
	refresh := func(age time.Duration, want ...string) {
		t.Helper()
		changed, err := p.Refresh(t.Context(), w.own(), age)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, changed); diff != "" {
			t.Errorf("changed (-want +got):\n%s", diff)
		}
	}
	refresh(0)
	put := func(name, text string) {
		t.Helper()
		if err := w.store.Put(name, text); err != nil {
			t.Fatal(err)
		}
	}
	put("/app/jwt", value+"-rotated")
	put("/app/env", "A=1\nB=2\n")
	calls := w.calls.Load()
	refresh(time.Hour)
	if now := w.calls.Load(); now != calls {
		t.Errorf("%d calls for what is young", now-calls)
	}
	refresh(0, "B", "GONE", "JWT_SECRET")
	if err := w.bucket.Put("config", "librechat.yaml", strings.NewReader("version: 2\n"), nil); err != nil {
		t.Fatal(err)
	}
	refresh(0, "CONFIG_PATH")
	if text, err := os.ReadFile(config); err != nil || string(text) != "version: 2\n" {
		t.Errorf("configuration %q, %v", text, err)
	}
	after, err := p.Prepare(t.Context(), w.own())
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"JWT_SECRET": value + "-rotated", "CREDS_KEY": value + "-key", "B": "2", "GONE": "", "AWS_ACCESS_KEY_ID": ""} {
		if got, _ := settings.Lookup(after)(name); got != want {
			t.Errorf("%s is %q", name, got)
		}
	}
	const endpoint = "AWS_CONTAINER_CREDENTIALS_FULL_URI"
	was, _ := settings.Lookup(before)(endpoint)
	if is, _ := settings.Lookup(after)(endpoint); is != was || is == "" {
		t.Errorf("the endpoint is %q, and was %q", is, was)
	}
}
