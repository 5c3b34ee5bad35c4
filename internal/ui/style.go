package ui

import (
	"fmt"
	"strings"
	"time"
	"unicode/utf8"
)

// Style is a way to show text; on anything but a terminal it is plain.
type Style string

// Styles, as SGR parameters (ECMA-48).
const (
	Plain  Style = ""
	Bold   Style = "1"
	Dim    Style = "2"
	Red    Style = "31"
	Green  Style = "32"
	Yellow Style = "33"
	Blue   Style = "34"
	Purple Style = "35"
)

const reset = "\x1b[0m"

// Paint puts text in a style where the terminal has colours.
func (t *Terminal) Paint(style Style, text string) string {
	if !t.colour || style == Plain || text == "" {
		return text
	}
	return "\x1b[" + string(style) + "m" + text + reset
}

// Pad fills text with spaces up to a width in characters, or cuts it with an
// ellipsis.
func Pad(text string, width int) string {
	n := utf8.RuneCountInString(text)
	if n > width {
		return string([]rune(text)[:width-1]) + "…"
	}
	return text + strings.Repeat(" ", width-n)
}

// Duration writes a length of time with three digits or so.
func Duration(d time.Duration) string {
	switch {
	case d < time.Millisecond:
		return fmt.Sprintf("%d µs", d.Microseconds())
	case d < 10*time.Millisecond:
		return fmt.Sprintf("%.1f ms", float64(d)/float64(time.Millisecond))
	case d < time.Second:
		return fmt.Sprintf("%d ms", d.Milliseconds())
	case d < time.Minute:
		return fmt.Sprintf("%.2f s", d.Seconds())
	default:
		return d.Round(time.Second).String()
	}
}

// Bytes writes a size in decimal units.
func Bytes(n int64) string {
	switch {
	case n < 1000:
		return fmt.Sprintf("%d B", n)
	case n < 1_000_000:
		return fmt.Sprintf("%.1f kB", float64(n)/1e3)
	default:
		return fmt.Sprintf("%.1f MB", float64(n)/1e6)
	}
}
