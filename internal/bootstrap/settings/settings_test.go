package settings

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/aproorg/sluice/internal/hint"
)

func read(env map[string]string) (Settings, error) {
	if _, ok := env["AWS_LAMBDA_RUNTIME_API"]; !ok {
		env["AWS_LAMBDA_RUNTIME_API"] = "127.0.0.1:9001"
	}
	return Read(func(name string) (string, bool) { v, ok := env[name]; return v, ok })
}

func TestDefaults(t *testing.T) {
	s, err := read(map[string]string{})
	if err != nil {
		t.Fatal(err)
	}
	if s.ReadyPath != "/health" || s.ReadyAttempts != 60 || s.ReadyInterval != 500*time.Millisecond || s.Heartbeat != 15*time.Second ||
		s.DeadlineMargin != 5*time.Second || s.EarlyHeaders != 0 || s.Concurrency != 1 || s.LongInit || s.ForwardedHops != 0 || !s.Preload {
		t.Errorf("%+v", s)
	}
}

func TestOriginSecretMeansOneHopAndIsNotPrinted(t *testing.T) {
	s, err := read(map[string]string{"SLUICE_ORIGIN_SECRET": "hush", "AWS_LAMBDA_INITIALIZATION_TYPE": "snap-start"})
	if err != nil {
		t.Fatal(err)
	}
	if s.ForwardedHops != 1 || !s.LongInit || !s.SnapStart {
		t.Errorf("%+v", s)
	}
	if text := fmt.Sprintf("%v %+v %#v", s, s, s); strings.Contains(text, "hush") {
		t.Error(text)
	}
}

func TestBadValuesAreNamed(t *testing.T) {
	for name, value := range map[string]string{
		"AWS_LAMBDA_RUNTIME_API": "nowhere", "AWS_LAMBDA_MAX_CONCURRENCY": "0", "SLUICE_APP_PORT": "70000", "SLUICE_READY_PATH": "health",
		"SLUICE_READY_ATTEMPTS": "many", "SLUICE_READY_INTERVAL": "0", "SLUICE_READY_LOG": "(", "SLUICE_HEARTBEAT": "15", "SLUICE_EXTENSION": "perhaps",
		"SLUICE_RESPONSE_MODE": "streamed", "SLUICE_DEADLINE_EVENT": "a\nb", "SLUICE_LOG_LEVEL": "loud", "SLUICE_EVENTS_PATH": "x", "SLUICE_BUSY_PATH": "x",
		"SLUICE_DRAIN_LIMIT": "-1s", "SLUICE_FORWARDED_HOPS": "-2", "SLUICE_WARM_PATHS": "/a,b", "SLUICE_AFTER_RESTORE_PATH": "x", "SLUICE_RESTORE_LIMIT": "0",
	} {
		if _, err := read(map[string]string{name: value}); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s=%q: error %v", name, value, err)
		}
	}
	for name, bad := range map[string][]string{
		"SLUICE_SECRETS": {"A", "A=", "1A=/x", "A=/x,A=/y"}, "SLUICE_ENV_S3": {"bucket/key", "s3://bucket", "s3:///key"},
		"SLUICE_CONFIG_S3": {"https://x/y"}, "SLUICE_CONFIG_PATH": {"tmp/x"}, "SLUICE_CONFIG_VARIABLE": {"A B"},
		"SLUICE_CONFIG_REPLACE": {"x", "=y"}, "SLUICE_WRITABLE": {"logs"}, "SLUICE_CREDENTIALS": {"yes"}, "SLUICE_COLDSTART_LIMIT": {"8", "-1s"},
		"SLUICE_REACH": {"A B-C"}, "SLUICE_APP_HOST": {"127.0.0.1:80", "a b", "http://app", "[::1]"}, "SLUICE_READY_PATH": {"health", "/a b"}, "SLUICE_EVENTS_PATH": {"/a\r\nX: y"},
		"SLUICE_ENDPOINT_URL_SSM": {"localhost:4566", "minio", "ftp://a", "http://", "http://a:0", "https://user@a", "http://a/path", "http://a?b", "http:// a"},
		"SLUICE_PUBLIC_HOST": {"https://chat.example.com", "https://chat.example.com/x", "a b", "a,b", "a/", "a:", "a:0", "a:+1", "a:65536", "a:http", "::1", "[::1", "[a]", "[a]:80",
			"a..b", "-a", "a\r\nX: y", "[fe80::1%eth0]", "user@a", "ü.example", strings.Repeat("a.", 127) + "a"},
	} {
		for _, value := range bad {
			if _, err := read(map[string]string{name: value}); err == nil || !strings.Contains(err.Error(), name) {
				t.Errorf("%s=%q: error %v", name, value, err)
			}
		}
	}
	if _, err := Read(func(string) (string, bool) { return "", false }); err == nil || !strings.Contains(err.Error(), "AWS_LAMBDA_RUNTIME_API") {
		t.Errorf("no runtime API: %v", err)
	}
}

