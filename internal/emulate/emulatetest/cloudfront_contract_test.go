package emulatetest

import (
	"bytes"
	"net/http"
	"strings"
	"testing"
)

// CloudFront is what a viewer of a distribution may rely on that has a bucket for
// its default behavior and a REST stage behind /api/*, uncached. Every case holds on
// AWS too, or the emulator is wrong.
func CloudFront(t *testing.T, w Web) {
	t.Run("ids", w.edgeIDs)
	t.Run("cached asset", w.assetFromTheCache)
	t.Run("compressed asset", w.compressedAsset)
	t.Run("range of a cached asset", w.rangeFromTheCache)
	t.Run("conditional request", w.conditional)
	t.Run("method that is not allowed", w.wrongMethod)
	t.Run("long URL", w.longURL)
	t.Run("GET with a body", w.bodyOfGET)
	t.Run("API is not cached", w.apiPastTheCache)
	w.http(t)
}

func (w Web) edgeIDs(t *testing.T) {
	one, _ := w.do(t, "GET", "/api/get", nil)
	two, _ := w.do(t, "GET", "/api/get", nil)
	if id := one.Header.Get("X-Amz-Cf-Id"); len(id) != 56 || id == two.Header.Get("X-Amz-Cf-Id") {
		t.Errorf("X-Amz-Cf-Id %q", id)
	}
	if !strings.HasSuffix(one.Header.Get("Via"), ".cloudfront.net (CloudFront)") || one.Header.Get("X-Amz-Cf-Pop") == "" {
		t.Errorf("%v", one.Header)
	}
}

func (w Web) assetFromTheCache(t *testing.T) {
	w.do(t, "GET", w.Asset, nil)
	res, _ := w.do(t, "GET", w.Asset, nil)
	if res.Header.Get("X-Cache") != "Hit from cloudfront" || res.Header.Get("Age") == "" {
		t.Errorf("%v", res.Header)
	}
}

func (w Web) compressedAsset(t *testing.T) {
	plain, whole := w.do(t, "GET", w.Asset, nil)
	for _, coding := range []string{"gzip", "br"} {
		res, body := w.do(t, "GET", w.Asset, nil, "Accept-Encoding", coding)
		if res.Header.Get("Content-Encoding") != coding || len(body) >= len(whole) || res.Header.Get("Etag") != "W/"+plain.Header.Get("Etag") ||
			!strings.Contains(res.Header.Get("Vary"), "Accept-Encoding") {
			t.Errorf("%s: %d of %d bytes, %v", coding, len(body), len(whole), res.Header)
		}
	}
}

func (w Web) rangeFromTheCache(t *testing.T) {
	_, whole := w.do(t, "GET", w.Asset, nil)
	res, part := w.do(t, "GET", w.Asset, nil, "Range", "bytes=10-19")
	if res.StatusCode != http.StatusPartialContent || !bytes.Equal(part, whole[10:20]) {
		t.Errorf("%d %q", res.StatusCode, part)
	}
}

func (w Web) conditional(t *testing.T) {
	first, _ := w.do(t, "GET", w.Asset, nil)
	res, body := w.do(t, "GET", w.Asset, nil, "If-None-Match", first.Header.Get("Etag"))
	if res.StatusCode != http.StatusNotModified || len(body) > 0 {
		t.Errorf("%d %q", res.StatusCode, body)
	}
}

func (w Web) wrongMethod(t *testing.T) {
	res, _ := w.do(t, "DELETE", w.Asset, nil)
	if res.StatusCode != 403 || res.Header.Get("X-Cache") != "Error from cloudfront" {
		t.Errorf("%d %v", res.StatusCode, res.Header)
	}
}

func (w Web) longURL(t *testing.T) {
	res, _ := w.do(t, "GET", "/api/get?"+strings.Repeat("x", 8192), nil)
	if res.StatusCode != http.StatusRequestEntityTooLarge && res.StatusCode != http.StatusRequestURITooLong {
		t.Errorf("%d", res.StatusCode)
	}
}

func (w Web) bodyOfGET(t *testing.T) {
	res, _ := w.do(t, "GET", "/api/get", strings.NewReader("x"))
	if res.StatusCode != 403 {
		t.Errorf("%d", res.StatusCode)
	}
}

func (w Web) apiPastTheCache(t *testing.T) {
	_, one := w.do(t, "GET", "/api/uuid", nil)
	res, two := w.do(t, "GET", "/api/uuid", nil)
	if bytes.Equal(one, two) || res.Header.Get("X-Cache") != "Miss from cloudfront" {
		t.Errorf("%s %v", two, res.Header)
	}
}
