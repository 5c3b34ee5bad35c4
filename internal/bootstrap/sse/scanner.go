// Package sse knows where one event of a text/event-stream ends and the next begins, so that something may be put in between.
// It does not read the events.
//
// See https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation: lines end with CRLF, LF or
// CR, and an empty line ends an event.
package sse

import "bytes"

// Ping is an event that clients ignore unless they ask for it. It is no comment line, for some clients hand those to
// their callers as messages without data.
const Ping = "event: ping\ndata: {}\n\n"

// Scanner follows a stream that arrives in any pieces. The zero value stands before the first byte. It is not safe for concurrent use.
type Scanner struct {
	inLine  bool // a line has begun and not ended
	inEvent bool // a line has ended since the last empty one
	afterCR bool // the last byte was CR: an LF that comes next belongs to it
	crlf    bool // the stream has shown CRLF, so a CR alone is half of one
}

// Feed takes the next bytes of the stream.
func (s *Scanner) Feed(p []byte) {
	for len(p) > 0 {
		if s.afterCR {
			s.afterCR = false
			if p[0] == '\n' {
				s.crlf = true
				p = p[1:]
				continue
			}
		}
		n := bytes.IndexAny(p, "\r\n")
		if n < 0 {
			s.inLine = true
			return
		}
		s.endLine(s.inLine || n > 0)
		s.afterCR = p[n] == '\r'
		p = p[n+1:]
	}
}

func (s *Scanner) endLine(hadText bool) {
	s.inEvent = hadText
	s.inLine = false
}

// Between says whether the last byte fed ended an event (or none was fed), so that another event may follow here.
func (s *Scanner) Between() bool {
	return !s.inLine && !s.inEvent && !(s.afterCR && s.crlf)
}

// AppendEvent appends an event with a name and one line of data.
func AppendEvent(dst []byte, name, data string) []byte {
	dst = append(append(dst, "event: "...), name...)
	dst = append(append(dst, "\ndata: "...), data...)
	return append(dst, "\n\n"...)
}
