package rehearsal

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
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
	read   sync.WaitGroup
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
	output, err := a.cmd.StdoutPipe()
	if err != nil {
		return err
	}
	a.cmd.Stderr = a.cmd.Stdout
	ended, end := context.WithCancel(ctx)
	a.Begun = time.Now()
	if err := startOwn(&a.read, a.cmd, func() {
		defer end() // its output ends with it
		lines.read(output)
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
	a.read.Wait()
	if a.cmd.Process != nil {
		_ = a.cmd.Wait() // it is ended by a signal
	}
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

// transcript looks for a line in output, and keeps the last lines.
type transcript struct {
	matched chan struct{} // closed at the line, or at once where none is waited for
	pattern *regexp.Regexp

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

// maxLogLine bounds a line of the output.
const maxLogLine = 64 << 10

// keptOutput bounds what of a program's output an error shows.
const keptOutput = 2000

func (s *transcript) read(output io.Reader) {
	lines := bufio.NewReaderSize(output, maxLogLine)
	for {
		line, err := lines.ReadSlice('\n')
		if errors.Is(err, bufio.ErrBufferFull) {
			err = nil // the rest comes as a line of its own
		}
		if s.pattern != nil && s.pattern.Match(bytes.TrimRight(line, "\r\n")) {
			s.pattern = nil
			close(s.matched)
		}
		s.mu.Lock()
		s.last = append(s.last, line...)
		s.last = s.last[max(0, len(s.last)-keptOutput):]
		s.mu.Unlock()
		if err != nil {
			return
		}
	}
}

func (s *transcript) tail() []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.last
}
