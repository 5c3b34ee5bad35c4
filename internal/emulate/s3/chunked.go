package s3

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
)

// bodyOf is an upload's body as it is meant, and its size: what comes in aws-chunked
// encoding is decoded, and its headers tell no more of it.
func bodyOf(r *http.Request) (body io.Reader, size int64, header http.Header) {
	if !strings.HasPrefix(r.Header.Get("X-Amz-Content-Sha256"), "STREAMING-") {
		return r.Body, r.ContentLength, r.Header
	}
	header = r.Header.Clone()
	dropAWSChunked(header)
	size, err := strconv.ParseInt(header.Get("X-Amz-Decoded-Content-Length"), 10, 64)
	if err != nil {
		size = -1
	}
	return &chunkedReader{r: bufio.NewReader(r.Body)}, size, header
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
