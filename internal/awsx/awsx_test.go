package awsx

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"

	"github.com/aproorg/sluice/internal/hint"
)

func load(t *testing.T, endpoint string) *Config {
	t.Helper()
	t.Setenv("AWS_ACCESS_KEY_ID", "test")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "test")
	config, err := Load(t.Context(), Settings{Region: "eu-west-1", Endpoint: endpoint})
	if err != nil {
		t.Fatal(err)
	}
	return config
}

func TestLoadWantsARegion(t *testing.T) {
	for _, name := range []string{"AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE"} {
		t.Setenv(name, "")
	}
	t.Setenv("AWS_CONFIG_FILE", "/dev/null")
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
	if _, err := Load(t.Context(), Settings{}); err == nil || !strings.Contains(hint.Text(err), "AWS_REGION") {
		t.Errorf("got %v", err)
	}
}

// The variable of AWS's own tools does what the setting does.
func TestEndpointFromTheEnvironment(t *testing.T) {
	t.Setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
	if config := load(t, ""); !config.Emulated() {
		t.Error("not taken for an emulator")
	}
}

func TestIsECR(t *testing.T) {
	for host, want := range map[string]bool{
		"123456789012.dkr.ecr.eu-west-1.amazonaws.com":          true,
		"123456789012.dkr.ecr-fips.us-gov-west-1.amazonaws.com": true,
		"123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn":      true,
		"123456789012.dkr-ecr.eu-west-1.on.aws":                 true,
		"public.ecr.aws":                                        false,
		"ghcr.io":                                               false,
		"123456789012.dkr.ecr.eu-west-1.amazonaws.com.evil.io":  false,
		"evil.io/123456789012.dkr.ecr.eu-west-1.amazonaws.com":  false,
	} {
		if IsECR(host) != want {
			t.Errorf("%s: %v", host, !want)
		}
	}
}

// ecrServer answers ECR's JSON protocol for two calls.
func ecrServer(t *testing.T, answer func(call string, body map[string]any) (int, any)) string {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var body map[string]any
		json.NewDecoder(r.Body).Decode(&body)
		_, call, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
		status, reply := answer(call, body)
		w.Header().Set("Content-Type", "application/x-amz-json-1.1")
		w.WriteHeader(status)
		json.NewEncoder(w).Encode(reply)
	}))
	t.Cleanup(server.Close)
	return server.URL
}

const host = "123456789012.dkr.ecr.eu-west-1.amazonaws.com"

func TestKeychainLogsInOnce(t *testing.T) {
	calls := 0
	endpoint := ecrServer(t, func(call string, _ map[string]any) (int, any) {
		calls++
		return http.StatusOK, map[string]any{"authorizationData": []any{map[string]any{
			"authorizationToken": base64.StdEncoding.EncodeToString([]byte("AWS:secret")),
			"expiresAt":          time.Now().Add(12 * time.Hour).Unix(),
		}}}
	})
	keychain := load(t, endpoint).Keychain()
	for range 3 {
		registry, err := name.NewRegistry(host)
		if err != nil {
			t.Fatal(err)
		}
		found, err := authn.Resolve(t.Context(), keychain, registry)
		if err != nil {
			t.Fatal(err)
		}
		if auth, err := found.Authorization(); err != nil || auth.Username != "AWS" || auth.Password != "secret" {
			t.Errorf("%+v, %v", auth, err)
		}
	}
	if calls != 1 {
		t.Errorf("asked %d times", calls)
	}
}

func TestKeychainWithoutPermission(t *testing.T) {
	endpoint := ecrServer(t, func(string, map[string]any) (int, any) {
		return http.StatusForbidden, map[string]any{"__type": "AccessDeniedException", "message": "no"}
	})
	registry, err := name.NewRegistry(host)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := authn.Resolve(t.Context(), load(t, endpoint).Keychain(), registry); err == nil || !strings.Contains(hint.Text(err), "lack the permission") {
		t.Errorf("got %v", err)
	}
}

func TestDeleteImage(t *testing.T) {
	for _, test := range []struct {
		name   string
		status int
		reply  any
		want   string
	}{
		{"there", 200, map[string]any{"imageIds": []any{}}, ""},
		{"gone", 200, map[string]any{"failures": []any{map[string]any{"failureCode": "ImageNotFound"}}}, ""},
		{"no repository", 400, map[string]any{"__type": "RepositoryNotFoundException"}, ""},
		{"referred to", 200, map[string]any{"failures": []any{map[string]any{"failureCode": "ImageReferencedByManifestList", "failureReason": "an index"}}}, "an index"},
	} {
		t.Run(test.name, func(t *testing.T) {
			endpoint := ecrServer(t, func(call string, body map[string]any) (int, any) {
				if call != "BatchDeleteImage" || body["registryId"] != "123456789012" || body["repositoryName"] != "app/one" {
					t.Errorf("%s %v", call, body)
				}
				return test.status, test.reply
			})
			err := load(t, endpoint).DeleteImage(t.Context(), host, "app/one", "sha256:"+strings.Repeat("0", 64))
			if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(hint.Text(err), test.want)) {
				t.Errorf("got %v, want %q", err, test.want)
			}
		})
	}
}

func TestEmulatedRegistry(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "" {
			t.Error("sent a token to an emulator")
		}
		fmt.Fprint(w, "emulator")
	}))
	defer server.Close()
	other := roundTrip(func(r *http.Request) (*http.Response, error) {
		if r.URL.Host == "ghcr.io" {
			return nil, errors.New("real")
		}
		return http.DefaultTransport.RoundTrip(r)
	})
	transport, err := EmulatedRegistry(server.URL, other)
	if err != nil {
		t.Fatal(err)
	}
	request, err := http.NewRequestWithContext(context.Background(), http.MethodGet, "https://"+host+"/v2/", nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Basic xyz")
	response, err := transport.RoundTrip(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if text, err := io.ReadAll(response.Body); err != nil || string(text) != "emulator" || response.Request.URL.Host != host {
		t.Errorf("%q, %v from %s", text, err, response.Request.URL)
	}
	request.URL.Host = "ghcr.io"
	if _, err := transport.RoundTrip(request); err == nil || err.Error() != "real" {
		t.Errorf("other registries: %v", err)
	}
	if _, err := EmulatedRegistry("127.0.0.1:5000", nil); err == nil {
		t.Error("took an address without a scheme")
	}
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }
