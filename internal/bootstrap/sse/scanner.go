// Package sse knows where one event of a text/event-stream ends and the next begins, so that something may be put in between,
// and which fields the events have. It does not read their data.
//
// See https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation: lines end with CRLF, LF or
// CR, and an empty line ends an event.
package sse

import "bytes"

// Scanner follows a stream that arrives in any pieces. The zero value stands before the first byte. It is not safe for concurrent use.
type Scanner struct {
	inLine  bool // a line has begun and not ended
	inEvent bool // a line has ended since the last empty one
	afterCR bool // the last byte was CR: an LF that comes next belongs to it
	crlf    bool // the stream has shown CRLF, so a CR alone is half of one

	start [len("event: message") + 1]byte // of the line at hand, as far as it has come
	size  int                             // of start
	event event
	style Style
}

// event is what the lines of one event have shown so far.
type event struct{ named, identified, data bool }

// Style is what the events of a stream have in common so far. The zero value has seen none.
type Style struct {
	// Named and Unnamed say that an event with a name of its own came, and one without, which is a message.
	Named, Unnamed bool
	// IDs says that an event had an id, with which a client asks for the rest of a stream that broke off.
	IDs bool
}

// Feed takes the next bytes of the stream. It reports whether any of them is of a field: line ends and comments, with which apps
// keep connections open, are not.
func (s *Scanner) Feed(p []byte) (spoke bool) {
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
			s.keep(p)
			return spoke || s.start[0] != ':'
		}
		s.keep(p[:n])
		spoke = spoke || n > 0 && s.start[0] != ':'
		s.endLine(s.inLine || n > 0)
		s.afterCR = p[n] == '\r'
		p = p[n+1:]
	}
	return spoke
}

// keep adds to the start of the line at hand.
func (s *Scanner) keep(p []byte) { s.size += copy(s.start[s.size:], p) }

func (s *Scanner) endLine(hadText bool) {
	if hadText {
		s.event.add(s.start[:s.size])
	} else {
		s.endEvent()
	}
	s.inEvent = hadText
	s.inLine = false
	s.size = 0
}

func (e *event) add(start []byte) {
	field, value, _ := bytes.Cut(start, []byte(":"))
	switch string(field) {
	case "event":
		name := string(bytes.TrimPrefix(value, []byte(" ")))
		e.named = name != "" && name != "message" // the last one counts
	case "id":
		e.identified = true
	case "data":
		e.data = true
	}
}

// endEvent notes what an event was like. One without data is none.
func (s *Scanner) endEvent() {
	if s.event.data {
		s.style.Named = s.style.Named || s.event.named
		s.style.Unnamed = s.style.Unnamed || !s.event.named
	}
	s.style.IDs = s.style.IDs || s.event.identified
	s.event = event{}
}

// Style is what the events that have ended were like.
func (s *Scanner) Style() Style { return s.style }

// Between says whether the last byte fed ended an event (or none was fed), so that another event may follow here.
func (s *Scanner) Between() bool {
	return !s.inLine && !s.inEvent && !(s.afterCR && s.crlf)
}

// AtLine says whether the last byte fed ended a line (or none was fed), so that a comment may follow here, inside an event too.
func (s *Scanner) AtLine() bool {
	return s.Between() || !s.inLine && !s.afterCR
}
