// Package stream is how an event stream (server-sent events) arrives: its events with the moment of each, whether it came
// to its end, and whether its cadence shows that a hop collected it. What is wrong it returns as a check's outcome.
//
// It leaves out the request, and what else a check asks of a stream.
package stream

import (
	"bytes"
	"errors"
	"io"
	"strings"
)

// Event is one server-sent event (WHATWG HTML, 9.2.6), or a comment line, which a browser would not show.
type Event struct {
	Name    string // "message" where the stream gives none
	Data    string
	ID      string
	Comment bool // Data is the comment's text
	// Alone is set on the empty line after comments that no event follows: some clients take it for an event without data.
	Alone bool
}

// maxEvent bounds one event.
const maxEvent = 16 << 20

var errEventTooLarge = errors.New("an event is larger than 16 MB")

// parser reads an event stream. It is fed chunks as they arrive, cut anywhere, and hands out each event with the chunk
// that ended it. The zero value is ready.
type parser struct {
	rest    []byte // a line without its end
	started bool   // a byte order mark may no longer come
	skipLF  bool   // the last line ended in CR, and a LF that follows belongs to it
	comment bool   // nothing but comments came since the last empty line
	inEvent bool   // a field came since then
	event   Event
	data    []string
	size    int
}

// feed returns the events and comments that this chunk completes.
func (p *parser) feed(chunk []byte) ([]Event, error) {
	var events []Event
	for len(chunk) > 0 {
		if p.skipLF {
			p.skipLF = false
			if chunk[0] == '\n' {
				chunk = chunk[1:]
				continue
			}
		}
		i := bytes.IndexAny(chunk, "\r\n")
		if i < 0 {
			p.rest = append(p.rest, chunk...)
			break
		}
		p.rest = append(p.rest, chunk[:i]...)
		p.skipLF = chunk[i] == '\r'
		chunk = chunk[i+1:]
		events = p.line(events)
	}
	if len(p.rest)+p.size > maxEvent {
		return events, errEventTooLarge
	}
	return events, nil
}

// line takes the line in rest.
func (p *parser) line(events []Event) []Event {
	line := string(p.rest)
	p.rest = p.rest[:0]
	if !p.started {
		p.started = true
		line = strings.TrimPrefix(line, "\uFEFF")
	}
	if line == "" {
		return p.dispatch(events)
	}
	field, value, _ := strings.Cut(line, ":")
	value = strings.TrimPrefix(value, " ")
	if field == "" {
		p.comment = p.comment || !p.inEvent
		return append(events, Event{Comment: true, Data: value})
	}
	p.comment, p.inEvent = false, true
	switch field {
	case "data":
		p.size += len(value) + 1
		p.data = append(p.data, value)
	case "event":
		p.event.Name = value
	case "id":
		if !strings.Contains(value, "\x00") {
			p.event.ID = value
		}
	}
	return events
}

// dispatch ends an event at an empty line. One without data is none; the id goes on to the next.
func (p *parser) dispatch(events []Event) []Event {
	if p.comment {
		events = append(events, Event{Comment: true, Alone: true})
	}
	e := p.event
	data := p.data
	p.comment, p.inEvent = false, false
	p.event, p.data, p.size = Event{ID: e.ID}, nil, 0
	if data == nil {
		return events
	}
	if e.Name == "" {
		e.Name = "message"
	}
	e.Data = strings.Join(data, "\n")
	return append(events, e)
}

// Find reads an event stream up to the event whose data is wanted, and returns the data of the last event where none
// is.
func Find(body io.Reader, wanted func(data []byte) bool) ([]byte, error) {
	var p parser
	var last []byte
	buf := make([]byte, 64<<10)
	for {
		n, err := body.Read(buf)
		events, fault := p.feed(buf[:n])
		for _, e := range events {
			if e.Comment {
				continue
			}
			if last = []byte(e.Data); wanted(last) {
				return last, nil
			}
		}
		switch {
		case fault != nil:
			return last, fault
		case errors.Is(err, io.EOF):
			return last, nil
		case err != nil:
			return last, err
		}
	}
}
