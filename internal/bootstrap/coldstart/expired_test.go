package coldstart_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/aproorg/sluice/internal/bootstrap/coldstart"
	"github.com/aproorg/sluice/internal/bootstrap/settings"
)

// Credentials that have expired are reported at once, with what was asked for and what AWS answered.
func TestExpiredCredentials(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.Header.Get("X-Amz-Target"), "AmazonSSM.") {
			w.Header().Set("Content-Type", "application/x-amz-json-1.1")
			w.WriteHeader(http.StatusBadRequest)
			io.WriteString(w, `{"__type":"ExpiredTokenException","message":"The security token included in the request is expired"}`)
			return
		}
		w.Header().Set("Content-Type", "application/xml")
		w.WriteHeader(http.StatusBadRequest)
		io.WriteString(w, `<Error><Code>ExpiredToken</Code><Message>The provided token has expired.</Message></Error>`)
	}))
	defer server.Close()
	env := map[string]string{"AWS_LAMBDA_RUNTIME_API": "127.0.0.1:9001", "AWS_REGION": "eu-west-1", "AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "hunter2", "AWS_SESSION_TOKEN": "hunter2", "SLUICE_ENDPOINT_URL_SSM": server.URL, "SLUICE_ENDPOINT_URL_S3": server.URL,
		"SLUICE_SECRETS": "JWT_SECRET=/a/jwt CREDS_KEY=/a/key", "SLUICE_CONFIG_S3": "s3://config/librechat.yaml"}
	s, err := settings.Read(func(name string) (string, bool) { v, ok := env[name]; return v, ok })
	if err != nil {
		t.Fatal(err)
	}
	begun := time.Now()
	_, err = coldstart.Run(t.Context(), coldstart.Config{ColdStart: s.ColdStart, AWS: s.AWS}, nil)
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range []string{"SLUICE_SECRETS", "JWT_SECRET from /a/jwt: ExpiredTokenException", "CREDS_KEY from /a/key", "SLUICE_CONFIG_S3: get s3://config/librechat.yaml: ExpiredToken", "have expired"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%v\nlacks %q", err, want)
		}
	}
	if strings.Contains(err.Error(), "hunter2") {
		t.Errorf("%v", err)
	}
	if took := time.Since(begun); took > 5*time.Second {
		t.Errorf("it took %v", took)
	}
}
