package bench

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aproorg/sluice/internal/bootstrap/coldstart"
	"github.com/aproorg/sluice/internal/bootstrap/settings"
	"github.com/aproorg/sluice/internal/emulate/s3"
	"github.com/aproorg/sluice/internal/emulate/ssm"
)

// awsLatency is added to each call: about what SSM and S3 take within a region.
const awsLatency = 20 * time.Millisecond

func slow(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		time.Sleep(awsLatency) // a call's time
		h.ServeHTTP(w, r)
	})
}

// coldWorld has 25 secrets, a dotenv object and a configuration, and gives the settings of a function that wants all.
func coldWorld(b *testing.B) coldstart.Config {
	b.Helper()
	secure, refs := map[string]string{}, []string{}
	for i := range 25 {
		secure[fmt.Sprintf("/app/s%d", i)] = "value"
		refs = append(refs, fmt.Sprintf("S%d=/app/s%d", i, i))
	}
	parameters, err := ssm.New(ssm.Config{Secure: secure})
	if err != nil {
		b.Fatal(err)
	}
	objects, err := s3.New(s3.Config{Dir: b.TempDir()})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { objects.Close() })
	objects.Bucket("config")
	for key, body := range map[string]string{"env": strings.Repeat("A=1\n", 500), "config.yaml": "version: 1\nlist:\n" + strings.Repeat("  - name: x\n", 500)} {
		if err := objects.Put("config", key, strings.NewReader(body), nil); err != nil {
			b.Fatal(err)
		}
	}
	ssmServer, s3Server := httptest.NewServer(slow(parameters)), httptest.NewServer(slow(objects.API()))
	b.Cleanup(ssmServer.Close)
	b.Cleanup(s3Server.Close)
	env := map[string]string{"AWS_LAMBDA_RUNTIME_API": "127.0.0.1:9001", "AWS_REGION": "us-east-1", "AWS_ACCESS_KEY_ID": "A", "AWS_SECRET_ACCESS_KEY": "B", "SLUICE_ENDPOINT_URL_SSM": ssmServer.URL,
		"SLUICE_ENDPOINT_URL_S3": s3Server.URL, "SLUICE_SECRETS": strings.Join(refs, ","), "SLUICE_ENV_S3": "s3://config/env",
		"SLUICE_CONFIG_S3": "s3://config/config.yaml", "SLUICE_CONFIG_PATH": filepath.Join(b.TempDir(), "config.yaml")}
	s, err := settings.Read(func(name string) (string, bool) { v, ok := env[name]; return v, ok })
	if err != nil {
		b.Fatal(err)
	}
	return coldstart.Config{ColdStart: s.ColdStart, AWS: s.AWS}
}

func coldRun(b *testing.B, s coldstart.Config) time.Duration {
	b.Helper()
	began := time.Now()
	r, err := coldstart.Run(b.Context(), s, nil)
	if err != nil {
		b.Fatal(err)
	}
	r.Close()
	return time.Since(began)
}

// BenchmarkColdStart compares a cold start with the same calls made one after the other, and with a single call, below
// which none can be.
func BenchmarkColdStart(b *testing.B) {
	all := coldWorld(b)
	var whole, one, serial time.Duration
	for b.Loop() {
		whole += coldRun(b, all)
		single := all
		single.EnvS3, single.ConfigS3, single.Secrets = settings.Object{}, settings.Object{}, all.Secrets[:1]
		one += coldRun(b, single)
		for batch := range 3 {
			part := single
			part.Secrets = all.Secrets[batch*10 : min(batch*10+10, len(all.Secrets))]
			serial += coldRun(b, part)
		}
		part := all
		part.Secrets, part.ConfigS3 = nil, settings.Object{}
		serial += coldRun(b, part)
		part = all
		part.Secrets, part.EnvS3 = nil, settings.Object{}
		serial += coldRun(b, part)
	}
	b.ReportMetric(float64(whole.Milliseconds())/float64(b.N), "ms/coldstart")
	b.ReportMetric(float64(whole)/float64(one), "x-one-call")
	b.ReportMetric(float64(serial)/float64(whole), "serial/coldstart")
	b.ReportMetric(0, "ns/op")
}