func TestPublicHost(t *testing.T) {
	for _, want := range []string{"chat.example.com", "chat.example.com:8443", "localhost:3080", "127.0.0.1:8080", "[::1]", "[2001:db8::1]:443", "d111111abcdef8.cloudfront.net", "a_b.example.", ""} {
		if s, err := read(map[string]string{"SLUICE_PUBLIC_HOST": want}); err != nil || s.PublicHost != want {
			t.Errorf("%q is read as %q, %v", want, s.PublicHost, err)
		}
	}
	_, err := read(map[string]string{"SLUICE_PUBLIC_HOST": "https://chat.example.com/x"})
	if text := hint.Text(err); !strings.Contains(text, "SLUICE_PUBLIC_HOST") || !strings.HasSuffix(strings.TrimRight(text, ")"), "it is chat.example.com") {
		t.Error(text)
	}
}

func TestTableIsWhole(t *testing.T) {
	seen := map[string]bool{}
	fetching := 0
	for _, s := range Table() {
		if s.Meaning == "" || seen[s.Name] || !slices.Contains(Groups, s.Group) {
			t.Errorf("%+v", s)
		}
		seen[s.Name] = true
		if s.Group == Fetching {
			fetching++
		}
	}
	if fetching != 14 {
		t.Errorf("%d settings of a cold start are documented", fetching)
	}
}

// What can be read of SLUICE_SECRETS is returned beside the error, which lists all that cannot.
func TestParseSecrets(t *testing.T) {
	refs, err := ParseSecrets("A=/a, B=arn:aws:ssm:eu-west-1:1:parameter/b:1\tC D=,A=/x\nE=/e")
	if diff := cmp.Diff([]SecretRef{{"A", "/a"}, {"B", "arn:aws:ssm:eu-west-1:1:parameter/b:1"}, {"E", "/e"}}, refs); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for _, want := range []string{`"C" is not`, `"D=" is not`, "A is there twice"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not in %v", want, err)
		}
	}
}

func TestSecretIsShownByNothing(t *testing.T) {
	s, err := read(map[string]string{"SLUICE_ORIGIN_SECRET": "hush"})
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	log := slog.New(slog.NewJSONHandler(&out, nil))
	log.Info("read", "secret", s.OriginSecret, "settings", s)
	slog.New(slog.NewTextHandler(&out, nil)).Info("read", "secret", s.OriginSecret, "settings", s)
	if err := json.NewEncoder(&out).Encode(map[string]any{"one": s.OriginSecret, "in": []Secret{s.OriginSecret}}); err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(&out, "%s %v %+v %#v %q", s.OriginSecret, s, s, s, s.OriginSecret)
	if strings.Contains(out.String(), "hush") {
		t.Errorf("the secret is shown: %s", out.String())
	}
	if n := strings.Count(out.String(), "[redacted]"); n < 10 {
		t.Errorf("redacted %d times: %s", n, out.String())
	}
}

func TestSecretsDoNotShow(t *testing.T) {
	s := NewSecret("hush")
	var log bytes.Buffer
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "secret", s, "in", map[string]any{"s": s}, "struct", Keys{Secret: s})
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "secret", s, "struct", Keys{Secret: s})
	encoded, err := json.Marshal(map[string]any{"s": s, "k": Keys{Token: s}})
	all := log.String() + string(encoded) + fmt.Sprintf("%v %+v %#v %s %q %x %v %#v", s, s, s, s, s, s, Keys{Secret: s}, Keys{Secret: s})
	if err != nil || strings.Contains(all, "hush") || strings.Contains(all, fmt.Sprintf("%x", "hush")) || !strings.Contains(all, "[redacted]") {
		t.Errorf("%s %v", all, err)
	}
	if s.Reveal() != "hush" {
		t.Error("the value is lost")
	}
}
