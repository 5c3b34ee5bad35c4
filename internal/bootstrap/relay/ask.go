package relay

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/aproorg/sluice/internal/bootstrap/httphead"
	"github.com/aproorg/sluice/internal/bootstrap/proxyevent"
)

// response is the app's, on a connection of its own.
type response struct {
	*http.Response
	conn *appConn
}

// buffered says whether the next Read of the body returns at once, for its bytes came together with the head.
func (r *response) buffered() bool {
	there, _ := r.conn.r.Peek(r.conn.r.Buffered())
	if r.ContentLength >= 0 {
		return len(there) > 0
	}
	size := bytes.IndexByte(there, '\n') // of the first chunk
	return size >= 0 && size+2 < len(there)
}

// close ends the connection and waits for what still uses it.
func (r *response) close() { r.conn.close() }

// appConn is a connection to the app that serves one request. The request is written and the response read by the calling
// goroutine: with one connection for each request, net/http's transport would only add its three goroutines.
type appConn struct {
	net.Conn
	r       *httphead.Reader
	wrote   int
	stop    func() bool // of the watch over the context
	writing sync.WaitGroup
}

func (c *appConn) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p)
	c.wrote += n
	return n, err
}

func (c *appConn) close() {
	c.stop()
	c.Conn.Close()
	c.writing.Wait()
}

// retryPause is the time after which a connection that could not be made is tried again: the app may be about to restart.
const retryPause = 20 * time.Millisecond

// ask sends a request once the app is ready. Only a connection that never carried a byte is replaced. The response must be closed.
func (inv *invocation) ask(ctx context.Context, req *proxyevent.Request) (*response, error) {
	for {
		if err := inv.cfg.App.Ready(ctx); err != nil {
			return nil, err
		}
		inv.ended = inv.cfg.App.Ended()
		resp, sent, err := inv.try(ctx, req)
		if err == nil || sent || ctx.Err() != nil {
			return resp, err
		}
		inv.log.Debug("connect to the app again", "error", err)
		select {
		case <-time.After(retryPause):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// endPause is how long the end of a process is awaited whose connection broke, so that the next request goes to the new one.
const endPause = 250 * time.Millisecond

func (inv *invocation) awaitEnd() {
	select {
	case <-inv.ended:
	case <-time.After(endPause):
	}
}

// try asks over a new connection. sent says whether the app can have seen any of the request.
func (r *Relay) try(ctx context.Context, req *proxyevent.Request) (resp *response, sent bool, err error) {
	tcp, err := r.dialer.DialContext(ctx, "tcp", r.cfg.App.Address())
	if err != nil {
		return nil, false, err
	}
	conn := &appConn{Conn: tcp, r: httphead.NewReader(tcp, readBuffer)}
	conn.stop = context.AfterFunc(ctx, func() { _ = tcp.SetDeadline(time.Unix(1, 0)) })
	request := req.HTTP(ctx, r.cfg.App.Address())
	request.Close = true
	if req.Stream != nil {
		request.Body = &sourced{req.Stream, func() { tcp.Close() }}
	}
	sent, err = conn.send(request)
	if err == nil || sent { // an app may answer and close before it has read all
		head, readErr := readHead(conn.r, request)
		if readErr == nil {
			return &response{head, conn}, true, nil
		}
		if badAnswer := new(badAnswerError); err == nil || errors.As(readErr, &badAnswer) { // an answer says more than a failed write
			err = readErr
		}
	}
	conn.close()
	return nil, sent, err
}

const (
	// readBuffer also bounds the trailers of a response, which are not passed on.
	readBuffer = 16 << 10
	// inlineBody is the largest body that is written before the response is read: it fits the socket's buffers, so that an app
	// that answers before it reads cannot block both sides.
	inlineBody = 32 << 10
)

// send writes the request, a large body in the background.
func (c *appConn) send(req *http.Request) (sent bool, err error) {
	if req.ContentLength <= inlineBody {
		err := c.write(req)
		return c.wrote > 0, err
	}
	body := req.Body
	begun := make(chan error, 1)
	req.Body = &announced{body, sync.OnceFunc(func() { begun <- nil })}
	c.writing.Go(func() {
		err := c.write(req)
		select {
		case begun <- err: // nothing of the body was wanted
		default:
		}
	})
	err = <-begun
	return err == nil, err
}

func (c *appConn) write(req *http.Request) error {
	w := bufio.NewWriterSize(c, 4<<10)
	if err := req.Write(w); err != nil {
		return err
	}
	return w.Flush()
}

// announced tells when a body is first read, before which nothing is sent.
type announced struct {
	io.ReadCloser
	tell func()
}

func (a *announced) Read(p []byte) (int, error) {
	a.tell()
	return a.ReadCloser.Read(p)
}

// sourced is a body that is read from elsewhere while it is written. Where that fails, so does the request. Its owner closes the source.
type sourced struct {
	io.Reader
	fail func()
}

func (s *sourced) Read(p []byte) (int, error) {
	n, err := s.Reader.Read(p)
	if err != nil && err != io.EOF {
		s.fail()
	}
	return n, err
}

func (s *sourced) Close() error { return nil }

// maxInformational bounds the 1xx answers before the final one. Apps send one or two (100, 103); net/http's client takes five.
const maxInformational = 8

// badAnswerError is the error of an app that lives and answers what cannot be passed on.
type badAnswerError struct{ reason error }

func (e *badAnswerError) Error() string {
	return "the application's answer cannot be passed on: " + e.reason.Error()
}
func (e *badAnswerError) Unwrap() error { return e.reason }

var (
	errSwitch        = errors.New("it switches protocols (101), for which Lambda's path has no way")
	errInformational = fmt.Errorf("more than %d informational answers (1xx) came before the final one", maxInformational)
)

// malformed marks an error of reading an answer that the connection did not cause: the answer itself did.
func malformed(err error) error {
	var broken net.Error
	if errors.Is(err, io.ErrUnexpectedEOF) || errors.As(err, &broken) {
		return err
	}
	return &badAnswerError{err}
}

func readHead(r *httphead.Reader, req *http.Request) (*http.Response, error) {
	r.Begin()
	for range maxInformational + 1 {
		resp, err := r.ReadResponse(req)
		switch {
		case errors.Is(err, io.ErrUnexpectedEOF):
			return nil, errors.New("the app closed the connection without an answer")
		case err != nil:
			return nil, malformed(err)
		case resp.StatusCode == http.StatusSwitchingProtocols:
			return nil, &badAnswerError{errSwitch}
		case resp.StatusCode >= 200:
			return resp, nil
		}
	}
	return nil, &badAnswerError{errInformational}
}
