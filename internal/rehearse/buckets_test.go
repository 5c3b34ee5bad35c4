package rehearse_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/aproorg/sluice/internal/rehearse"
	"github.com/aproorg/sluice/internal/rehearse/stores"
	"github.com/aproorg/sluice/internal/stack"
)

// TestFilesBucketAsPlanned: pages of the rehearsed site may put what the plan lets those of the deployed one put, other pages may not, and
// the plan's lifecycle is in force.
func TestFilesBucketAsPlanned(t *testing.T) {
	s, err := stores.Start(t.Context(), stores.Config{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	planned, err := stack.Default()
	if err != nil {
		t.Fatal(err)
	}
	name := ""
	for _, b := range planned.Buckets {
		if b.Role == stack.RoleFiles {
			name = b.Bucket
		}
	}
	cfg := demoConfig(t)
	cfg.Stores, cfg.Stack = s, planned
	w := start(t, cfg)
	for origin, want := range map[string]int{w.ViewerURL: 200, strings.Replace(w.ViewerURL, "127.0.0.1", "localhost", 1): 200, "https://" + planned.Distribution.Aliases[0]: 403, "http://evil.example": 403} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodOptions, s.S3URL+"/"+name+"/staging/x", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Origin", origin)
		r.Header.Set("Access-Control-Request-Method", "PUT")
		r.Header.Set("Access-Control-Request-Headers", "content-type")
		res, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if res.StatusCode != want || want == 200 && (res.Header.Get("Access-Control-Allow-Origin") != origin || res.Header.Get("Access-Control-Expose-Headers") != "ETag") {
			t.Errorf("%s: %s %v", origin, res.Status, res.Header)
		}
	}
	client := awss3.New(awss3.Options{Region: rehearse.DefaultRegion, BaseEndpoint: &s.S3URL, UsePathStyle: true, Credentials: credentials.NewStaticCredentialsProvider(s.User.ID, s.User.Secret, "")})
	put, err := client.PutObject(t.Context(), &awss3.PutObjectInput{Bucket: &name, Key: aws.String("staging/x"), Body: strings.NewReader("x")})
	if err != nil || !strings.Contains(aws.ToString(put.Expiration), `rule-id="staging"`) {
		t.Errorf("%+v %v", put, err)
	}
	up, err := client.CreateMultipartUpload(t.Context(), &awss3.CreateMultipartUploadInput{Bucket: &name, Key: aws.String("other/x")})
	if err != nil || aws.ToString(up.AbortRuleId) != "uploads" {
		t.Errorf("%+v %v", up, err)
	}
}
