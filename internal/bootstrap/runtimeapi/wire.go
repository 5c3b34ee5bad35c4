package runtimeapi

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"syscall"
	"time"

	"github.com/aproorg/sluice/internal/bootstrap/httphead"
)

// wire is a connection to the Runtime API that is used from one goroutine. The two calls of every invocation, next and the
// streamed response, go over it instead of net/http's client, whose three goroutines per exchange cost more than all other work
// on a small request.
type wire struct {
	net.Conn
	r     *httphead.Reader
	w     *bufio.Writer
	chunk []byte // for writeChunks
}

const wireBuffer = 64 << 10

// take gives an idle connection that is still open, or a new one.
func (c *Client) take(ctx context.Context) (*wire, error) {
	for {
		c.mu.Lock()
		last := len(c.idle) - 1
		if last < 0 {
			c.mu.Unlock()
			break
		}
		w := c.idle[last]
		c.idle = c.idle[:last]
		c.mu.Unlock()
		if isOpen(w.Conn) {
			return w, nil
		}
		w.Close()
	}
	conn, err := (&net.Dialer{Timeout: 5 * time.Second}).DialContext(ctx, "tcp", c.address)
	if err != nil {
		return nil, err
	}
	return &wire{conn, httphead.NewReader(conn, 16<<10), bufio.NewWriterSize(conn, wireBuffer), make([]byte, 32<<10)}, nil
}

// give takes a connection back whose exchange is over.
func (c *Client) give(w *wire) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.idle = append(c.idle, w)
}

// isOpen says whether an idle connection may be used: nothing is to be read from it, not even its end.
func isOpen(conn net.Conn) bool {
	raw, err := conn.(syscall.Conn).SyscallConn()
	if err != nil {
		return false
	}
	open := false
	err = raw.Read(func(fd uintptr) bool {
		var one [1]byte
		_, _, err := syscall.Recvfrom(int(fd), one[:], syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
		open = err == syscall.EAGAIN
		return true
	})
	return err == nil && open
}

// exchange writes a request and reads the answer's head and body under ctx. A connection that served is kept.
func (c *Client) exchange(ctx context.Context, request *http.Request, write func(*wire) error, read func(*http.Response) error) error {
	w, err := c.take(ctx)
	if err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, func() { _ = w.SetDeadline(time.Unix(1, 0)) })
	keep, err := w.exchange(request, write, read)
	if stop() && keep {
		c.give(w)
		return err
	}
	w.Close()
	if err != nil && ctx.Err() != nil {
		return ctx.Err()
	}
	return err
}

func (w *wire) exchange(request *http.Request, write func(*wire) error, read func(*http.Response) error) (keep bool, err error) {
	writeErr := write(w)
	if writeErr == nil {
		writeErr = w.w.Flush()
	}
	w.r.Begin()
	resp, err := w.r.ReadResponse(request) // an early answer says more than the failed write that it causes
	if err != nil {
		if writeErr != nil {
			err = writeErr
		}
		return false, err
	}
	err = read(resp)
	keep = err == nil && writeErr == nil && !resp.Close
	if !keep {
		w.Close() // else the body would be read to its end, which it may not have
	}
	resp.Body.Close()
	return keep, err
}

func (c *Client) begin(w *wire, method, path string) {
	fmt.Fprintf(w.w, "%s %s%s HTTP/1.1\r\nHost: %s\r\nUser-Agent: %s\r\n", method, version, path, c.address, userAgent)
}

// writeChunks sends what body yields in HTTP/1.1's chunked coding, each piece at once, and what trailer holds at its end.
func (w *wire) writeChunks(body io.Reader, trailer http.Header) error {
	for {
		n, err := body.Read(w.chunk)
		if n > 0 {
			fmt.Fprintf(w.w, "%x\r\n", n)
			_, _ = w.w.Write(w.chunk[:n])
			_, _ = w.w.WriteString("\r\n")
		}
		if err == io.EOF {
			_, _ = w.w.WriteString("0\r\n")
			_ = trailer.Write(w.w)
			_, err = w.w.WriteString("\r\n")
			return err
		}
		if err == nil {
			err = w.w.Flush()
		}
		if err != nil {
			return err
		}
	}
}
