package origin

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"
)

// ErrTimeout is an origin that sent no packet for its response timeout.
var ErrTimeout = errors.New("origin response timeout")

// Watch sees what happens on the way. Both functions are required.
type Watch struct {
	Limit func(note string)              // a limit took effect
	Retry func(attempt int, cause error) // the request is about to be sent again
}

// Fetch sends a request, whose context is the viewer's. A connection that fails is
// tried again, up to the origin's number of attempts; a request that may have been
// received only if it is GET or HEAD. The caller closes the response's body; a read
// of it fails with ErrTimeout where the origin falls silent.
func (o *Origin) Fetch(r *http.Request, w Watch) (*http.Response, error) {
	for attempt := 1; ; attempt++ {
		res, err := o.attempt(r, w)
		if err == nil {
			return res, nil
		}
		var unconnected ConnectError
		again := errors.As(err, &unconnected) || r.Method == http.MethodGet || r.Method == http.MethodHead
		if !again || attempt >= o.ConnectionAttempts || r.Context().Err() != nil {
			return nil, err
		}
		w.Retry(attempt+1, err)
	}
}

// attempt sends the request once. The origin response timeout runs from the moment
// the request is out, and again from each packet.
func (o *Origin) attempt(r *http.Request, w Watch) (*http.Response, error) {
	ctx, cancel := context.WithCancelCause(r.Context())
	timer := time.AfterFunc(o.ReadTimeout, func() { cancel(ErrTimeout) })
	alive := func() { timer.Reset(o.ReadTimeout) }
	end := func() {
		timer.Stop()
		cancel(nil)
	}
	explain := func(err error) error {
		switch {
		case errors.Is(context.Cause(ctx), ErrTimeout):
			w.Limit(fmt.Sprintf("no packet from the origin for %s", o.ReadTimeout))
			return ErrTimeout
		case r.Context().Err() != nil:
			return fmt.Errorf("viewer went away: %w", err)
		}
		return err
	}
	sent := r.WithContext(ctx)
	if r.Body != nil {
		sent.Body = uploadBody{r.Body, alive}
	}
	res, err := o.transport.RoundTrip(sent)
	if err != nil {
		err = explain(err)
		end()
		return nil, err
	}
	alive()
	res.Body = &watchedBody{ReadCloser: res.Body, alive: alive, end: end, explain: explain}
	return res, nil
}

// watchedBody resets the watch over an origin's response with each packet, and ends
// it with the body.
type watchedBody struct {
	io.ReadCloser
	alive   func()
	end     func()
	explain func(error) error
	once    sync.Once
}

func (b *watchedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if n > 0 {
		b.alive()
	}
	if err != nil && err != io.EOF {
		err = b.explain(err)
	}
	return n, err
}

func (b *watchedBody) Close() error {
	b.once.Do(b.end)
	return b.ReadCloser.Close()
}

// uploadBody passes a viewer's body on. The origin owes no answer while it still
// receives, and a failed attempt does not close what the next one may need.
type uploadBody struct {
	io.Reader
	alive func()
}

func (b uploadBody) Read(p []byte) (int, error) {
	n, err := b.Reader.Read(p)
	b.alive()
	return n, err
}

func (uploadBody) Close() error { return nil }
