package uploads

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

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
	u := New(Config{Key: key(t, "secret"), Store: Store{Bucket: "b", Client: s3.New(s3.Options{Region: "eu-west-1", BaseEndpoint: &server.URL, UsePathStyle: true,
		Credentials: credentials.NewStaticCredentialsProvider("id", "secret", "")})}})
	u.silence = 500 * time.Millisecond
	ticket, err := u.cfg.Key.Seal(Ticket{Method: "POST", URI: "/a", Size: int64(len(body)), Object: "o", Expires: time.Now().Add(time.Minute).Unix(), User: "ann"})
	if err != nil {
		t.Fatal(err)
	}
	read, err := u.Redeem(t.Context(), ticket, "POST", "/a", "ann")
	if err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(read)
	if err != nil || !bytes.Equal(got, body) || begun != 3 {
		t.Errorf("%d bytes of %d in %d requests, %v", len(got), len(body), begun, err)
	}
	if err := read.Close(); err != nil {
		t.Error(err)
	}
}
