package relay

import (
	"context"
	"errors"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/aproorg/sluice/internal/proxyevent"
)

// newTransport makes connections to the app that serve one request. With no connection used twice, net/http never sends a
// request again by itself.
func newTransport() *http.Transport {
	dialer := &net.Dialer{Timeout: 5 * time.Second, KeepAlive: -1}
	return &http.Transport{
		DisableKeepAlives:  true,
		DisableCompression: true,
		WriteBufferSize:    16 << 10,
		ReadBufferSize:     32 << 10,
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			conn, err := dialer.DialContext(ctx, network, address)
			if err != nil {
				return nil, err
			}
			if a, ok := ctx.Value(attemptKey{}).(*attempt); ok {
				return &watchedConn{Conn: conn, attempt: a}, nil
			}
			return conn, nil
		},
	}
}

// attempt notes whether the app can have seen any byte of a request.
type attempt struct{ wrote atomic.Bool }

type attemptKey struct{}

type watchedConn struct {
	net.Conn
	attempt *attempt
}

func (c *watchedConn) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p)
	if n > 0 {
		c.attempt.wrote.Store(true)
	}
	return n, err
}

// retryPause is the time after which a connection that could not be made is tried again: the app may be about to restart.
const retryPause = 20 * time.Millisecond

// ask sends the request once the app is ready. Only a connection that never carried a byte is replaced.
func (r *Relay) ask(ctx context.Context, req *proxyevent.Request) (*http.Response, error) {
	for {
		if err := r.cfg.App.Ready(ctx); err != nil {
			return nil, err
		}
		tried := new(attempt)
		resp, err := r.transport.RoundTrip(req.HTTP(context.WithValue(ctx, attemptKey{}, tried), r.cfg.App.Address()))
		if err == nil || tried.wrote.Load() || ctx.Err() != nil || !isNetwork(err) {
			return resp, err
		}
		r.cfg.Logger.Debug("connect to the app again", "error", err)
		select {
		case <-time.After(retryPause):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

func isNetwork(err error) bool {
	var opErr *net.OpError
	return errors.As(err, &opErr)
}
