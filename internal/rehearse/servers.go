package rehearse

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/aproorg/sluice/internal/emulate/spelling"
)

// servers are the HTTP servers of a rehearsal. The zero value is ready.
type servers struct {
	// idle is the longest pause in a head or a body that is being sent; 0 is half a
	// minute. AWS's documents name no such limit of CloudFront or API Gateway towards
	// clients, only the 30 s between packets towards origins.
	idle    time.Duration
	stops   []func()
	running sync.WaitGroup // servers and their connections
}

// start serves a handler until cut.
func (s *servers) start(listener net.Listener, handler http.Handler, log *slog.Logger) {
	ctx, cancel := context.WithCancel(context.Background())
	idle := cmp.Or(s.idle, 30*time.Second)
	server := &http.Server{
		Handler:           steady(handler, idle),
		ConnState:         s.count,
		BaseContext:       func(net.Listener) context.Context { return ctx },
		ReadHeaderTimeout: idle,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
	listener = spelling.Listen(server, listener)
	s.stops = append(s.stops, func() {
		cancel()
		_ = server.Close() // it only ever says that the listener was closed before
	})
	s.running.Go(func() {
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) && ctx.Err() == nil {
			log.Error("a server of the rehearsal has ended", "address", listener.Addr().String(), "error", err)
		}
	})
}

// count lets wait know of connections: http.Server.Close does not wait for the
// requests in them.
func (s *servers) count(_ net.Conn, state http.ConnState) {
	switch state {
	case http.StateNew: // called by Serve, which is running itself
		s.running.Add(1)
	case http.StateClosed, http.StateHijacked:
		s.running.Done()
	}
}

// cut closes all listeners and connections.
func (s *servers) cut() {
	for _, stop := range s.stops {
		stop()
	}
	s.stops = nil
}

// wait returns once no request is at work any more.
func (s *servers) wait() { s.running.Wait() }

// onLoopback listens where the hops talk to one another.
func onLoopback() (net.Listener, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("find a free port on 127.0.0.1: %w", err)
	}
	return listener, nil
}
