package bench

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aproorg/sluice/internal/emulate/s3"
	"github.com/aproorg/sluice/internal/emulate/sigv4"
)

// zeros are a body of any size.
type zeros struct{ left int64 }

func (z *zeros) Read(p []byte) (int, error) {
	if z.left == 0 {
		return 0, io.EOF
	}
	n := min(int64(len(p)), z.left)
	clear(p[:n])
	z.left -= n
	return int(n), nil
}

// BenchmarkUpload brings 30 MB to the app by way of S3, against the same POST to the app itself. request/direct is what of it Lambda bills,
// all/direct what the client waits. grown-MB is what a body of 512 MB adds to the bootstrap's memory.
func BenchmarkUpload(b *testing.B) {
	store, err := s3.New(s3.Config{Dir: b.TempDir(), Region: "eu-north-1"})
	if err != nil {
		b.Fatal(err)
	}
	defer store.Close()
	store.Bucket("bodies")
	var calls atomic.Int64
	api := store.API(sigv4.Key{ID: "AKIDEXAMPLE", Secret: "secret"})
	bucket := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { calls.Add(1); api.ServeHTTP(w, r) }))
	defer bucket.Close()
	r := startRig(b, []string{os.Args[0]}, "SLUICE_UPLOADS_S3=s3://bodies/staging/", "SLUICE_UPLOAD_AUTHORIZE=/user", "SLUICE_UPLOAD_LIMIT=1GB",
		"SLUICE_ORIGIN_SECRET=secret", "SLUICE_ENDPOINT_URL_S3="+bucket.URL, "AWS_REGION=eu-north-1", "AWS_ACCESS_KEY_ID=AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY=secret",
		"AWS_SESSION_TOKEN=", "AWS_CONTAINER_CREDENTIALS_FULL_URI=")
	r.through(b, restEvent("/bytes", map[string][]string{"n": {"1"}}))

	const size, huge = 30 << 20, 512 << 20
	small, large := sumOfZeros(size), sumOfZeros(huge)
	var whole, request, plain time.Duration
	for b.Loop() {
		begun := time.Now()
		ticket := r.stage(b, size)
		staged := time.Now()
		r.post(b, ticket, small)
		whole, request = whole+time.Since(begun), request+time.Since(staged)

		begun = time.Now()
		resp, err := http.Post(r.base+"/sum", "application/octet-stream", &zeros{size})
		if err != nil {
			b.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
		plain += time.Since(begun)
	}
	b.ReportMetric(float64(calls.Load())/float64(b.N), "S3-requests")
	before := residentOf(r.cmd.Process.Pid)
	r.post(b, r.stage(b, huge), large)
	b.ReportMetric(float64(sumOf(fmt.Sprintf("/proc/%d/status", r.cmd.Process.Pid), "VmHWM:")-before)/1e6, "grown-MB")
	b.ReportMetric(float64(whole)/float64(plain), "all/direct")
	b.ReportMetric(float64(request)/float64(plain), "request/direct")
	b.ReportMetric(0, "ns/op")
}

// stage asks for a ticket and puts the body.
func (r *rig) stage(b *testing.B, size int64) (ticket string) {
	b.Helper()
	var offer struct {
		Ticket string
		Parts  []struct {
			URL     string
			Size    int64
			Headers map[string]string
		}
	}
	wish := fmt.Sprintf(`{"method":"POST","url":"/sum","size":%d,"type":"application/octet-stream"}`, size)
	if err := json.Unmarshal(r.postEvent(b, "/_sluice/uploads", wish, ""), &offer); err != nil || offer.Ticket == "" {
		b.Fatal("no ticket", err)
	}
	for _, part := range offer.Parts {
		req, err := http.NewRequest(http.MethodPut, part.URL, &zeros{part.Size})
		if err != nil {
			b.Fatal(err)
		}
		req.ContentLength = part.Size
		for name, value := range part.Headers {
			req.Header.Set(name, value)
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			b.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			b.Fatal(resp.Status)
		}
	}
	return offer.Ticket
}

// post sends the request, and holds the digest of what the app got against what was put.
func (r *rig) post(b *testing.B, ticket, want string) {
	b.Helper()
	if got := r.postEvent(b, "/sum", "", ticket); string(got) != want {
		b.Fatalf("the app got another body: %s", got)
	}
}

func sumOfZeros(size int64) string {
	sum := sha256.New()
	_, _ = io.Copy(sum, &zeros{size})
	return fmt.Sprintf("%x", sum.Sum(nil))
}

func (r *rig) postEvent(b *testing.B, path, body, ticket string) []byte {
	b.Helper()
	event := restEvent(path, nil)
	event = bytes.Replace(event, []byte(`"httpMethod":"GET"`), []byte(`"httpMethod":"POST"`), 1)
	quoted, err := json.Marshal(body)
	if err != nil {
		b.Fatal(err)
	}
	event = bytes.Replace(event, []byte(`"body":null`), append([]byte(`"body":`), quoted...), 1)
	event = bytes.Replace(event, []byte(`"multiValueHeaders":{`), []byte(`"multiValueHeaders":{"X-Origin-Verify":["secret"],`), 1)
	if ticket != "" {
		event = bytes.Replace(event, []byte(`"multiValueHeaders":{`), []byte(`"multiValueHeaders":{"Sluice-Upload":["`+ticket+`"],`), 1)
	}
	inv := r.Invoke(event, time.Minute)
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	if err := inv.Answered(ctx); err != nil || inv.Failure != nil {
		b.Fatalf("%v %+v", err, inv.Failure)
	}
	answer, err := io.ReadAll(inv.Body)
	if err != nil {
		b.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(answer), "\x00\x00\x00\x00\x00\x00\x00\x00") // the head
	return []byte(rest)
}
