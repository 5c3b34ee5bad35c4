package rehearse

import (
	"encoding/base64"
	"maps"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/aproorg/sluice/internal/bootstrap/settings"
	"github.com/aproorg/sluice/internal/emulate/s3"
	"github.com/aproorg/sluice/internal/stack"
)

// TestNothingOfUploadsStays: bodies without a request, claims and parts are gone after a day, and nothing else of the bucket is.
func TestNothingOfUploadsStays(t *testing.T) {
	begin := time.Date(2026, 11, 27, 3, 0, 0, 0, time.UTC)
	var later atomic.Int64
	store, err := s3.New(s3.Config{Dir: t.TempDir(), Now: func() time.Time { return begin.Add(time.Duration(later.Load())) }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	store.Bucket(bodies.Bucket)
	w := &World{Stack: &stack.Stack{}, ViewerURL: "http://127.0.0.1:8080"}
	if err := w.configureUploads(store, bodies); err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{bodies.Key + "body", bodies.Key + "body.claim", "kept"} {
		if err := store.Put(bodies.Bucket, key, strings.NewReader("x"), nil); err != nil {
			t.Fatal(err)
		}
	}
	server := httptest.NewServer(store.API())
	t.Cleanup(server.Close)
	client := awss3.New(awss3.Options{Region: "eu-west-1", BaseEndpoint: &server.URL, UsePathStyle: true, Credentials: credentials.NewStaticCredentialsProvider("id", "secret", "")})
	if _, err := client.CreateMultipartUpload(t.Context(), &awss3.CreateMultipartUploadInput{Bucket: &bodies.Bucket, Key: aws.String(bodies.Key + "parts")}); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		after          time.Duration
		objects, parts int
	}{{20 * time.Hour, 3, 1}, {44*time.Hour + 59*time.Minute, 3, 1}, {45 * time.Hour, 1, 0}} { // the midnight after a day
		later.Store(int64(c.after))
		objects, err := client.ListObjectsV2(t.Context(), &awss3.ListObjectsV2Input{Bucket: &bodies.Bucket})
		if err != nil {
			t.Fatal(err)
		}
		parts, err := client.ListMultipartUploads(t.Context(), &awss3.ListMultipartUploadsInput{Bucket: &bodies.Bucket})
		if err != nil {
			t.Fatal(err)
		}
		if len(objects.Contents) != c.objects || len(parts.Uploads) != c.parts {
			t.Errorf("after %v there are %d objects and %d uploads in parts, want %d and %d", c.after, len(objects.Contents), len(parts.Uploads), c.objects, c.parts)
		}
	}
}

// TestLimitUploads: where /tmp has no size of its own, a limit stands for it, unless there is one.
func TestLimitUploads(t *testing.T) {
	on := map[string]string{settings.UploadsS3Variable: "s3://b/p/"}
	for _, c := range []struct {
		more map[string]string
		want string
	}{{nil, "480MiB"}, {map[string]string{settings.UploadLimitVariable: "1GiB"}, ""}, {map[string]string{settings.UploadsS3Variable: ""}, ""}} {
		env := maps.Clone(on)
		maps.Copy(env, c.more)
		if got := limitUploads(stack.Function{EphemeralStorage: 512, Environment: env})[settings.UploadLimitVariable]; got != c.want {
			t.Errorf("%v: %q, want %q", c.more, got, c.want)
		}
	}
}

// TestTicketsObject: of a ticket it is the object, and of any other header nothing.
func TestTicketsObject(t *testing.T) {
	for ticket, want := range map[string]string{
		base64.RawURLEncoding.EncodeToString([]byte(`{"m":"POST","o":"staging/x"}`)) + ".c2ln": "staging/x",
		"": "", ".": "", "lost": "", `{"method":"POST"}`: "", "e30": "", "eyJvIjo3fQ.": "",
	} {
		if got := objectOf(ticket); got != want {
			t.Errorf("%q gives %q, want %q", ticket, got, want)
		}
	}
}
