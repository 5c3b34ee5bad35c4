package probe

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"maps"
	"net/http"
	"regexp"
	"time"

	"github.com/aproorg/sluice/internal/probe/description"
	"github.com/aproorg/sluice/internal/probe/report"
)

const binaryHint = "a hop takes bodies for text or base64: binary media types, or isBase64Encoded, are wrong"

func checkBinary(ctx context.Context, s *session) (report.Finding, error) {
	if s.d.Binary == nil {
		return report.Finding{}, s.absent("path with a binary body")
	}
	a, err := s.get(ctx, s.d.Binary.Request)
	if err != nil {
		return report.Finding{}, err
	}
	sum := sha256.Sum256(a.body)
	if got := hex.EncodeToString(sum[:]); a.StatusCode != http.StatusOK || got != s.d.Binary.SHA256 {
		return report.Finding{}, report.Failed(binaryHint, "%s got %d and %d bytes that are not the ones sent (SHA-256 %.12s…)", s.d.Binary.Path, a.StatusCode, len(a.body), got)
	}
	return report.Found("%d bytes, unchanged", len(a.body)), nil
}

var digestField = regexp.MustCompile(`sha-256=:([A-Za-z0-9+/=]+):`)

// checkDownload counts and sums a body that is larger than a buffered response may be.
func checkDownload(ctx context.Context, s *session) (report.Finding, error) {
	d := s.d.Download
	if d == nil {
		return report.Finding{}, s.absent("large body")
	}
	res, t, err := s.send(ctx, d.Request, nil, 0)
	if err != nil {
		return report.Finding{}, err
	}
	defer res.Body.Close()
	h := sha256.New()
	n, err := io.Copy(h, io.LimitReader(res.Body, d.Bytes+1)) // one byte more is wrong already
	took := time.Since(t.began)
	f := report.Found("%.1f MB in %s, %.1f MB/s", mb(n), report.Seconds(took), mb(n)/took.Seconds()).
		With("bytes", float64(n)).With("headMs", report.Millis(t.head)).With("mbPerS", mb(n)/took.Seconds())
	switch {
	case res.StatusCode != http.StatusOK:
		return f, report.Failed("buffered responses end at 6 MB (Lambda) and 10 MB (API Gateway): the integration must stream", "%s got %d", d.Path, res.StatusCode)
	case err != nil || n != d.Bytes:
		return f, report.Failed("a hop truncates bodies: Lambda buffers 6 MB and API Gateway 10 MB where they do not stream", "%s must have %d bytes and ended after %d%s", d.Path, d.Bytes, n, because(err))
	}
	if m := digestField.FindStringSubmatch(res.Header.Get("Repr-Digest")); m != nil {
		if got := base64.StdEncoding.EncodeToString(h.Sum(nil)); got != m[1] {
			return f, report.Failed(binaryHint, "%s has %d bytes, but not the ones that were sent", d.Path, n)
		}
		f.Detail += ", digest right"
	}
	return f, nil
}

func because(err error) string {
	if err == nil {
		return ""
	}
	return ": " + err.Error()
}

func mb(n int64) float64 { return float64(n) / (1 << 20) }

// checkUpload4 sends what fits in Lambda's 6 MB even as base64.
func checkUpload4(ctx context.Context, s *session) (report.Finding, error) {
	a, sum, err := s.upload(ctx, 4<<20)
	if err != nil {
		return report.Finding{}, err
	}
	if a.StatusCode/100 != 2 {
		return report.Finding{}, report.Failed("4 MB are 5.6 MB as base64, below Lambda's limit of 6 MB: some hop has a smaller one of its own", "4 MB got %d: %s", a.StatusCode, excerpt(a.body))
	}
	if err := s.arrived(a, 4<<20, sum); err != nil {
		return report.Finding{}, err
	}
	return report.Found("arrived whole in %s", report.Seconds(a.head)).With("headMs", report.Millis(a.head)), nil
}

// checkUpload7 sends what does not fit. It has to be refused in so many words, or to work by some other way.
func checkUpload7(ctx context.Context, s *session) (report.Finding, error) {
	a, sum, err := s.upload(ctx, 7<<20)
	if err != nil {
		return report.Finding{}, err
	}
	switch {
	case a.StatusCode/100 == 2:
		if err := s.arrived(a, 7<<20, sum); err != nil {
			return report.Finding{}, err
		}
		return report.Found("accepted, arrived whole in %s: uploads beyond Lambda's 6 MB work", report.Seconds(a.head)).With("status", float64(a.StatusCode)), nil
	case a.StatusCode/100 == 4 && !a.isHTML():
		return report.Found("refused with %d, as Lambda's limit of 6 MB asks for: %s", a.StatusCode, excerpt(a.body)).With("status", float64(a.StatusCode)), nil
	}
	return report.Finding{}, report.Failed("what is too large must be refused with 413, so that the visitor learns why", "7 MB got %d %s: %s", a.StatusCode, a.Header.Get("Content-Type"), excerpt(a.body))
}

// upload sends random bytes, for what compresses would not show a limit, and what is text not a wrong encoding.
func (s *session) upload(ctx context.Context, size int64) (answer, []byte, error) {
	if s.d.Upload == nil {
		return answer{}, nil, s.absent("upload")
	}
	data := make([]byte, size)
	rand.Read(data)
	r := s.d.Upload.Request
	r.Header = map[string]string{"Content-Type": "application/octet-stream"}
	maps.Copy(r.Header, s.d.Upload.Header)
	a, err := s.getBody(ctx, r, bytes.NewReader(data), size)
	sum := sha256.Sum256(data)
	return a, sum[:], err
}

// arrived compares what the app says it got with what was sent.
func (s *session) arrived(a answer, size int64, sum []byte) error {
	if f := s.d.Upload.CountField; f != "" {
		if got, _ := description.Field(a.body, f); got != fmt.Sprint(size) {
			return report.Failed(binaryHint, "of %d bytes, the app got %q", size, got)
		}
	}
	if f := s.d.Upload.DigestField; f != "" {
		if got, _ := description.Field(a.body, f); got != hex.EncodeToString(sum) {
			return report.Failed(binaryHint, "the app got %d bytes, but not the ones that were sent", size)
		}
	}
	return nil
}
