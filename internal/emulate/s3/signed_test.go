package s3

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"hash/crc32"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/credentials"
	sdk "github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/aproorg/sluice/internal/emulate/sigv4"
)

// clock is one that tests move.
type clock struct{ ahead atomic.Int64 }

func (c *clock) now() time.Time        { return time.Now().Add(time.Duration(c.ahead.Load())) }
func (c *clock) move(by time.Duration) { c.ahead.Add(int64(by)) }

// stopped is a clock that stands.
type stopped struct{ at atomic.Int64 } // in seconds of Unix

func (c *stopped) now() time.Time   { return time.Unix(c.at.Load(), 0) }
func (c *stopped) set(at time.Time) { c.at.Store(at.Unix()) }

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

// refused is whether an answer is an error of S3.
func refused(status int, body string, wantStatus int, wantCode string) bool {
	return status == wantStatus && strings.Contains(body, "<Code>"+wantCode+"</Code>") && strings.Contains(body, "<RequestId>")
}

// TestPresignedUploadIsBound: a URL for an upload serves the size, type and name that it was made for, and no other request.
func TestPresignedUploadIsBound(t *testing.T) {
	a := newAccount(t)
	in := &sdk.PutObjectInput{Bucket: aws.String("b"), Key: aws.String("staging/a b+c/é.pdf"), ContentLength: aws.Int64(5), ContentType: aws.String("application/pdf"), Metadata: map[string]string{"ticket": "7"}, IfNoneMatch: aws.String("*")}
	put, err := a.presign.PresignPutObject(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	var headers []string
	for name := range put.SignedHeader {
		if name != "Host" && name != "Content-Length" {
			headers = append(headers, name, put.SignedHeader.Get(name))
		}
	}
	if status, body := send(t, "PUT", put.URL, "123456", headers...); !refused(status, body, 403, "SignatureDoesNotMatch") || !strings.Contains(body, "<CanonicalRequest>PUT\n") && !strings.Contains(body, "<CanonicalRequest>PUT&#xA;") {
		t.Errorf("a larger body: %d %s", status, body)
	}
	if status, body := send(t, "PUT", put.URL, "12345", append(headers, "Content-Type", "text/html")...); !refused(status, body, 403, "SignatureDoesNotMatch") {
		t.Errorf("another type: %d %s", status, body)
	}
	if status, body := send(t, "PUT", put.URL, "12345"); !refused(status, body, 403, "SignatureDoesNotMatch") {
		t.Errorf("without the signed headers: %d %s", status, body)
	}
	if status, body := send(t, "PUT", put.URL, "12345", append(headers, "X-Amz-Meta-Other", "x")...); !refused(status, body, 403, "AccessDenied") || !strings.Contains(body, "<HeadersNotSigned>x-amz-meta-other</HeadersNotSigned>") {
		t.Errorf("a header that is not signed: %d %s", status, body)
	}
	if status, body := send(t, "PUT", put.URL, "12345", append(headers, "X-Amz-Copy-Source", "/b/secret")...); !refused(status, body, 403, "AccessDenied") {
		t.Errorf("a copy: %d %s", status, body)
	}
	if status, body := send(t, "GET", put.URL, "", headers...); !refused(status, body, 403, "SignatureDoesNotMatch") {
		t.Errorf("read by the URL of an upload: %d %s", status, body)
	}
	if status, body := send(t, "PUT", strings.Replace(put.URL, "staging", "stolen", 1), "12345", headers...); !refused(status, body, 403, "SignatureDoesNotMatch") {
		t.Errorf("another key: %d %s", status, body)
	}
	if status, body := send(t, "PUT", put.URL, "12345", headers...); status != 200 {
		t.Fatalf("the upload: %d %s", status, body)
	}
	if status, body := send(t, "PUT", put.URL, "54321", headers...); !refused(status, body, 412, "PreconditionFailed") {
		t.Errorf("the upload a second time: %d %s", status, body)
	}
	head, err := a.client.HeadObject(t.Context(), &sdk.HeadObjectInput{Bucket: in.Bucket, Key: in.Key})
	if err != nil || head.Metadata["ticket"] != "7" || aws.ToString(head.ContentType) != "application/pdf" {
		t.Errorf("%+v %v", head, err)
	}
}

// TestParametersAreHeaders: SDKs of JavaScript presign with metadata in the query, where S3 reads it; but not with a checksum.
func TestParametersAreHeaders(t *testing.T) {
	a := newAccount(t)
	url := a.presigned("PUT", "/b/k", "x-amz-meta-ticket=7&x-amz-checksum-crc32=AAAAAA%3D%3D&x-amz-sdk-checksum-algorithm=CRC32", "host")
	if status, body := send(t, "PUT", url, "hello"); status != 200 {
		t.Fatalf("%d %s", status, body)
	}
	if head, err := a.client.HeadObject(t.Context(), &sdk.HeadObjectInput{Bucket: aws.String("b"), Key: aws.String("k")}); err != nil || head.Metadata["ticket"] != "7" {
		t.Errorf("%+v %v", head, err)
	}
	url = a.presigned("PUT", "/b/k2", "x-amz-checksum-crc32=AAAAAA%3D%3D", "host;x-amz-checksum-crc32")
	if status, body := send(t, "PUT", url, "hello"); !refused(status, body, 400, "BadDigest") {
		t.Errorf("a signed checksum of another body: %d %s", status, body)
	}
}

// presigned makes a URL by hand, with what the SDK for Go does not put into one.
func (a *account) presigned(method, path, query, headers string) string {
	now := a.clock.now().UTC()
	day := now.Format("20060102")
	q := "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=" + url.QueryEscape(a.key.ID+"/"+day+"/eu-west-1/s3/aws4_request") + "&X-Amz-Date=" + now.Format("20060102T150405Z") +
		"&X-Amz-Expires=60&X-Amz-Security-Token=" + a.key.Token + "&X-Amz-SignedHeaders=" + url.QueryEscape(headers)
	pairs := strings.Split(q+"&"+query, "&")
	slices.Sort(pairs)
	canonical := method + "\n" + path + "\n" + strings.Join(pairs, "&") + "\n"
	for name := range strings.SplitSeq(headers, ";") {
		value := strings.TrimPrefix(a.url, "http://")
		if name != "host" {
			all, _ := url.ParseQuery(query)
			value = all.Get(name)
		}
		canonical += name + ":" + value + "\n"
	}
	canonical += "\n" + headers + "\nUNSIGNED-PAYLOAD"
	mac := func(key []byte, text string) []byte {
		h := hmac.New(sha256.New, key)
		h.Write([]byte(text))
		return h.Sum(nil)
	}
	key := []byte("AWS4" + a.key.Secret)
	for _, part := range []string{day, "eu-west-1", "s3", "aws4_request"} {
		key = mac(key, part)
	}
	sum := sha256.Sum256([]byte(canonical))
	signature := mac(key, "AWS4-HMAC-SHA256\n"+now.Format("20060102T150405Z")+"\n"+day+"/eu-west-1/s3/aws4_request\n"+hex.EncodeToString(sum[:]))
	return a.url + path + "?" + strings.Join(pairs, "&") + "&X-Amz-Signature=" + hex.EncodeToString(signature)
}

// TestKeysOfAnother: nobody without a key of the account is served, whatever the bucket.
func TestKeysOfAnother(t *testing.T) {
	a := newAccount(t)
	if status, body := send(t, "GET", a.url+"/b/k", ""); !refused(status, body, 403, "AccessDenied") {
		t.Errorf("unsigned: %d %s", status, body)
	}
	other := sigv4.NewKey()
	for name, test := range map[string]struct {
		key  sigv4.Key
		code string
	}{
		"a key of another": {other, "InvalidAccessKeyId"}, "a wrong secret": {sigv4.Key{ID: a.key.ID, Secret: other.Secret, Token: a.key.Token}, "SignatureDoesNotMatch"},
		"no token": {sigv4.Key{ID: a.key.ID, Secret: a.key.Secret}, "InvalidAccessKeyId"}, "another token": {sigv4.Key{ID: a.key.ID, Secret: a.key.Secret, Token: "x"}, "InvalidToken"},
	} {
		if _, err := a.as(test.key).PutObject(t.Context(), &sdk.PutObjectInput{Bucket: aws.String("b"), Key: aws.String("k"), Body: strings.NewReader("x")}); codeOf(err) != test.code {
			t.Errorf("%s: %v", name, err)
		}
		put, err := sdk.NewPresignClient(a.as(test.key)).PresignPutObject(t.Context(), &sdk.PutObjectInput{Bucket: aws.String("b"), Key: aws.String("k")})
		if err != nil {
			t.Fatal(err)
		}
		if status, body := send(t, "PUT", put.URL, "x"); status < 400 || !strings.Contains(body, "<Code>"+test.code+"</Code>") {
			t.Errorf("%s, presigned: %d %s", name, status, body)
		}
	}
}

// TestStreamedSignatures: each chunk of a body is checked, and what the trailers say of it. An altered byte is an error, and no object.
func TestStreamedSignatures(t *testing.T) {
	a := newAccount(t)
	body := strings.Repeat("0123456789abcdef", 3<<10) // 48 KiB: chunks of 20,000 bytes
	for _, kind := range []string{sigv4.StreamingSigned, sigv4.StreamingSignedTrailer, sigv4.StreamingUnsignedTrailer} {
		for name, alter := range map[string]struct {
			change func(string) string
			status int
			code   string
		}{
			"as it is":        {func(s string) string { return s }, 200, ""},
			"a byte altered":  {func(s string) string { return strings.Replace(s, "0123456789abcdef0123", "0123456789abcdef0124", 1) }, 403, "SignatureDoesNotMatch"},
			"cut off":         {func(s string) string { return s[:len(s)/2] }, 400, "IncompleteBody"},
			"another trailer": {func(s string) string { return strings.Replace(s, "crc32:", "crc32:A", 1) }, 400, "InvalidRequest"},
		} {
			key := kind + name
			text, headers := a.streamed(t, "/b/"+url.PathEscape(key), kind, body)
			status, answer := send(t, "PUT", a.url+"/b/"+url.PathEscape(key), alter.change(text), headers...)
			want, code := alter.status, alter.code
			switch {
			case name == "a byte altered" && kind == sigv4.StreamingUnsignedTrailer:
				want, code = 400, "BadDigest"
			case name == "another trailer" && kind == sigv4.StreamingSignedTrailer:
				want, code = 403, "SignatureDoesNotMatch"
			case name == "another trailer" && kind == sigv4.StreamingSigned:
				want, code = 200, ""
			}
			if status != want || code != "" && !strings.Contains(answer, "<Code>"+code+"</Code>") {
				t.Errorf("%s, %s: %d %s", kind, name, status, answer)
			}
			got, err := a.client.GetObject(t.Context(), &sdk.GetObjectInput{Bucket: aws.String("b"), Key: &key})
			if (err == nil) != (want == 200) {
				t.Errorf("%s, %s: the object afterwards: %v", kind, name, err)
			}
			if err == nil {
				if text, _ := io.ReadAll(got.Body); string(text) != body {
					t.Errorf("%s, %s: %d bytes", kind, name, len(text))
				}
				got.Body.Close()
			}
		}
	}
}

// streamed is a body in aws-chunked encoding, with signatures by this test's own hand.
func (a *account) streamed(t *testing.T, path, kind, body string) (string, []string) {
	t.Helper()
	now := a.clock.now().UTC()
	date, scope := now.Format("20060102T150405Z"), now.Format("20060102")+"/eu-west-1/s3/aws4_request"
	mac := func(key []byte, text string) []byte {
		h := hmac.New(sha256.New, key)
		h.Write([]byte(text))
		return h.Sum(nil)
	}
	digest := func(text string) string { sum := sha256.Sum256([]byte(text)); return hex.EncodeToString(sum[:]) }
	key := []byte("AWS4" + a.key.Secret)
	for _, part := range strings.Split(scope, "/") {
		key = mac(key, part)
	}
	headers := [][2]string{{"host", strings.TrimPrefix(a.url, "http://")}, {"x-amz-content-sha256", kind}, {"x-amz-date", date}, {"x-amz-decoded-content-length", strconv.Itoa(len(body))},
		{"x-amz-security-token", a.key.Token}}
	if kind != sigv4.StreamingSigned {
		headers = append(headers, [2]string{"x-amz-trailer", "x-amz-checksum-crc32"})
	}
	canonical, names, sent := "PUT\n"+path+"\n\n", "", []string{"Content-Encoding", "aws-chunked"}
	for _, h := range headers {
		canonical += h[0] + ":" + h[1] + "\n"
		names += ";" + h[0]
		if h[0] != "host" {
			sent = append(sent, h[0], h[1])
		}
	}
	signature := hex.EncodeToString(mac(key, "AWS4-HMAC-SHA256\n"+date+"\n"+scope+"\n"+digest(canonical+"\n"+names[1:]+"\n"+kind)))
	sent = append(sent, "Authorization", "AWS4-HMAC-SHA256 Credential="+a.key.ID+"/"+scope+",SignedHeaders="+names[1:]+",Signature="+signature)
	var b strings.Builder
	for rest := body; ; {
		chunk := rest[:min(len(rest), 20_000)]
		rest = rest[len(chunk):]
		fmt.Fprintf(&b, "%x", len(chunk))
		if kind != sigv4.StreamingUnsignedTrailer {
			signature = hex.EncodeToString(mac(key, "AWS4-HMAC-SHA256-PAYLOAD\n"+date+"\n"+scope+"\n"+signature+"\n"+digest("")+"\n"+digest(chunk)))
			b.WriteString(";chunk-signature=" + signature)
		}
		b.WriteString("\r\n")
		if chunk == "" {
			break
		}
		b.WriteString(chunk + "\r\n")
	}
	if kind != sigv4.StreamingSigned {
		sum := crc32.NewIEEE()
		sum.Write([]byte(body))
		trailer := "x-amz-checksum-crc32:" + base64.StdEncoding.EncodeToString(sum.Sum(nil))
		b.WriteString(trailer + "\r\n")
		if kind == sigv4.StreamingSignedTrailer {
			b.WriteString("x-amz-trailer-signature:" + hex.EncodeToString(mac(key, "AWS4-HMAC-SHA256-TRAILER\n"+date+"\n"+scope+"\n"+signature+"\n"+digest(trailer+"\n"))) + "\r\n")
		}
	}
	return b.String() + "\r\n", sent
}

// TestBodyIsWhatWasSigned: the digest in the signature is the body's.
func TestBodyIsWhatWasSigned(t *testing.T) {
	a := newAccount(t)
	r, err := http.NewRequestWithContext(t.Context(), "PUT", a.url+"/b/k", strings.NewReader("other"))
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256([]byte("hello"))
	value, err := a.client.Options().Credentials.Retrieve(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("X-Amz-Content-Sha256", hex.EncodeToString(sum[:]))
	if err := v4.NewSigner(func(o *v4.SignerOptions) { o.DisableURIPathEscaping = true }).SignHTTP(t.Context(), value, r, hex.EncodeToString(sum[:]), "s3", "eu-west-1", a.clock.now()); err != nil {
		t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if text, _ := io.ReadAll(res.Body); !refused(res.StatusCode, string(text), 400, "XAmzContentSHA256Mismatch") || !strings.Contains(string(text), "<S3ComputedContentSHA256>") {
		t.Errorf("%d %s", res.StatusCode, text)
	}
	if _, err := a.client.HeadObject(t.Context(), &sdk.HeadObjectInput{Bucket: aws.String("b"), Key: aws.String("k")}); codeOf(err) != "NotFound" {
		t.Errorf("a refused object is there: %v", err)
	}
}
