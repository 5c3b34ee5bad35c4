package demo

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/aproorg/sluice/internal/app/demo/chats"
)

// Server is the API of the demo app. Make it with [New]; it is safe for concurrent use.
type Server struct {
	cfg     Config
	store   chats.Store
	started time.Time
	served  atomic.Int64 // requests so far, this one included

	restored atomic.Pointer[string] // the environment's name since a restore from a snapshot; nil before one

	work     sync.WaitGroup // generations and titles that go on after their response
	busy     atomic.Int64
	workCtx  context.Context // ends Grace after Run's context
	stopWork context.CancelCauseFunc
	mux      *http.ServeMux
}

var errStopping = errors.New("the app is stopping")

// New prepares the app. The caller ends its background work by [Server.Close].
func New(cfg Config) (*Server, error) {
	cfg = cfg.withDefaults()
	store, err := chats.Open(cfg.StateDir)
	if err != nil {
		return nil, err
	}
	s := &Server{cfg: cfg, store: store, started: time.Now(), mux: http.NewServeMux()}
	s.workCtx, s.stopWork = context.WithCancelCause(context.Background())
	s.chatRoutes()
	s.labRoutes()
	s.mux.HandleFunc("POST "+restoredPath, s.postRestored)
	s.probeRoutes()
	s.mux.HandleFunc("/api/", func(w http.ResponseWriter, r *http.Request) {
		fail(w, http.StatusNotFound, fmt.Errorf("there is no %s %s", r.Method, r.URL.Path))
	})
	return s, nil
}

// restoredPath hears from the bootstrap that this environment was restored from a snapshot (SLUICE_AFTER_RESTORE_PATH).
const restoredPath = "/restored"

// postRestored gives the environment a name of its own: that from the start is in the snapshot, and so in all others.
func (s *Server) postRestored(w http.ResponseWriter, r *http.Request) {
	var in struct{ Environment string }
	if !readJSON(w, r, &in) {
		return
	}
	name := "restored-" + in.Environment[:min(8, len(in.Environment))]
	s.restored.Store(&name)
	w.WriteHeader(http.StatusNoContent)
}

func (s *Server) environment() string {
	if name := s.restored.Load(); name != nil {
		return *name
	}
	return s.cfg.Environment
}

// ServeHTTP answers the API's routes: /api/*, /health, /busy and /restored. All else is 404.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	n := s.served.Load()
	if p := r.URL.Path; p != "/health" && p != "/busy" && p != restoredPath { // those are the bootstrap's own
		n = s.served.Add(1)
	}
	h := w.Header()
	h.Set("X-Demo-Environment", s.environment())
	h.Set("X-Demo-Served", strconv.FormatInt(n, 10))
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	s.mux.ServeHTTP(w, r)
}

// Close waits for work after responses, at most for the grace, then ends it.
func (s *Server) Close() {
	defer time.AfterFunc(s.cfg.Grace, func() { s.stopWork(errStopping) }).Stop()
	s.work.Wait()
	s.stopWork(errStopping)
}

// Run serves the API until the context is done, then takes no more requests, and lets what is at work end within the
// grace: streams still open by then end with an error event. It returns nil after an orderly end.
//
// The process that calls it turns SIGTERM and SIGINT into the end of the context (signal.NotifyContext).
func Run(ctx context.Context, cfg Config) error {
	s, err := New(cfg)
	if err != nil {
		return err
	}
	ln, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(cfg.Port)))
	if err != nil {
		return fmt.Errorf("demo app: listen on port %d: %w", cfg.Port, err)
	}
	s.cfg.Log.Info("demo app listens", "addr", ln.Addr().String(), "environment", s.environment())
	if cfg.Listening != nil {
		cfg.Listening(ln.Addr().String())
	}
	hs := &http.Server{Handler: s, ReadHeaderTimeout: 10 * time.Second}
	served := make(chan error, 1)
	go func() { served <- hs.Serve(ln) }()
	select {
	case err := <-served:
		s.Close()
		return fmt.Errorf("demo app: serve: %w", err)
	case <-ctx.Done():
	}
	return s.shutdown(hs)
}

// lastWords is the time that streams get, after the grace, to tell of their end.
const lastWords = 500 * time.Millisecond

func (s *Server) shutdown(hs *http.Server) error {
	s.cfg.Log.Info("demo app stops", "grace", s.cfg.Grace)
	time.AfterFunc(s.cfg.Grace, func() { s.stopWork(errStopping) }) // ends streams, so that Shutdown can end
	limit, cancel := context.WithTimeout(context.Background(), s.cfg.Grace+lastWords)
	defer cancel()
	err := hs.Shutdown(limit)
	s.Close()
	if err != nil { // a request that waits for something else than us, such as a slow client
		hs.Close()
	}
	return nil
}

// background runs work that goes on after the response, and counts it for /busy and for Close.
func (s *Server) background(what string, f func(context.Context) error) {
	s.busy.Add(1)
	s.work.Go(func() {
		defer s.busy.Add(-1)
		if err := f(s.workCtx); err != nil {
			s.cfg.Log.Warn("work after the response failed", "work", what, "error", err)
		}
	})
}

// requestContext ends with the request or with the app.
func (s *Server) requestContext(r *http.Request) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(r.Context())
	stop := context.AfterFunc(s.workCtx, func() { cancel(context.Cause(s.workCtx)) })
	return ctx, func() { stop(); cancel(nil) }
}

func reply(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(v) // a client that has left needs no error
}

// fail answers with an error in JSON, so that an error page of a hop in between is told from one of the app.
func fail(w http.ResponseWriter, status int, err error) {
	reply(w, status, map[string]any{"error": err.Error(), "status": status})
}
