package supervise

import (
	"bytes"
	"io"
	"regexp"
	"sync"
)

const (
	tailLines   = 20
	tailLineMax = 1 << 10
	lineMax     = 64 << 10 // longer lines are passed on in parts
)

// lineWriter passes whole lines on, so that the lines of several writers do not mix.
type lineWriter struct {
	to      io.Writer
	tail    *tail
	watch   *watch
	news    chan<- struct{} // gets a value at a line, unless it holds one; may be nil
	partial []byte
}

func (w *lineWriter) Write(p []byte) (int, error) {
	total := len(p)
	for len(p) > 0 {
		n := bytes.LastIndexByte(p, '\n') + 1
		if n == 0 {
			w.partial = append(w.partial, p...)
			if len(w.partial) >= lineMax {
				w.flush()
			}
			break
		}
		if len(w.partial) > 0 {
			w.emit(append(w.partial, p[:n]...))
			w.partial = nil
		} else {
			w.emit(p[:n])
		}
		p = p[n:]
	}
	return total, nil // the app is not to fail because our output does
}

// emit takes one or more whole lines.
func (w *lineWriter) emit(lines []byte) {
	_, _ = w.to.Write(lines)
	for line := range bytes.Lines(lines) {
		line = bytes.TrimRight(line, "\r\n")
		w.tail.add(line)
		w.watch.look(line)
	}
	select {
	case w.news <- struct{}{}:
	default:
	}
}

func (w *lineWriter) flush() {
	if len(w.partial) > 0 {
		w.emit(w.partial)
		w.partial = nil
	}
}

// tail keeps the last lines.
type tail struct {
	mu   sync.Mutex
	ring [tailLines][]byte
	next int
	full bool
}

func (t *tail) add(line []byte) {
	if len(line) > tailLineMax {
		line = line[:tailLineMax]
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.ring[t.next] = append(t.ring[t.next][:0], line...)
	t.next = (t.next + 1) % tailLines
	t.full = t.full || t.next == 0
}

func (t *tail) lines() []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	out := make([]string, 0, tailLines)
	if t.full {
		for _, line := range t.ring[t.next:] {
			out = append(out, string(line))
		}
	}
	for _, line := range t.ring[:t.next] {
		out = append(out, string(line))
	}
	return out
}

// watch closes seen at the first line that matches; at once without a pattern.
type watch struct {
	seen    chan struct{}
	mu      sync.Mutex
	pattern *regexp.Regexp
}

func newWatch(pattern *regexp.Regexp) *watch {
	w := &watch{seen: make(chan struct{}), pattern: pattern}
	if pattern == nil {
		close(w.seen)
	}
	return w
}

func (w *watch) look(line []byte) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.pattern != nil && w.pattern.Match(line) {
		w.pattern = nil
		close(w.seen)
	}
}
