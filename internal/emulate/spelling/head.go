package spelling

import (
	"bytes"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
)

// maxHead is more than net/http reads of a head by default.
const maxHead = http.DefaultMaxHeaderBytes + 8<<10

// head collects the lines of a head. The zero value is an empty one.
type head struct {
	bytes []byte
	line  int // where the line under way begins
}

// add takes bytes up to the end of the head, and returns how many it took. Empty lines
// ahead of a head belong to none.
func (h *head) add(p []byte) (n int, whole bool) {
	for n < len(p) {
		end := bytes.IndexByte(p[n:], '\n')
		if end < 0 {
			h.bytes = append(h.bytes, p[n:]...)
			return len(p), false
		}
		h.bytes = append(h.bytes, p[n:n+end+1]...)
		n += end + 1
		empty := len(bytes.TrimRight(h.bytes[h.line:], "\r\n")) == 0
		switch {
		case empty && h.line == 0:
			h.bytes = h.bytes[:0]
		case empty:
			return n, true
		}
		h.line = len(h.bytes)
	}
	return n, false
}

func (h *head) reset() { h.bytes, h.line = h.bytes[:0], 0 }

// read divides the head into its first line and its fields, each given to field.
func (h *head) read(field func(name, value string)) (first string) {
	for i, line := range strings.Split(string(h.bytes), "\n") {
		line = strings.TrimRight(line, "\r")
		if i == 0 {
			first = line
			continue
		}
		if name, value, ok := strings.Cut(line, ":"); ok && name != "" && name[0] != ' ' && name[0] != '\t' {
			field(name, strings.TrimSpace(value))
		}
	}
	return first
}

func (n Names) add(name string) {
	if canonical := http.CanonicalHeaderKey(name); n[canonical] == "" {
		n[canonical] = name
	}
}

// request is a head as it waits for its handler.
type request struct {
	line  string // method and target
	names Names
}

// requests divides what a client sends into heads and bodies.
type requests struct {
	head    head
	waiting []request
	state   state
	left    int64  // of a body or chunk
	digits  []byte // a chunk's size, as far as it has come
}

type state int

const (
	inHead state = iota
	inBody
	inSize
	inChunk
	inTrailer
	lost // where the next message begins is not known
)

func (r *requests) see(p []byte) {
	for len(p) > 0 && r.state != lost {
		switch r.state {
		case inHead, inTrailer:
			p = r.seeLines(p)
		case inBody, inChunk:
			n := min(int64(len(p)), r.left)
			p, r.left = p[n:], r.left-n
			if r.left == 0 && r.state == inBody {
				r.state = inHead
			} else if r.left == 0 {
				r.state = inSize
			}
		case inSize:
			p = r.seeSize(p)
		}
	}
}

func (r *requests) seeLines(p []byte) []byte {
	n, whole := r.head.add(p)
	switch {
	case len(r.head.bytes) > maxHead:
		r.state = lost
	case whole && r.state == inTrailer:
		r.state = inHead
		r.head.reset()
	case whole:
		r.begin()
		r.head.reset()
	}
	return p[n:]
}

// begin reads a whole head, and goes on with its body.
func (r *requests) begin() {
	names := Names{}
	length, chunked := "", false
	first := r.head.read(func(name, value string) {
		names.add(name)
		switch http.CanonicalHeaderKey(name) {
		case "Content-Length":
			length = value
		case "Transfer-Encoding":
			chunked = true // net/http takes no other
		}
	})
	if end := strings.LastIndexByte(first, ' '); end > 0 {
		first = first[:end]
	}
	r.waiting = append(r.waiting, request{first, names})
	r.state, r.left = inHead, 0
	switch {
	case chunked:
		r.state, r.digits = inSize, r.digits[:0]
	case length != "":
		n, err := strconv.ParseInt(length, 10, 64)
		switch {
		case err != nil || n < 0:
			r.state = lost
		case n > 0:
			r.state, r.left = inBody, n
		}
	}
}

// seeSize reads the line with a chunk's size, and the end of the chunk before it.
func (r *requests) seeSize(p []byte) []byte {
	end := bytes.IndexByte(p, '\n')
	if end < 0 {
		r.digits = append(r.digits, p...)
		if len(r.digits) > maxHead {
			r.state = lost
		}
		return nil
	}
	r.digits = append(r.digits, p[:end]...)
	text, _, _ := strings.Cut(strings.Trim(string(r.digits), "\r \t"), ";")
	r.digits = r.digits[:0]
	if text == "" { // the end of the chunk's data
		return p[end+1:]
	}
	size, err := strconv.ParseInt(strings.TrimSpace(text), 16, 64)
	switch {
	case err != nil || size < 0:
		r.state = lost
	case size == 0:
		// The trailer ends with an empty line as a head does, but may be nothing else.
		r.state = inTrailer
		r.head.reset()
		r.head.bytes, r.head.line = append(r.head.bytes, "0\n"...), 2
	default:
		r.state, r.left = inChunk, size
	}
	return p[end+1:]
}

// take returns the names of the next head with this request line. Those before it are of
// requests that net/http has answered itself.
func (r *requests) take(line string) Names {
	for i, waiting := range r.waiting {
		if waiting.line == line {
			r.waiting = r.waiting[i+1:]
			return waiting.names
		}
	}
	return nil
}

// requestConn reads along what a client sends.
type requestConn struct {
	net.Conn
	mu       sync.Mutex
	requests requests
}

func (c *requestConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if n > 0 {
		c.mu.Lock()
		c.requests.see(p[:n])
		c.mu.Unlock()
	}
	return n, err
}

func (c *requestConn) take(line string) Names {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.requests.take(line)
}

// responseConn reads along the heads of a server's answer to the request under way.
type responseConn struct {
	net.Conn
	mu    sync.Mutex
	head  head
	whole bool
	got   Names
}

// begin awaits the answer to a request that is yet to be sent.
func (c *responseConn) begin() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.head.reset()
	c.whole, c.got = false, nil
}

func (c *responseConn) names() Names {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.got
}

func (c *responseConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.see(p[:max(n, 0)])
	return n, err
}

func (c *responseConn) see(p []byte) {
	for len(p) > 0 && !c.whole {
		n, whole := c.head.add(p)
		p = p[n:]
		if len(c.head.bytes) > maxHead {
			c.whole = true
			return
		}
		if !whole {
			continue
		}
		names := Names{}
		first := c.head.read(func(name, _ string) { names.add(name) })
		c.head.reset()
		if _, status, _ := strings.Cut(first, " "); !strings.HasPrefix(status, "1") { // informational ones come before
			c.whole, c.got = true, names
		}
	}
}
