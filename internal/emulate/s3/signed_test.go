package s3

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	sdk "github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/aproorg/sluice/internal/emulate/sigv4"
)

// clock is one that tests move.
type clock struct{ ahead atomic.Int64 }

func (c *clock) now() time.Time        { return time.Now().Add(time.Duration(c.ahead.Load())) }
func (c *clock) move(by time.Duration) { c.ahead.Add(int64(by)) }

// account is a store with the bucket "b" behind signatures, and a client with its key.
type account struct {
	*Store
	clock   *clock
	key     sigv4.Key
	client  *sdk.Client
	presign *sdk.PresignClient
	url     string
}

func newAccount(t *testing.T) *account {
	t.Helper()
	a := &account{clock: &clock{}, key: sigv4.NewTemporaryKey()}
	s, err := New(Config{Dir: t.TempDir(), Now: a.clock.now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	s.Bucket("b")
	server := httptest.NewServer(s.API(a.key))
	t.Cleanup(server.Close)
	a.Store, a.url = s, server.URL
	a.client = a.as(a.key)
	a.presign = sdk.NewPresignClient(a.client)
	return a
}

// as is a client with another key.
func (a *account) as(key sigv4.Key) *sdk.Client {
	return sdk.New(sdk.Options{Region: "eu-west-1", BaseEndpoint: &a.url, UsePathStyle: true, RetryMaxAttempts: 1,
		Credentials: credentials.NewStaticCredentialsProvider(key.ID, key.Secret, key.Token)})
}

// send makes a request as a browser would, and returns its status and body.
func send(t *testing.T, method, url, body string, headers ...string) (int, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(text)
}

func TestPresignedURLs(t *testing.T) {
	a := newAccount(t)
	put, err := a.presign.PresignPutObject(t.Context(), &sdk.PutObjectInput{Bucket: aws.String("b"), Key: aws.String("k")})
	if err != nil {
		t.Fatal(err)
	}
	if status, body := send(t, "PUT", put.URL, "hello"); status != 200 {
		t.Fatalf("%d %s", status, body)
	}
	get, err := a.presign.PresignGetObject(t.Context(), &sdk.GetObjectInput{Bucket: aws.String("b"), Key: aws.String("k")}, sdk.WithPresignExpires(time.Minute))
	if err != nil {
		t.Fatal(err)
	}
	if status, body := send(t, "GET", get.URL, ""); status != 200 || body != "hello" {
		t.Errorf("%d %q", status, body)
	}
	a.clock.move(2 * time.Minute)
	status, body := send(t, "GET", get.URL, "")
	if status != 403 || !strings.Contains(body, "<Code>AccessDenied</Code><Message>Request has expired</Message><X-Amz-Expires>60</X-Amz-Expires><Expires>20") || !strings.Contains(body, "<ServerTime>20") {
		t.Errorf("expired: %d %q", status, body)
	}
}
