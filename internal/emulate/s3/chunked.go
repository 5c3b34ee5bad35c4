package s3

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/aproorg/sluice/internal/emulate/sigv4"
)

// transfer is an upload's body as it is meant: what comes in aws-chunked encoding is
// decoded.
type transfer struct {
	io.Reader
	size     int64       // -1 where the request does not say it
	header   http.Header // tells no more of the encoding
	trailers http.Header // complete when the reader has ended
}

// transferOf reads a request's head. signed may be nil: signatures are not checked then.
func transferOf(r *http.Request, signed *sigv4.Signed) transfer {
	t := transfer{Reader: r.Body, size: r.ContentLength, header: r.Header}
	kind := r.Header.Get("X-Amz-Content-Sha256")
	if !strings.HasPrefix(kind, "STREAMING-") {
		return t
	}
	t.header = r.Header.Clone()
	dropAWSChunked(t.header)
	size, err := strconv.ParseInt(t.header.Get("X-Amz-Decoded-Content-Length"), 10, 64)
	if t.size = size; err != nil || size < 0 {
		t.size = -1
	}
	t.trailers = http.Header{}
	chunks := &chunkedReader{r: bufio.NewReader(r.Body), trailers: t.trailers}
	if signed != nil && kind != sigv4.StreamingUnsignedTrailer {
		chunks.chain, chunks.sum = signed.Chain(), sha256.New()
		chunks.signedTrailers = kind == sigv4.StreamingSignedTrailer
	}
	t.Reader = chunks
	return t
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
// transferring payload in multiple chunks" and "… with trailing headers").
type chunkedReader struct {
	r        *bufio.Reader
	left     int64 // of the chunk at hand
	done     bool
	trailers http.Header

	// chain checks signatures, if it is not nil, of which each needs the digest of its chunk.
	chain          *sigv4.Chain
	sum            hash.Hash
	signature      string // of the chunk at hand
	small          bool   // the chunk at hand may only be the last
	signedTrailers bool
}

var errChunk = errors.New("malformed aws-chunked body")

// minChunk is the least that a signed chunk has, but for the last one.
const minChunk = 8 << 10

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
	if c.sum != nil {
		c.sum.Write(p[:n])
	}
	if c.left -= int64(n); c.left == 0 && err == nil {
		if _, err = c.r.Discard(2); err == nil {
			err = c.verify()
		}
	}
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

// verify checks the signature of the chunk that has ended.
func (c *chunkedReader) verify() error {
	if c.chain == nil {
		return nil
	}
	if !c.chain.Chunk(hex.EncodeToString(c.sum.Sum(nil)), c.signature) {
		return chunkMismatch
	}
	c.sum.Reset()
	return nil
}

func (c *chunkedReader) header() error {
	line, err := c.line()
	if err != nil {
		return err
	}
	size, extension, _ := strings.Cut(line, ";")
	c.left, err = strconv.ParseInt(size, 16, 64)
	if err != nil || c.left < 0 {
		return fmt.Errorf("%w: chunk size %q", errChunk, size)
	}
	c.signature = strings.TrimPrefix(extension, "chunk-signature=")
	if c.left > 0 {
		if c.chain != nil && c.small {
			return smallChunk
		}
		c.small = c.left < minChunk
		return nil
	}
	c.done = true
	if err := c.verify(); err != nil {
		return err
	}
	return c.readTrailers()
}

// maxTrailers bounds the lines after the last chunk, of which S3 knows two.
const maxTrailers = 16

func (c *chunkedReader) readTrailers() error {
	var signed strings.Builder
	signature := ""
	for range maxTrailers {
		line, err := c.line()
		if line == "" || errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		name, value, ok := strings.Cut(line, ":")
		if !ok {
			return malformedTrailer
		}
		name, value = strings.ToLower(strings.TrimSpace(name)), strings.TrimSpace(value)
		if name == "x-amz-trailer-signature" {
			signature = value
			continue
		}
		signed.WriteString(name + ":" + value + "\n")
		c.trailers.Set(name, value)
	}
	if c.signedTrailers && !c.chain.Trailer(signed.String(), signature) {
		return chunkMismatch
	}
	_, err := io.Copy(io.Discard, c.r)
	return err
}

// line reads a line, of which no more than a buffer's is taken.
func (c *chunkedReader) line() (string, error) {
	line, err := c.r.ReadSlice('\n')
	if err != nil {
		return "", fmt.Errorf("%w: %w", errChunk, err)
	}
	return strings.TrimRight(string(line), "\r\n"), nil
}
