package probe

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"io"
	"net/http"
	"regexp"
	"time"

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
