package uploads

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strconv"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// TestBodyTakesConstantMemory however large it is, on the way from S3.
func TestBodyTakesConstantMemory(t *testing.T) {
	const size = 512 << 20
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet {
			return // a claim, a removal
		}
		w.Header().Set("Content-Length", strconv.Itoa(size))
		for piece := make([]byte, 1<<20); ; {
			if _, err := w.Write(piece); err != nil { // past the length
				return
			}
		}
	}))
	t.Cleanup(server.Close)
	read := redeem(t, server.URL, size, time.Minute)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	n, err := io.CopyBuffer(struct{ io.Writer }{io.Discard}, read, make([]byte, 32<<10))
	runtime.ReadMemStats(&after)
	if err != nil || n != size {
		t.Errorf("%d bytes, %v", n, err)
	}
	if made := after.TotalAlloc - before.TotalAlloc; made > 32<<20 {
		t.Errorf("%d MB of memory were made for a body of %d", made>>20, size>>20)
	}
	if err := read.Close(); err != nil {
		t.Error(err)
	}
}

// redeem begins to read the body of a ticket from an S3.
func redeem(t *testing.T, url string, size int64, silence time.Duration) *Body {
	t.Helper()
	u := New(Config{Key: key(t, "secret"), Store: Store{Bucket: "b", Client: s3.New(s3.Options{Region: "eu-west-1", BaseEndpoint: &url, UsePathStyle: true,
		Credentials: credentials.NewStaticCredentialsProvider("id", "secret", "")})}})
	u.silence = silence
	ticket, err := u.cfg.Key.Seal(Ticket{Method: "POST", URI: "/a", Size: size, Object: "o", Expires: time.Now().Add(time.Minute).Unix(), User: "ann"})
	if err != nil {
		t.Fatal(err)
	}
	read, err := u.Redeem(t.Context(), ticket, "POST", "/a", "ann")
	if err != nil {
		t.Fatal(err)
	}
	return read
}

// TestBodyOfASlowS3: one that stops in the middle is asked anew for what is missing, and one that is slow is waited for.
func TestBodyOfASlowS3(t *testing.T) {
	body := bytes.Repeat([]byte("0123456789abcdef"), 1<<14)
	begun := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet {
			return // a claim, a removal
		}
		begun++
		from, status := 0, http.StatusOK
		if _, err := fmt.Sscanf(r.Header.Get("Range"), "bytes=%d-", &from); err == nil {
			status = http.StatusPartialContent
		}
		w.Header().Set("Content-Length", strconv.Itoa(len(body)-from))
		w.WriteHeader(status)
		for rest := body[from:]; len(rest) > 0; {
			n := min(len(rest), len(body)/16)
			_, _ = w.Write(rest[:n])
			_ = http.NewResponseController(w).Flush()
			if rest = rest[n:]; begun < 3 && len(rest) < len(body)*3/4 {
				<-r.Context().Done() // hangs
				return
			}
			time.Sleep(20 * time.Millisecond) // slow, and less than the silence
		}
	}))
	t.Cleanup(server.Close)
	read := redeem(t, server.URL, int64(len(body)), 500*time.Millisecond)
	got, err := io.ReadAll(read)
	if err != nil || !bytes.Equal(got, body) || begun != 3 {
		t.Errorf("%d bytes of %d in %d requests, %v", len(got), len(body), begun, err)
	}
	if err := read.Close(); err != nil {
		t.Error(err)
	}
}
