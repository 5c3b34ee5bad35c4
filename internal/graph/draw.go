package graph

import (
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// Letters that fit beside each other in a box, at the widths of common sans-serif
// fonts; an SVG cannot measure its text.
const (
	nameLetters = 28
	lineLetters = 34
)

func (b *box) draw(w io.Writer) {
	fmt.Fprintf(w, `<g><title>%s</title><rect x="%d" y="%d" width="%d" height="%d" rx="8" fill="#f8fafc" stroke="%s" stroke-width="1.5"/>`+"\n",
		escape(strings.TrimSpace(b.name+"\n"+b.address)), b.x, b.y, column, b.height(), b.color)
	fmt.Fprintf(w, `<text x="%d" y="%d" font-size="12" fill="%s" font-weight="600">%s</text>`+"\n", b.x+12, b.y+20, b.color, escape(cut(b.kind, lineLetters)))
	fmt.Fprintf(w, `<text x="%d" y="%d" font-size="13" fill="#0f172a" font-weight="600">%s</text>`+"\n", b.x+12, b.y+40, escape(cut(b.name, nameLetters)))
	if len(b.lines) > 0 {
		fmt.Fprintf(w, `<path d="M%d %dh%d" stroke="#cbd5e1"/>`+"\n", b.x, b.y+headHigh-2, column)
	}
	for i, line := range b.lines {
		indent := len(line) - len(strings.TrimLeft(line, " "))
		fmt.Fprintf(w, `<text x="%d" y="%d" font-size="12" fill="#334155"><title>%s</title>%s</text>`+"\n",
			b.x+12+indent*5, b.y+headHigh+8+i*lineHigh+10, escape(strings.TrimSpace(line)), escape(cut(strings.TrimSpace(line), lineLetters-indent)))
	}
	fmt.Fprintln(w, "</g>")
}

// draw leads down from a box that stands above, and right by a bend from one that
// stands left; boxes of one row are joined at the height of their heads.
func (a arrow) draw(w io.Writer) {
	if a.from.x == a.to.x {
		x, y := a.from.x+column/2, a.from.y+a.from.height()
		fmt.Fprintf(w, `<path d="M%d %dV%d" stroke="#475569" stroke-width="1.5" fill="none" marker-end="url(#tip)"/>`+"\n", x, y, a.to.y-2)
		a.word(w, x+8, (y+a.to.y)/2+4)
		return
	}
	x, y := a.from.x+column, a.from.y+headHigh/2
	bend, end := a.to.x-gap/2, a.to.y+headHigh/2
	fmt.Fprintf(w, `<path d="M%d %dH%dV%dH%d" stroke="#475569" stroke-width="1.5" fill="none" stroke-linejoin="round" marker-end="url(#tip)"/>`+"\n", x, y, bend, end, a.to.x-2)
	a.word(w, x+4, y-6)
}

func (a arrow) word(w io.Writer, x, y int) {
	if a.label != "" {
		fmt.Fprintf(w, `<text x="%d" y="%d" font-size="11" fill="#475569">%s</text>`+"\n", x, y, escape(a.label))
	}
}

// cut shortens to n letters, the last an ellipsis.
func cut(s string, n int) string {
	if utf8.RuneCountInString(s) <= n {
		return s
	}
	letters := []rune(s)
	return string(letters[:n-1]) + "…"
}

var escaper = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&quot;")

// escape makes any text safe in XML: letters that XML 1.0 does not have become
// U+FFFD (https://www.w3.org/TR/xml/#charsets).
func escape(s string) string {
	clean := strings.Map(func(r rune) rune {
		switch {
		case r == '\t', r == '\n', r == '\r', r >= 0x20 && r <= 0xD7FF, r >= 0xE000 && r <= 0xFFFD, r >= 0x10000:
			return r
		}
		return utf8.RuneError
	}, strings.ToValidUTF8(s, string(utf8.RuneError)))
	return escaper.Replace(clean)
}
