package s3

import (
	"bytes"
	"crypto/rand"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	sdk "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

func newStore(t *testing.T) *Store {
	t.Helper()
	s, err := New(Config{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func client(t *testing.T, s *Store) (*sdk.Client, string) {
	t.Helper()
	server := httptest.NewServer(s.API())
	t.Cleanup(server.Close)
	return sdk.New(sdk.Options{
		Region: "eu-central-1", BaseEndpoint: &server.URL, UsePathStyle: true,
		Credentials: credentials.NewStaticCredentialsProvider("AKIA", "secret", ""),
	}), server.URL
}

func get(t *testing.T, method, url string, headers ...string) (*http.Response, string) {
	t.Helper()
	r, err := http.NewRequest(method, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	res, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res, string(b)
}

const signature = "AWS4-HMAC-SHA256 Credential=cloudfront"

func TestOriginView(t *testing.T) {
	s := newStore(t)
	files := fstest.MapFS{
		"index.html":    {Data: []byte("<html>")},
		"assets/a b.js": {Data: []byte("0123456789")},
	}
	err := s.PutFS("site", files, func(path string) Metadata {
		if strings.HasSuffix(path, ".html") {
			return Metadata{"Content-Type": {"text/html"}, "Cache-Control": {"no-cache"}}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	origin := httptest.NewServer(s.Origin())
	defer origin.Close()

	res, body := get(t, "GET", origin.URL+"/site/index.html", "Authorization", signature)
	if res.StatusCode != 200 || body != "<html>" || res.Header.Get("Content-Type") != "text/html" ||
		res.Header.Get("Cache-Control") != "no-cache" || res.Header.Get("Etag") != `"166248a6129a1e4370d20adc2d4c23f3"` {
		t.Fatalf("%d %q %v", res.StatusCode, body, res.Header)
	}
	etag, modified := res.Header.Get("Etag"), res.Header.Get("Last-Modified")

	tests := []struct {
		name, method, path string
		headers            []string
		status             int
		body               string
	}{
		{"default content type and a space", "GET", "/site/assets/a%20b.js", nil, 200, "0123456789"},
		{"range", "GET", "/site/assets/a%20b.js", []string{"Range", "bytes=2-4"}, 206, "234"},
		{"suffix", "GET", "/site/assets/a%20b.js", []string{"Range", "bytes=-3"}, 206, "789"},
		{"two ranges are one object", "GET", "/site/assets/a%20b.js", []string{"Range", "bytes=0-1,3-4"}, 200, "0123456789"},
		{"range past the end", "GET", "/site/assets/a%20b.js", []string{"Range", "bytes=10-"}, 416, "<Code>InvalidRange</Code>"},
		{"not modified", "GET", "/site/index.html", []string{"If-None-Match", etag}, 304, ""},
		{"not modified since", "GET", "/site/index.html", []string{"If-Modified-Since", modified}, 304, ""},
		{"other etag", "GET", "/site/index.html", []string{"If-None-Match", `"x"`}, 200, "<html>"},
		{"precondition", "GET", "/site/index.html", []string{"If-Match", `"x"`}, 412, "<Code>PreconditionFailed</Code>"},
		{"head", "HEAD", "/site/index.html", nil, 200, ""},
		{"missing", "GET", "/site/c/abc", nil, 403, "<Code>AccessDenied</Code><Message>Access Denied</Message>"},
		{"missing, head", "HEAD", "/site/c/abc", nil, 403, ""},
		{"list", "GET", "/site/", nil, 403, "<Code>AccessDenied</Code>"},
		{"put", "PUT", "/site/x", nil, 403, "<Code>AccessDenied</Code>"},
		{"options", "OPTIONS", "/site/x", nil, 403, "<Code>AccessForbidden</Code>"},
		{"no bucket", "GET", "/other/x", nil, 404, "<Code>NoSuchBucket</Code>"},
		{"unsigned", "GET", "/site/index.html", []string{"Authorization", ""}, 403, "<Code>AccessDenied</Code>"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			res, body := get(t, tt.method, origin.URL+tt.path, append([]string{"Authorization", signature}, tt.headers...)...)
			if res.StatusCode != tt.status || !strings.Contains(body, tt.body) || tt.body == "" && body != "" {
				t.Errorf("%d %q, want %d %q", res.StatusCode, body, tt.status, tt.body)
			}
			if res.Header.Get("X-Amz-Request-Id") == "" || res.Header.Get("Server") != "AmazonS3" {
				t.Errorf("headers %v", res.Header)
			}
			if tt.status >= 400 && tt.body != "" && res.Header.Get("Content-Type") != "application/xml" {
				t.Errorf("content type %q", res.Header.Get("Content-Type"))
			}
		})
	}
}

func TestBothViewsSeeTheSameObjects(t *testing.T) {
	s := newStore(t)
	s.Bucket("files")
	c, _ := client(t, s)
	ctx := t.Context()
	_, err := c.PutObject(ctx, &sdk.PutObjectInput{Bucket: aws.String("files"), Key: aws.String("a/x.css"),
		Body: strings.NewReader("body{}"), ContentType: aws.String("text/css"),
		CacheControl: aws.String("max-age=60"), Metadata: map[string]string{"release": "7"}})
	if err != nil {
		t.Fatal(err)
	}
	origin := httptest.NewServer(s.Origin())
	defer origin.Close()
	res, body := get(t, "GET", origin.URL+"/files/a/x.css", "Authorization", signature)
	if body != "body{}" || res.Header.Get("Content-Type") != "text/css" || res.Header.Get("Cache-Control") != "max-age=60" ||
		res.Header.Get("X-Amz-Meta-Release") != "7" || res.Header.Get("X-Amz-Content-Sha256") != "" {
		t.Errorf("%q %v", body, res.Header)
	}
	head, err := c.HeadObject(ctx, &sdk.HeadObjectInput{Bucket: aws.String("files"), Key: aws.String("a/x.css")})
	if err != nil || aws.ToString(head.CacheControl) != "max-age=60" || aws.ToInt64(head.ContentLength) != 6 {
		t.Errorf("%+v, %v", head, err)
	}
	list, err := c.ListObjectsV2(ctx, &sdk.ListObjectsV2Input{Bucket: aws.String("files"), Prefix: aws.String("a/")})
	if err != nil || len(list.Contents) != 1 || aws.ToString(list.Contents[0].ETag) != res.Header.Get("Etag") {
		t.Errorf("%+v, %v", list, err)
	}
	_, err = c.DeleteObjects(ctx, &sdk.DeleteObjectsInput{Bucket: aws.String("files"),
		Delete: &types.Delete{Objects: []types.ObjectIdentifier{{Key: aws.String("a/x.css")}, {Key: aws.String("none")}}}})
	if err != nil {
		t.Fatal(err)
	}
	if res, _ := get(t, "GET", origin.URL+"/files/a/x.css", "Authorization", signature); res.StatusCode != 403 {
		t.Errorf("deleted object: %d", res.StatusCode)
	}
}

// TestPathKeys: the path of an object's URL is its key, too, where a store is told so.
func TestPathKeys(t *testing.T) {
	for _, told := range []bool{false, true} {
		s, err := New(Config{Dir: t.TempDir(), PathKeys: told})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = s.Close() })
		s.Bucket("files")
		if err := s.Put("files", "uploads/a", strings.NewReader("x"), nil); err != nil {
			t.Fatal(err)
		}
		server := httptest.NewServer(s.API())
		t.Cleanup(server.Close)
		for path, want := range map[string]int{"/files/uploads/a": 200, "/files/files/uploads/a": map[bool]int{true: 200, false: 404}[told], "/files/other/uploads/a": 404} {
			if got, _ := get(t, http.MethodGet, server.URL+path); got.StatusCode != want {
				t.Errorf("PathKeys %t: %s is %s, want %d", told, path, got.Status, want)
			}
		}
	}
}

func TestLargeObjectsLieOnDisk(t *testing.T) {
	s := newStore(t)
	s.Bucket("files")
	c, _ := client(t, s)
	ctx := t.Context()
	part := make([]byte, 5<<20)
	rand.Read(part)
	up, err := c.CreateMultipartUpload(ctx, &sdk.CreateMultipartUploadInput{Bucket: aws.String("files"), Key: aws.String("big"), ContentType: aws.String("video/mp4")})
	if err != nil {
		t.Fatal(err)
	}
	var done []types.CompletedPart
	for n := int32(1); n <= 2; n++ {
		p, err := c.UploadPart(ctx, &sdk.UploadPartInput{Bucket: aws.String("files"), Key: aws.String("big"),
			UploadId: up.UploadId, PartNumber: &n, Body: bytes.NewReader(part)})
		if err != nil {
			t.Fatal(err)
		}
		done = append(done, types.CompletedPart{PartNumber: aws.Int32(n), ETag: p.ETag})
	}
	if _, err = c.CompleteMultipartUpload(ctx, &sdk.CompleteMultipartUploadInput{Bucket: aws.String("files"), Key: aws.String("big"),
		UploadId: up.UploadId, MultipartUpload: &types.CompletedMultipartUpload{Parts: done}}); err != nil {
		t.Fatal(err)
	}
	got, err := c.GetObject(ctx, &sdk.GetObjectInput{Bucket: aws.String("files"), Key: aws.String("big"), Range: aws.String("bytes=5242870-5242889")})
	if err != nil {
		t.Fatal(err)
	}
	defer got.Body.Close()
	b, _ := io.ReadAll(got.Body)
	if want := append(bytes.Clone(part[len(part)-10:]), part[:10]...); !bytes.Equal(b, want) {
		t.Errorf("range over both parts: %x, want %x", b, want)
	}
	if s.memory > maxInMemory {
		t.Errorf("%d bytes in memory", s.memory)
	}
	if files, _ := os.ReadDir(s.dir); len(files) != 1 {
		t.Errorf("%d files, want the object alone", len(files))
	}
	if _, err := c.DeleteObject(ctx, &sdk.DeleteObjectInput{Bucket: aws.String("files"), Key: aws.String("big")}); err != nil {
		t.Fatal(err)
	}
	if files, _ := os.ReadDir(s.dir); len(files) != 0 {
		t.Errorf("%d files are left", len(files))
	}
}

func TestAWSChunkedBody(t *testing.T) {
	s := newStore(t)
	s.Bucket("files")
	_, url := client(t, s)
	body := "5;chunk-signature=0\r\nhello\r\n6\r\n world\r\n0\r\nx-amz-checksum-crc32:AAAA\r\n\r\n"
	r, _ := http.NewRequest("PUT", url+"/files/k", strings.NewReader(body))
	r.Header.Set("X-Amz-Content-Sha256", "STREAMING-UNSIGNED-PAYLOAD-TRAILER")
	r.Header.Set("X-Amz-Decoded-Content-Length", "11")
	r.Header.Set("Content-Encoding", "aws-chunked")
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	got, text := get(t, "GET", url+"/files/k")
	if text != "hello world" || got.Header.Get("Content-Encoding") != "" {
		t.Errorf("%d %q %v", res.StatusCode, text, got.Header)
	}
}

func FuzzChunkedReader(f *testing.F) {
	f.Add([]byte("5\r\nhello\r\n0\r\n\r\n"))
	f.Add([]byte("ffffffffffffffff\r\n"))
	f.Add([]byte("2;x=y\r\nab\r\n1\r\nc"))
	f.Fuzz(func(t *testing.T, in []byte) {
		r := httptest.NewRequest("PUT", "/b/k", bytes.NewReader(in))
		r.Header.Set("X-Amz-Content-Sha256", "STREAMING-X")
		out, err := io.ReadAll(transferOf(r, nil))
		if err == nil && len(out) > len(in) {
			t.Errorf("%d bytes out of %d", len(out), len(in))
		}
	})
}
