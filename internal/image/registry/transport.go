package registry

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// errStalled ends a transfer on which nothing moves. A connection that a
// firewall has forgotten looks like this and would never end by itself.
var errStalled = errors.New("no byte moved for too long")

// watch ends a request on which no byte moved, either way, for limit.
type watch struct {
	next  http.RoundTripper
	limit time.Duration
}

func (w *watch) RoundTrip(request *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithCancelCause(request.Context())
	timer := time.AfterFunc(w.limit, func() { cancel(errStalled) })
	moved := func() { timer.Reset(w.limit) }
	request = request.WithContext(ctx)
	if request.Body != nil && request.Body != http.NoBody {
		request.Body = &watchedBody{ReadCloser: request.Body, moved: moved}
	}
	response, err := w.next.RoundTrip(request)
	if err != nil {
		timer.Stop()
		defer cancel(nil)
		return nil, stallOr(ctx, err)
	}
	response.Body = &watchedBody{ReadCloser: response.Body, moved: moved, ctx: ctx, end: func() {
		timer.Stop()
		cancel(nil)
	}}
	return response, nil
}

// brief ends answers that hold no layer, such as a manifest's or a token's: the client
// reads some of them to their end, whatever that is.
type brief struct{ next http.RoundTripper }

// maxBrief is what a registry takes of a manifest, the largest of these.
// https://github.com/opencontainers/distribution-spec/blob/main/spec.md#pushing-manifests
const maxBrief = 4 << 20

func (b *brief) RoundTrip(request *http.Request) (*http.Response, error) {
	response, err := b.next.RoundTrip(request)
	// A redirect leads from a registry's blob to any address: a success there is a layer as well.
	redirected := request.Response != nil
	layer := request.Method == http.MethodGet && (redirected || strings.Contains(request.URL.Path, "/blobs/")) && response != nil && response.StatusCode < 300
	if err != nil || layer {
		return response, err
	}
	if response.ContentLength > maxBrief && request.Method != http.MethodHead {
		response.Body.Close()
		return nil, fmt.Errorf("%s answered with %d bytes: at most %d are read", request.URL.Host, response.ContentLength, maxBrief)
	}
	response.Body = &briefBody{ReadCloser: response.Body, left: maxBrief}
	return response, nil
}

type briefBody struct {
	io.ReadCloser
	left int
}

func (b *briefBody) Read(p []byte) (int, error) {
	if b.left <= 0 {
		// No byte may be left over to ask for: else this is the end.
		if n, err := b.ReadCloser.Read(make([]byte, 1)); n == 0 {
			return 0, err
		}
		return 0, fmt.Errorf("the registry's answer is longer than %d bytes", maxBrief)
	}
	n, err := b.ReadCloser.Read(p[:min(len(p), b.left)])
	b.left -= n
	return n, err
}

// stallOr names the real cause of an error that only says "canceled".
func stallOr(ctx context.Context, err error) error {
	if ctx != nil && errors.Is(context.Cause(ctx), errStalled) {
		return errStalled
	}
	return err
}

type watchedBody struct {
	io.ReadCloser
	moved func()
	ctx   context.Context // of this one response; nil for a request's body
	end   func()
}

func (b *watchedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if n > 0 {
		b.moved()
	}
	if err != nil && err != io.EOF {
		err = stallOr(b.ctx, err)
	}
	return n, err
}

func (b *watchedBody) Close() error {
	if b.end != nil {
		defer b.end()
	}
	return b.ReadCloser.Close()
}

// resume carries a download on where its connection broke, with a Range
// request (RFC 9110, section 14), so that a layer of hundreds of megabytes need
// not start over.
type resume struct {
	next  http.RoundTripper
	tries int
	pause time.Duration
}

func (r *resume) RoundTrip(request *http.Request) (*http.Response, error) {
	response, err := r.next.RoundTrip(request)
	if err != nil || request.Method != http.MethodGet || response.StatusCode != http.StatusOK ||
		response.ContentLength <= 0 || request.Header.Get("Range") != "" {
		return response, err
	}
	response.Body = &resumedBody{resume: r, request: request, body: response.Body, size: response.ContentLength}
	return response, nil
}

type resumedBody struct {
	*resume
	request *http.Request
	body    io.ReadCloser
	at      int64
	size    int64
	broken  int // times in a row without a byte
}

func (b *resumedBody) Close() error { return b.body.Close() }

func (b *resumedBody) Read(p []byte) (int, error) {
	for {
		n, err := b.body.Read(p)
		b.at += int64(n)
		if n > 0 {
			b.broken = 0
		}
		if err == nil || b.at >= b.size || !retryable(err) {
			return n, err
		}
		if next := b.again(err); next != nil {
			return n, next
		}
		if n > 0 {
			return n, nil
		}
	}
}

// again asks for the rest. It returns the error that ends the download.
func (b *resumedBody) again(cause error) error {
	if cause == io.EOF {
		cause = io.ErrUnexpectedEOF
	}
	for b.broken < b.tries {
		wait := b.pause << b.broken
		b.broken++
		select {
		case <-b.request.Context().Done():
			return b.request.Context().Err()
		case <-time.After(wait):
		}
		response, err := b.rest()
		if err == nil {
			b.body.Close()
			b.body = response.Body
			return nil
		}
		if !retryable(err) {
			return cause
		}
	}
	return cause
}

func (b *resumedBody) rest() (*http.Response, error) {
	request := b.request.Clone(b.request.Context())
	request.Header.Set("Range", fmt.Sprintf("bytes=%d-", b.at))
	response, err := b.next.RoundTrip(request)
	if err != nil {
		return nil, err
	}
	starts := fmt.Sprintf("bytes %d-", b.at)
	if response.StatusCode != http.StatusPartialContent ||
		!strings.HasPrefix(response.Header.Get("Content-Range"), starts) {
		response.Body.Close()
		return nil, fmt.Errorf("cannot resume: %s", response.Status)
	}
	return response, nil
}

// Meter counts what a push did, by the requests that it made.
type Meter struct {
	mu      sync.Mutex
	sent    int64
	mounted []string // digests
	present []string
}

type metered struct {
	*Meter
	next http.RoundTripper
}

// Seen is what was counted: bytes sent, and the digests of the blobs that the
// registry took from another repository, or had.
func (m *Meter) Seen() (sent int64, mounted, present []string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.sent, slices.Clone(m.mounted), slices.Clone(m.present)
}

func (m *Meter) over(next http.RoundTripper) http.RoundTripper { return &metered{m, next} }

func (m *metered) RoundTrip(request *http.Request) (*http.Response, error) {
	if request.Body != nil && request.Body != http.NoBody {
		request = request.WithContext(request.Context())
		request.Body = &meteredBody{request.Body, m.Meter}
	}
	response, err := m.next.RoundTrip(request)
	if err == nil {
		m.note(request, response.StatusCode)
	}
	return response, err
}

func (m *Meter) note(request *http.Request, status int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	mount := request.URL.Query().Get("mount")
	switch {
	case request.Method == http.MethodPost && mount != "" && status == http.StatusCreated:
		m.mounted = append(m.mounted, mount)
	case request.Method == http.MethodHead && status == http.StatusOK:
		if _, digest, ok := strings.Cut(request.URL.Path, "/blobs/"); ok {
			m.present = append(m.present, digest)
		}
	}
}

type meteredBody struct {
	io.ReadCloser
	meter *Meter
}

func (b *meteredBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.meter.mu.Lock()
	b.meter.sent += int64(n)
	b.meter.mu.Unlock()
	return n, err
}
