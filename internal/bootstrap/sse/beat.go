package sse

// Ping is an event that clients ignore unless they ask for its name. Its data has the type that Anthropic's API gives the same
// event, for clients that look at the data and not at the name.
const Ping = "event: ping\ndata: {\"type\":\"ping\"}\n\n"

// Comment is a line that belongs to no event. No empty line follows it: some clients take a comment with one for an event
// without data.
const Comment = ": ping\n"

// Form is the form of a heartbeat.
type Form int

// The forms of a heartbeat.
const (
	// Auto follows the stream: an event where all of the app's own events have names, none of them message, and none has an id; else
	// a comment. Clients of such a stream go by the name, or by a type in the data. Others take each event for one of theirs, and one
	// without an id may make them forget where to resume.
	Auto Form = iota
	AsEvent
	AsComment
)

// Beat returns the heartbeat that may follow what the scanner was fed, or "" where none may.
func (f Form) Beat(s *Scanner) string {
	if f == AsEvent || f == Auto && s.Style() == (Style{Named: true}) {
		if s.Between() {
			return Ping
		}
		return ""
	}
	if s.AtLine() {
		return Comment
	}
	return ""
}

// AppendEvent appends an event with a name and one line of data.
func AppendEvent(dst []byte, name, data string) []byte {
	dst = append(append(dst, "event: "...), name...)
	dst = append(append(dst, "\ndata: "...), data...)
	return append(dst, "\n\n"...)
}
