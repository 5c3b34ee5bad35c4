package ui

import (
	"io"
	"os"
	"strings"
	"sync"
	"time"
	"unicode"

	"golang.org/x/term"
)

// Terminal writes lines for people, above a status line where there is one. Its
// methods may be called concurrently.
type Terminal struct {
	out    io.Writer
	width  func() int // nil where there is no terminal
	colour bool

	mu     sync.Mutex
	status string      // as it should be
	shown  bool        // a status is on the screen
	drawn  time.Time   // the last time
	redraw *time.Timer // draws what came too soon after that; nil if there is none
}

// NewTerminal looks at what out is. getenv is asked for NO_COLOR and TERM.
func NewTerminal(out io.Writer, getenv func(string) string) *Terminal {
	t := &Terminal{out: out}
	file, ok := out.(*os.File)
	if !ok || !term.IsTerminal(int(file.Fd())) || getenv("TERM") == "dumb" {
		return t
	}
	t.colour = getenv("NO_COLOR") == ""
	t.width = func() int {
		width, _, err := term.GetSize(int(file.Fd()))
		if err != nil || width <= 0 {
			return 80
		}
		return width
	}
	return t
}

// Interactive reports whether a person may be looking at it.
func (t *Terminal) Interactive() bool { return t.width != nil }

// Line writes a line that stays.
func (t *Terminal) Line(line string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.write(t.clear() + line + "\n" + t.draw())
}

// pause is the least time between two states of the status line.
const pause = 80 * time.Millisecond

// Status replaces the status line; an empty one takes it away at once. Of changes
// that follow one another quickly the last is drawn, a little later.
func (t *Terminal) Status(status string) {
	if t.width == nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.status = status
	since := time.Since(t.drawn)
	switch {
	case status == "":
		if t.redraw != nil {
			t.redraw.Stop()
			t.redraw = nil
		}
		t.write(t.clear())
	case since >= pause:
		t.write(t.clear() + t.draw())
	case t.redraw == nil:
		t.redraw = time.AfterFunc(pause-since, t.drawLate)
	}
}

// drawLate draws a status that came too soon.
func (t *Terminal) drawLate() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.redraw == nil {
		return // stopped too late
	}
	t.redraw = nil
	t.write(t.clear() + t.draw())
}

// clear is what takes the status off the screen.
func (t *Terminal) clear() string {
	if !t.shown {
		return ""
	}
	t.shown = false
	return "\r\x1b[K"
}

// draw is what puts the status on the screen.
func (t *Terminal) draw() string {
	if t.status == "" {
		return ""
	}
	t.shown, t.drawn = true, time.Now()
	return cut(t.status, t.width()-1)
}

// write ignores errors: a terminal that went away is no reason to stop the work.
func (t *Terminal) write(s string) {
	if s != "" {
		_, _ = io.WriteString(t.out, s)
	}
}

// cut shortens a line to the width of a terminal, escape sequences not counted.
func cut(s string, width int) string {
	var b strings.Builder
	n, escape := 0, false
	for _, r := range s {
		switch {
		case r == '\x1b':
			escape = true
		case escape:
			escape = !unicode.IsLetter(r)
		default:
			if n++; n > width {
				return b.String() + reset
			}
		}
		b.WriteRune(r)
	}
	return b.String()
}

// Clean makes text of others fit for one line of a terminal.
func Clean(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\t':
			return ' '
		case unicode.IsControl(r), r == '\u202e', r == '\u2066', r == '\u2067', r == '\u2068':
			return -1
		}
		return r
	}, s)
}
