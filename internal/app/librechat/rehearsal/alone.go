package rehearsal

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/url"
	"os/exec"
	"regexp"
	"sync"
	"time"

	"github.com/aproorg/sluice/internal/app/librechat/facts"
)

// AloneConfig says how LibreChat is started by itself. Its zero value is as
// environments start it.
type AloneConfig struct {
	// Node is the program that runs it; empty is the first of Config.Path.
	Node string
	// Flags are given to Node before the server's file.
	Flags []string
	// Env is added to LibreChat's environment.
	Env map[string]string
}

// Alone is LibreChat by itself, with the rehearsal's stores and none of its path:
// what a cold start, and a page behind the path, are compared with.
type Alone struct {
	URL   string
	PID   int
	Begun time.Time
	// Open is the time until its port was open, Ready until it was ready.
	Open, Ready time.Duration

	cmd    *exec.Cmd
	cancel context.CancelFunc
	runs   sync.WaitGroup
}

// Alone starts LibreChat and returns when it is ready. The caller closes it; so
// does the end of ctx. App must have returned.
func (l *LibreChat) Alone(ctx context.Context, cfg AloneConfig) (*Alone, error) {
	ctx, cancel := context.WithCancel(ctx)
	cmd, base, err := l.process(ctx, cfg.Env)
	if err != nil {
		cancel()
		return nil, err
	}
	if cfg.Node != "" {
		cmd.Path, cmd.Err = cfg.Node, nil
	}
	cmd.Args = append([]string{cmd.Args[0]}, append(cfg.Flags, cmd.Args[1:]...)...)
	a := &Alone{URL: base, cmd: cmd, cancel: cancel}
	if err := a.start(ctx, l.cfg.Release); err != nil {
		a.Close()
		return nil, err
	}
	return a, nil
}

// start runs the program until it is ready.
func (a *Alone) start(ctx context.Context, r facts.Release) error {
	ctx, cancel := context.WithTimeout(ctx, bootLimit)
	defer cancel()
	lines := newTranscript(r.ReadyLog)
	a.cmd.Stdout, a.cmd.Stderr = lines, lines
	ended, end := context.WithCancel(ctx)
	a.Begun = time.Now()
	if err := startOwn(&a.runs, a.cmd, func() {
		defer end()
		_ = a.cmd.Wait() // it is ended by a signal
	}); err != nil {
		end()
		return fmt.Errorf("start LibreChat: %w", err)
	}
	a.PID = a.cmd.Process.Pid
	awaitPort(ended, a.URL)
	a.Open = time.Since(a.Begun)
	awaitHealth(ended, a.URL+r.ReadyPath(), look)
	select {
	case <-lines.matched:
	case <-ended.Done():
	}
	a.Ready = time.Since(a.Begun)
	if ended.Err() != nil {
		return fmt.Errorf("wait for LibreChat: %w; its last words: %s", ended.Err(), lines.tail())
	}
	return nil
}

// Close ends LibreChat and waits for it.
func (a *Alone) Close() {
	a.cancel()
	a.runs.Wait()
}

// look is the pause between two looks, short beside a start.
const look = 10 * time.Millisecond

func awaitPort(ctx context.Context, base string) {
	u, err := url.Parse(base)
	if err != nil {
		return
	}
	for ctx.Err() == nil {
		if conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", u.Host); err == nil {
			conn.Close()
			return
		}
		sleep(ctx, look)
	}
}

// transcript is an output in which it looks for a line, and of which it keeps the end. What a process that was started
// by the program writes after that has ended is not waited for beyond Cmd.WaitDelay.
type transcript struct {
	matched chan struct{} // closed at the line, or at once where none is waited for
	pattern *regexp.Regexp
	open    []byte // of the line that has not ended

	mu   sync.Mutex
	last []byte
}

func newTranscript(pattern string) *transcript {
	s := &transcript{matched: make(chan struct{})}
	if pattern == "" {
		close(s.matched)
	} else {
		s.pattern = regexp.MustCompile(pattern)
	}
	return s
}

// maxLogLine bounds a line of the output; what is longer counts as several.
const maxLogLine = 64 << 10

// keptOutput bounds what of a program's output an error shows.
const keptOutput = 2000

func (s *transcript) Write(p []byte) (int, error) {
	s.look(p)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.last = append(s.last, p...)
	s.last = s.last[max(0, len(s.last)-keptOutput):]
	return len(p), nil
}

func (s *transcript) look(p []byte) {
	for s.pattern != nil && len(p) > 0 {
		line, rest, ended := bytes.Cut(p, []byte("\n"))
		s.open, p = append(s.open, line...), rest
		if !ended && len(s.open) < maxLogLine {
			return
		}
		if s.pattern.Match(bytes.TrimRight(s.open, "\r")) {
			s.pattern = nil
			close(s.matched)
		}
		s.open = s.open[:0]
	}
}

func (s *transcript) tail() []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.last
}
