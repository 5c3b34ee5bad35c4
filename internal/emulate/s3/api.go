package s3

import (
	"bufio"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/johannesboyne/gofakes3"
)

// Bounds of what is read: a PutObject or part of 5 GB, as S3's own, which goes to the
// disk, and a document of XML, of which the largest names 1,000 keys of 1,024 bytes
// or 10,000 parts.
const (
	maxPut      = 5 << 30
	maxDocument = 4 << 20
)

// API serves the S3 REST API with path-style addresses: /{bucket}/{key}. Every
// response names the region, as those of HeadBucket do; a client that signs for
// another one is not sent away.
func (s *Store) API() http.Handler {
	fake := gofakes3.New(backend{s}, gofakes3.WithTimeSkewLimit(0)).Server()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Amz-Bucket-Region", s.region)
		if expired(r, time.Now()) {
			w.Header().Set("Content-Type", "application/xml")
			w.WriteHeader(http.StatusForbidden)
			doc, _ := xml.Marshal(errorDocument{Code: "AccessDenied", Message: "Request has expired"})
			w.Write(doc)
			return
		}
		r = prepare(r)
		if r.ContentLength > maxPut {
			w.Header().Set("Content-Type", "application/xml")
			w.Header().Set("Connection", "close")
			w.WriteHeader(http.StatusBadRequest)
			doc, _ := xml.Marshal(errorDocument{Code: "EntityTooLarge", Message: "Your proposed upload exceeds the maximum allowed size"})
			w.Write(doc)
			return
		}
		if _, key, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/"); r.Method == http.MethodPost || key == "" {
			r.Body = http.MaxBytesReader(w, r.Body, maxDocument) // gofakes3 reads documents whole
		}
		fake.ServeHTTP(w, r)
	})
}

// expired reports whether a presigned URL is past its time.
func expired(r *http.Request, now time.Time) bool {
	q := r.URL.Query()
	if !q.Has("X-Amz-Expires") {
		return false
	}
	signedAt, err := time.Parse("20060102T150405Z", q.Get("X-Amz-Date"))
	seconds, err2 := strconv.Atoi(q.Get("X-Amz-Expires"))
	return err != nil || err2 != nil || now.After(signedAt.Add(time.Duration(seconds)*time.Second))
}

// prepare gives gofakes3 what it can read: plain bodies, and every header that an
// object keeps.
func prepare(r *http.Request) *http.Request {
	if r.Method != http.MethodPut && r.Method != http.MethodPost {
		return r
	}
	r = r.Clone(r.Context())
	for _, name := range carried {
		if v := r.Header.Get(name); v != "" {
			r.Header.Set(carriedPrefix+name, v)
		}
	}
	if strings.HasPrefix(r.Header.Get("X-Amz-Content-Sha256"), "STREAMING-") {
		length := r.Header.Get("X-Amz-Decoded-Content-Length")
		r.Header.Set("X-Amz-Content-Sha256", "UNSIGNED-PAYLOAD")
		r.Header.Set("Content-Length", length)
		r.ContentLength, _ = strconv.ParseInt(length, 10, 64)
		r.Body = limited{&chunkedReader{r: bufio.NewReader(r.Body)}, r.Body}
		dropAWSChunked(r.Header)
	}
	return r
}

func dropAWSChunked(h http.Header) {
	var rest []string
	for _, e := range strings.Split(h.Get("Content-Encoding"), ",") {
		if e = strings.TrimSpace(e); e != "" && e != "aws-chunked" {
			rest = append(rest, e)
		}
	}
	h.Del("Content-Encoding")
	if len(rest) > 0 {
		h.Set("Content-Encoding", strings.Join(rest, ","))
	}
}

// chunkedReader decodes aws-chunked bodies: chunks of "SIZE[;extension]\r\nDATA\r\n"
// up to one of size 0, then trailers (S3 API reference, "Signature calculations:
// transferring payload in multiple chunks"). Signatures and trailers are not
// checked.
type chunkedReader struct {
	r    *bufio.Reader
	left int64 // of the chunk at hand
	done bool
}

var errChunk = errors.New("malformed aws-chunked body")

func (c *chunkedReader) Read(p []byte) (int, error) {
	for c.left == 0 && !c.done {
		if err := c.header(); err != nil {
			return 0, err
		}
	}
	if c.done {
		return 0, io.EOF
	}
	n, err := c.r.Read(p[:min(int64(len(p)), c.left)])
	if c.left -= int64(n); c.left == 0 && err == nil {
		_, err = c.r.Discard(2)
	}
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

func (c *chunkedReader) header() error {
	line, err := c.r.ReadSlice('\n')
	if err != nil {
		return fmt.Errorf("%w: %w", errChunk, err)
	}
	size, _, _ := strings.Cut(strings.TrimRight(string(line), "\r\n"), ";")
	c.left, err = strconv.ParseInt(size, 16, 64)
	if err != nil || c.left < 0 {
		return fmt.Errorf("%w: chunk size %q", errChunk, size)
	}
	if c.left == 0 {
		c.done = true
		_, err = io.Copy(io.Discard, c.r) // trailers
	}
	return err
}
