package llm

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/aproorg/sluice/internal/loopback"
)

// Server is a [Model] on a port of its own.
type Server struct {
	*Model
	addr string
	http *http.Server
	done chan struct{} // closed when the listener has ended
}

// Start serves a model on addr until Close; empty means "127.0.0.1:0".
func Start(addr string, cfg Config) (*Server, error) {
	if addr == "" {
		addr = "127.0.0.1:0"
	}
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("listen for requests to the stub language model on %s: %w", addr, err)
	}
	m := New(cfg)
	s := &Server{Model: m, addr: l.Addr().String(), done: make(chan struct{}),
		http: &http.Server{Handler: loopback.Program(m), ReadHeaderTimeout: 10 * time.Second}}
	go func() {
		defer close(s.done)
		s.http.Serve(l) // ends with ErrServerClosed
	}()
	return s, nil
}

// URL returns the base URL that OpenAI clients want, without a final slash.
func (s *Server) URL() string { return "http://" + s.addr + "/v1" }

// Close ends all answers, which count as cut, and waits a second at most for
// their handlers. It may be called more than once.
func (s *Server) Close() error {
	err := s.http.Close()
	<-s.done
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if err := s.settle(ctx); err != nil {
		return err
	}
	return err
}

// settle waits until no answer runs.
func (m *Model) settle(ctx context.Context) error {
	t := time.NewTicker(time.Millisecond)
	defer t.Stop()
	for m.running() > 0 {
		select {
		case <-ctx.Done():
			return fmt.Errorf("stub language model: %d answers still run: %w", m.running(), ctx.Err())
		case <-t.C:
		}
	}
	return nil
}

func (m *Model) running() (n int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, r := range m.requests {
		if r.Outcome == Running {
			n++
		}
	}
	return n
}
