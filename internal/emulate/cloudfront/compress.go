package cloudfront

import (
	"bytes"
	"compress/gzip"
	"io"
	"mime"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/andybalholm/brotli"
)

// Sizes of files that CloudFront compresses ("Serve compressed files").
const (
	minCompress = 1000
	maxCompress = 10_000_000
)

// compressible are the content types that CloudFront compresses.
var compressible = strings.Fields(`application/dash+xml application/eot application/font application/font-sfnt
	application/javascript application/json application/opentype application/otf application/pdf application/pkcs7-mime
	application/protobuf application/rss+xml application/truetype application/ttf application/vnd.apple.mpegurl
	application/vnd.mapbox-vector-tile application/vnd.ms-fontobject application/wasm application/xhtml+xml application/xml
	application/x-font-opentype application/x-font-truetype application/x-font-ttf application/x-httpd-cgi
	application/x-javascript application/x-mpegurl application/x-opentype application/x-otf application/x-perl
	application/x-ttf font/eot font/opentype font/otf font/ttf image/svg+xml text/css text/csv text/html text/javascript
	text/js text/plain text/richtext text/tab-separated-values text/xml text/x-component text/x-java-source
	text/x-script vnd.apple.mpegurl`)

// compress replaces the body of an answer by its compressed form where the
// behavior, the policy, the viewer and the object allow it. Whatever has no
// Content-Length streams on as it is.
func (d *Distribution) compress(x *exchange, a *answer) {
	if !x.b.Compress || x.accept == "" || x.r.Method != http.MethodGet || !compresses(a) {
		return
	}
	coding, _, _ := strings.Cut(x.accept, ",")
	plain, err := readAll(a.source, maxCompress)
	a.source.close()
	if err != nil {
		a.source = brokenSource{err}
		return
	}
	packed := pack(coding, plain)
	a.header.Set("Content-Encoding", coding)
	a.header.Set("Content-Length", strconv.Itoa(len(packed)))
	a.header.Del("Accept-Ranges")
	addVary(a.header)
	weaken(a.header)
	a.source = memorySource(packed)
}

func compresses(a *answer) bool {
	size, err := strconv.Atoi(a.header.Get("Content-Length"))
	contentType, _, terr := mime.ParseMediaType(a.header.Get("Content-Type"))
	return err == nil && size >= minCompress && size <= maxCompress &&
		terr == nil && slices.Contains(compressible, contentType) &&
		a.header.Get("Content-Encoding") == "" && slices.Contains([]int{200, 403, 404}, a.status)
}

func pack(coding string, plain []byte) []byte {
	var out bytes.Buffer
	var w io.WriteCloser = gzip.NewWriter(&out)
	if coding == "br" {
		w = brotli.NewWriterLevel(&out, 5)
	}
	w.Write(plain) // a buffer takes everything
	w.Close()
	return out.Bytes()
}

func addVary(h http.Header) {
	if v := h.Get("Vary"); v == "" {
		h.Set("Vary", "Accept-Encoding")
	} else if !strings.Contains(strings.ToLower(v), "accept-encoding") {
		h.Set("Vary", v+", Accept-Encoding")
	}
}

// weaken makes a strong ETag weak and drops one that is neither.
func weaken(h http.Header) {
	switch tag := h.Get("Etag"); {
	case strings.HasPrefix(tag, `"`):
		h.Set("Etag", "W/"+tag)
	case !strings.HasPrefix(tag, "W/"):
		h.Del("Etag")
	}
}

// brokenSource is a body that could not be read.
type brokenSource struct{ err error }

func (b brokenSource) copy(func([]byte) error) error { return b.err }
func (brokenSource) close()                          {}
