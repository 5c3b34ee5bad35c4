// Package httphead reads the head of an HTTP/1.1 response (status line and fields) and never more of it than a limit. net/http's
// own ReadResponse has no limit: a peer that never ends a line or its head would fill the memory.
//
// It leaves out bodies, which whoever reads them bounds. Trailers are net/http's, which refuses those that do not fit the reader's buffer.
package httphead

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"regexp"
)

// Max is the limit of a head in bytes, of all the heads together where informational ones (1xx) come first. AWS's gateways pass on
// 16,000 bytes at most, load balancers 32 KB; what is larger could not be passed on, and four times the gateways' limit leaves
// room for the fields that are for one connection only.
const Max = 64 << 10

// ErrTooLarge is the error of a head that passes Max.
var ErrTooLarge = fmt.Errorf("the head of the response passes %d bytes", Max)

// Reader is a buffered reader of one connection. It is not safe for concurrent use.
type Reader struct {
	*bufio.Reader
	source source
}

// NewReader makes a Reader of a connection, with a buffer of size bytes, which also bounds trailers.
func NewReader(conn io.Reader, size int) *Reader {
	r := &Reader{source: source{conn: conn}}
	r.Reader = bufio.NewReaderSize(&r.source, size)
	return r
}

// Begin starts the count of a head's bytes, or of several heads'.
func (r *Reader) Begin() {
	r.source.bounded, r.source.left, r.source.refused = true, Max, false
	buffered, _ := r.Peek(r.Buffered()) // never fails
	r.source.head = append(r.source.head[:0], buffered...)
}

// ReadResponse reads the next head, and sets up its body, as http.ReadResponse does. Begin must have been called. After a final response, which is one that is
// not informational, what is read is not counted any more. The error of a connection that has ended is io.ErrUnexpectedEOF.
func (r *Reader) ReadResponse(req *http.Request) (*http.Response, error) {
	resp, err := http.ReadResponse(r.Reader, req)
	switch {
	case err != nil && r.source.refused: // whatever net/http makes of a line that was cut
		return nil, ErrTooLarge
	case errors.Is(err, io.EOF):
		return nil, io.ErrUnexpectedEOF
	case err != nil:
		return nil, err
	case resp.StatusCode < 100:
		return nil, fmt.Errorf("status %03d, which HTTP does not have", resp.StatusCode)
	case resp.StatusCode >= 200:
		r.source.bounded = false
		if len(resp.Header["Pragma"]) > 0 && !sentCacheControl(r.source.head) {
			delete(resp.Header, "Cache-Control")
		}
	}
	return resp, nil
}

var (
	endOfHead    = regexp.MustCompile(`\n\r?\n`)
	cacheControl = regexp.MustCompile(`(?i)\ncache-control:`)
)

// sentCacheControl says whether the last of the heads has the field, which net/http adds to one that has Pragma: no-cache without it.
func sentCacheControl(heads []byte) bool {
	for {
		end := endOfHead.FindIndex(heads)
		if end == nil {
			return cacheControl.Match(heads)
		}
		if !bytes.HasPrefix(heads, []byte("HTTP/1.1 1")) && !bytes.HasPrefix(heads, []byte("HTTP/1.0 1")) {
			return cacheControl.Match(heads[:end[0]])
		}
		heads = heads[end[1]:]
	}
}

// source yields what is left of a limit.
type source struct {
	conn    io.Reader
	bounded bool
	left    int
	refused bool
	head    []byte // what was read while it was bounded
}

func (s *source) Read(p []byte) (int, error) {
	if !s.bounded {
		return s.conn.Read(p)
	}
	if s.left <= 0 {
		s.refused = true
		return 0, ErrTooLarge
	}
	n, err := s.conn.Read(p[:min(len(p), s.left)])
	s.left -= n
	s.head = append(s.head, p[:n]...)
	return n, err
}
