package mongo

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"sync"

	"github.com/aproorg/sluice/internal/emulate/mongo/embedded"
	"github.com/aproorg/sluice/internal/emulate/mongo/guard"
	"github.com/aproorg/sluice/internal/tempdir"
)

// Config says what a [Server] serves. Its zero value is an embedded database
// in a temporary directory on a free port of 127.0.0.1.
type Config struct {
	// Addr is the address to listen on; empty means "127.0.0.1:0".
	Addr string
	// Dir holds the embedded database's SQLite files, which outlive the
	// server. Empty means a temporary directory that Close removes.
	Dir string
	// Upstream is the mongodb:// URI of a real server to stand in front of
	// instead of the embedded database. Its credentials, database and options
	// go into the URIs that [Server.URI] returns.
	Upstream string
	// Advice says how to have a real server. It ends the error for what the embedded
	// database does not know.
	Advice string
	// Strict answers what DocumentDB 5.0 refuses with an error.
	Strict bool
	// Finding, if not nil, is called for each new finding and for each new
	// caller of one, who is its last, from the goroutine of the connection.
	Finding func(guard.Finding)
	// Wrote, if not nil, is called after each write, failed ones too, and before
	// its client hears of it. Calls come from the goroutines of connections.
	Wrote func(Write)
	// Caller, if not nil, is asked with a client's app name and address, at the
	// first finding of a connection, for a function that tells at each finding
	// what the client is about. Commands of the connection wait for both.
	Caller func(app string, remote net.Addr) func() guard.Caller
	// Connected, if not nil, is called when a connection has said hello, with its
	// client's app name and address, from the goroutine of the connection.
	Connected func(app string, remote net.Addr)
	// Logger receives the server's own news; nil discards them.
	Logger *slog.Logger
}

// Server serves the MongoDB wire protocol. Its methods are safe for concurrent
// use.
type Server struct {
	cfg     Config
	log     *slog.Logger
	addr    string
	dir     string
	ownsDir bool
	remote  *remote // nil for the embedded database
	guard   *guard.Guard
	clients clientTable

	mu       sync.Mutex // guards what follows, and serves as the lock of Restart
	listener net.Listener
	sessions map[*session]struct{}
	database *embedded.Database // nil in front of a real server
	closed   bool
	running  sync.WaitGroup
}

// Start opens the database and serves it until Close. ctx bounds the start
// only.
func Start(ctx context.Context, cfg Config) (*Server, error) {
	s := &Server{cfg: cfg, log: cfg.Logger, addr: cfg.Addr, guard: guard.New(cfg.Finding)}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	if s.addr == "" {
		s.addr = "127.0.0.1:0"
	}
	if err := s.prepare(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.open(ctx); err != nil {
		s.removeDir()
		return nil, err
	}
	return s, nil
}

// prepare settles where the data is.
func (s *Server) prepare() (err error) {
	if s.cfg.Upstream != "" {
		s.remote, err = parseUpstream(s.cfg.Upstream)
		return err
	}
	s.dir = s.cfg.Dir
	if s.dir == "" {
		s.ownsDir = true
		if s.dir, err = tempdir.Make("mongo"); err != nil {
			return fmt.Errorf("make a directory for the embedded database: %w", err)
		}
		return nil
	}
	if s.dir, err = filepath.Abs(s.dir); err != nil {
		return fmt.Errorf("find directory %s: %w", s.cfg.Dir, err)
	}
	if err := os.MkdirAll(s.dir, 0o700); err != nil {
		return fmt.Errorf("make directory %s for the embedded database: %w", s.dir, err)
	}
	return nil
}

// open starts the database and the listener. The caller holds mu.
func (s *Server) open(ctx context.Context) error {
	if s.remote == nil {
		db, err := embedded.Open(s.dir, s.cfg.Advice)
		if err != nil {
			return err
		}
		s.database = db
	}
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", s.addr)
	if err != nil {
		s.closeDatabase()
		return fmt.Errorf("listen for MongoDB clients on %s: %w", s.addr, err)
	}
	s.addr = l.Addr().String()
	s.listener = l
	s.sessions = map[*session]struct{}{}
	s.running.Add(1)
	go s.accept(l)
	return nil
}

// halt is open's inverse. The caller holds mu, which it lets go of while
// sessions end.
func (s *Server) halt() error {
	if s.listener == nil {
		return nil
	}
	s.listener.Close()
	s.listener = nil
	for c := range s.sessions {
		c.close()
	}
	s.mu.Unlock()
	s.running.Wait()
	s.mu.Lock()
	return s.closeDatabase()
}

func (s *Server) closeDatabase() error {
	if s.database == nil {
		return nil
	}
	db := s.database
	s.database = nil
	return db.Close()
}

// Close ends all connections and the embedded database, and waits for them.
func (s *Server) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	return errors.Join(s.halt(), s.removeDir())
}

// Restart ends all connections and serves the same data again on the same
// address, as a database that was restarted does.
func (s *Server) Restart(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.halt(); err != nil {
		return err
	}
	if s.closed {
		return errors.New("restart MongoDB: it is closed")
	}
	return s.open(ctx)
}

func (s *Server) removeDir() error {
	if !s.ownsDir {
		return nil
	}
	return os.RemoveAll(s.dir)
}

// URI returns the connection string for a database. A client that is given
// its own app name (no spaces) is told apart by it in findings and in
// [Server.Clients].
func (s *Server) URI(database, app string) string {
	u := url.URL{Scheme: "mongodb", Host: s.addr, Path: "/" + database}
	q := url.Values{}
	if s.remote != nil {
		u.User = s.remote.user
		q = s.remote.options(database)
	}
	q.Set("directConnection", "true")
	q.Set("retryWrites", "false") // as DocumentDB requires
	if app != "" {
		q.Set("appName", app)
	}
	u.RawQuery = q.Encode()
	return u.String()
}

// Findings returns what the guard has seen so far, in order of first sight.
func (s *Server) Findings() []guard.Finding { return s.guard.All() }

// Clients returns the connections of each app name, sorted by name.
func (s *Server) Clients() []Client { return s.clients.all() }

func (s *Server) accept(l net.Listener) {
	defer s.running.Done()
	for {
		conn, err := l.Accept()
		if err != nil {
			return // closed by halt
		}
		s.mu.Lock()
		if s.listener != l {
			s.mu.Unlock()
			conn.Close()
			continue
		}
		ctx, cancel := context.WithCancel(context.Background())
		c := &session{server: s, client: conn, cancel: cancel}
		s.sessions[c] = struct{}{}
		s.running.Add(1)
		db := s.database
		s.mu.Unlock()
		go s.serve(ctx, c, db)
	}
}

func (s *Server) serve(ctx context.Context, c *session, db *embedded.Database) {
	defer s.running.Done()
	err := c.run(ctx, db)
	if err != nil {
		s.log.Warn("mongo connection ended", "client", c.clientName(), "error", err)
	}
	s.mu.Lock()
	delete(s.sessions, c)
	s.mu.Unlock()
}
