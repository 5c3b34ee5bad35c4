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
	mu     sync.Mutex
	out    io.Writer
	width  func() int // nil where there is no terminal
	colour bool
	status string // as it is on the screen
	drawn  time.Time
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
	t.write(t.clear() + line + "\n" + t.status)
}

// redraw is the least time between two states of the status line.
const redraw = 80 * time.Millisecond

// Status replaces the status line; an empty one takes it away. Changes that
// follow one another quickly are skipped, save for the last taking away.
func (t *Terminal) Status(status string) {
	if t.width == nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if now := time.Now(); status != "" && now.Sub(t.drawn) < redraw {
		return
	} else {
		t.drawn = now
	}
	clear := t.clear()
	t.status = cut(status, t.width()-1)
	t.write(clear + t.status)
}

// clear is what takes the status off the screen.
func (t *Terminal) clear() string {
	if t.status == "" {
		return ""
	}
	return "\r\x1b[K"
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
