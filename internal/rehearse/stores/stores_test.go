package stores

import (
	"net"
	"net/http"
	"regexp"
	"runtime"
	"strings"
	"testing"

	"github.com/aproorg/sluice/internal/testkit"
)

func TestStoresStartAndLeaveNothing(t *testing.T) {
	before := runtime.NumGoroutine()
	s, err := Start(t.Context(), Config{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.PutSecrets(map[string]string{"/a/uri": s.RedisURI()}); err != nil {
		t.Error(err)
	}
	for _, url := range []string{s.S3URL, s.SSMURL} {
		response, err := http.Get(url)
		if err != nil {
			t.Error(err)
			continue
		}
		response.Body.Close()
		if response.StatusCode != http.StatusForbidden && response.StatusCode != http.StatusBadRequest {
			t.Errorf("%s without a signature: %s", url, response.Status)
		}
	}
	if !regexp.MustCompile(`^redis://:[A-Z2-7]{26}@127\.0\.0\.1:\d+$`).MatchString(s.RedisURI()) || !strings.HasPrefix(s.Mongo.URI("db", "app"), "mongodb://127.0.0.1:") {
		t.Errorf("URIs are %s and %s", s.RedisURI(), s.Mongo.URI("db", "app"))
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	http.DefaultClient.CloseIdleConnections()
	testkit.WaitForGoroutines(t, before)
}

func TestFaultsNameNoPassword(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	listener.Close()
	for uri, want := range map[string]string{
		"redis://:hunter2@" + listener.Addr().String(): "reach Redis",
		"http://:hunter2@x":                            "want redis://",
	} {
		_, err := Start(t.Context(), Config{Dir: t.TempDir(), Redis: uri})
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v", want, err)
		}
	}
}
