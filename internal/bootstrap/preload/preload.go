// Package preload puts scripts where the app's runtimes load them before the app, and takes the connections that those make to the bootstrap.
//
// It leaves out what the scripts do, and what is said: packages drain and snapshot.
package preload

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
)

// Scripts are some in a directory of their own, and the unix socket beside them. Close ends them.
type Scripts struct {
	dir      string
	listener net.Listener
	serving  sync.WaitGroup

	mu     sync.Mutex
	conns  map[net.Conn]bool
	closed bool
}

// Listen writes the files, whose names may have directories, below the directory for temporary files, and serves each connection
// until serve returns. socket is the name of the socket's file.
func Listen(files map[string][]byte, socket string, serve func(net.Conn)) (*Scripts, error) {
	s := &Scripts{conns: map[net.Conn]bool{}}
	if err := s.listen(files, socket); err != nil {
		os.RemoveAll(s.dir)
		return nil, err
	}
	s.serving.Go(func() { s.accept(serve) })
	return s, nil
}

func (s *Scripts) listen(files map[string][]byte, socket string) (err error) {
	if s.dir, err = os.MkdirTemp("", "sluice-"); err != nil {
		return fmt.Errorf("make a directory for the scripts: %w", err)
	}
	for name, content := range files {
		if err := os.MkdirAll(filepath.Dir(s.Path(name)), 0o755); err != nil {
			return fmt.Errorf("make a directory for a script: %w", err)
		}
		if err := os.WriteFile(s.Path(name), content, 0o644); err != nil {
			return fmt.Errorf("write a script: %w", err)
		}
	}
	if s.listener, err = net.Listen("unix", s.Path(socket)); err != nil {
		return fmt.Errorf("listen for the app's processes: %w", err)
	}
	if err := os.Chmod(s.dir, 0o755); err != nil { // an app under another user could not start without its script
		s.listener.Close()
		return err
	}
	return nil
}

func (s *Scripts) accept(serve func(net.Conn)) {
	for {
		conn, err := s.listener.Accept()
		if err != nil {
			return
		}
		if !s.keep(conn) {
			conn.Close()
			return
		}
		s.serving.Go(func() {
			defer s.drop(conn)
			serve(conn)
		})
	}
}

func (s *Scripts) keep(conn net.Conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.closed {
		s.conns[conn] = true
	}
	return !s.closed
}

func (s *Scripts) drop(conn net.Conn) {
	conn.Close()
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.conns, conn)
}

// Path is where a file of this name lies.
func (s *Scripts) Path(name string) string { return filepath.Join(s.dir, name) }

// Close breaks the connections off, waits for who serves them, and removes the directory.
func (s *Scripts) Close() {
	s.listener.Close()
	s.mu.Lock()
	s.closed = true
	for conn := range s.conns {
		conn.Close()
	}
	s.mu.Unlock()
	s.serving.Wait()
	os.RemoveAll(s.dir)
}

// Require returns env with NODE_OPTIONS that has Node load a script, before all that stands there.
// https://nodejs.org/api/cli.html#node_optionsoptions
func Require(env []string, script string) []string {
	options := "--require " + quoteOption(script)
	out := make([]string, 0, len(env)+1)
	for _, entry := range env {
		if users, ok := strings.CutPrefix(entry, "NODE_OPTIONS="); ok {
			options += " " + users
			continue
		}
		out = append(out, entry)
	}
	return append(out, "NODE_OPTIONS="+strings.TrimSpace(options))
}

// quoteOption quotes as Node reads NODE_OPTIONS: double quotes, in which a backslash escapes.
func quoteOption(s string) string {
	if !strings.ContainsAny(s, " \"\\") {
		return s
	}
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"`
}
