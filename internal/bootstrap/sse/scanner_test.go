package sse

import (
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"
)

type vector struct {
	Name    string
	Stream  string
	Between []int
}

func vectors(t testing.TB) []vector {
	t.Helper()
	data, err := os.ReadFile("../../../testdata/vectors/sse.json")
	if err != nil {
		t.Fatal(err)
	}
	var doc struct{ Vectors []vector }
	if err := json.Unmarshal(data, &doc); err != nil {
		t.Fatal(err)
	}
	return doc.Vectors
}

func TestVectors(t *testing.T) {
	for _, v := range vectors(t) {
		t.Run(v.Name, func(t *testing.T) {
			var s Scanner
			var got []int
			for i := range len(v.Stream) + 1 {
				if s.Between() {
					got = append(got, i)
				}
				if i < len(v.Stream) {
					s.Feed([]byte{v.Stream[i]})
				}
			}
			if !slices.Equal(got, v.Between) {
				t.Errorf("between at %v, want %v", got, v.Between)
			}
		})
	}
}

// FuzzScanner: however the stream is cut, a heartbeat put in where its form allows it leaves every event as it was.
func FuzzScanner(f *testing.F) {
	for _, v := range vectors(f) {
		f.Add(v.Stream, uint8(3))
	}
	f.Add("data: a\r", uint8(1))
	f.Add("data: a\ndata: b\n\n", uint8(0))
	f.Add("event: message\nid: 1\ndata: a\r\n\r\n", uint8(2))
	f.Add("event: x\r\ndata: a\r\ndata: b\r\n\r\nevent: y\ndata\n\n", uint8(4))
	f.Fuzz(func(t *testing.T, stream string, size uint8) {
		if strings.HasPrefix(stream, "\ufeff") {
			t.Skip("a byte order mark counts only before the first byte")
		}
		isPing := func(e dispatched) bool { return e.name == "ping" && e.data == `{"type":"ping"}` }
		want := slices.DeleteFunc(parse(stream), isPing)
		for _, form := range []Form{AsEvent, AsComment, Auto} {
			if out := filled(stream, int(size)%7+1, form); !slices.Equal(slices.DeleteFunc(parse(out), isPing), want) {
				t.Errorf("form %d: %q became %q: %q, want %q", form, stream, out, parse(out), want)
			}
		}
	})
}

// filled is a stream that comes in pieces of the size, with a heartbeat wherever one may stand.
func filled(stream string, size int, form Form) string {
	var s Scanner
	var out strings.Builder
	for rest := stream; ; {
		out.WriteString(form.Beat(&s))
		if rest == "" {
			return out.String()
		}
		n := min(size, len(rest))
		s.Feed([]byte(rest[:n]))
		out.WriteString(rest[:n])
		rest = rest[n:]
	}
}

// FuzzStyle: what the scanner says of the events is what a reader of the whole stream finds, however it was cut.
func FuzzStyle(f *testing.F) {
	for _, v := range vectors(f) {
		f.Add(v.Stream, uint8(3))
	}
	f.Add("event: message\ndata: a\n\nevent:messages\ndata: a\n\n", uint8(1))
	f.Add("event: x\nevent:\ndata: a\n\nid\n\n", uint8(5))
	f.Fuzz(func(t *testing.T, stream string, size uint8) {
		var s Scanner
		for piece := range slices.Chunk([]byte(stream), int(size)%7+1) {
			s.Feed(piece)
		}
		var want Style
		for _, e := range parse(stream) {
			own := e.name != "" && e.name != "message"
			want.Named, want.Unnamed = want.Named || own, want.Unnamed || !own
		}
		want.IDs = s.Style().IDs // an id counts without data too
		if s.Style() != want {
			t.Errorf("%q: %+v, want %+v", stream, s.Style(), want)
		}
	})
}

func TestStyleAndBeat(t *testing.T) {
	for _, c := range []struct {
		stream   string
		style    Style
		auto     string
		comments string
	}{
		{"", Style{}, Comment, Comment},
		{"event: x\ndata: a\n\n", Style{Named: true}, Ping, Comment},
		{"event: x\ndata: a\n\nevent: y\ndata: b\n", Style{Named: true}, "", Comment},
		{"event: x\ndata: a\n\nevent: y\ndata: ", Style{Named: true}, "", ""},
		{"event: x\ndata: a\n\ndata: b\n\n", Style{Named: true, Unnamed: true}, Comment, Comment},
		{"event: message\ndata: a\n\n", Style{Unnamed: true}, Comment, Comment},
		{"event: messages\ndata: a\n\n", Style{Named: true}, Ping, Comment},
		{"event: x\nid: 1\ndata: a\n\n", Style{Named: true, IDs: true}, Comment, Comment},
		{"id: 1\ndata:\n\n", Style{Unnamed: true, IDs: true}, Comment, Comment},
		{"event: x\n\n", Style{}, Comment, Comment},
		{": keepalive\n\n", Style{}, Comment, Comment},
		{"data: a\r\ndata: b\r", Style{}, "", ""}, // an LF may follow
		{"data: a\r\rdata: b\r\r", Style{Unnamed: true}, Comment, Comment},
	} {
		for size := range 4 {
			var s Scanner
			for piece := range slices.Chunk([]byte(c.stream), size+1) {
				s.Feed(piece)
			}
			if s.Style() != c.style || Auto.Beat(&s) != c.auto || AsComment.Beat(&s) != c.comments {
				t.Errorf("%q: %+v, auto %q, comment %q; want %+v", c.stream, s.Style(), Auto.Beat(&s), AsComment.Beat(&s), c)
			}
		}
	}
}

func TestCommentsAreNoSpeech(t *testing.T) {
	for _, c := range []struct {
		pieces []string
		spoke  []bool
	}{
		{[]string{": keepalive\n\n", "data: a\n\n", ":\r\n", "\r\n"}, []bool{false, true, false, false}},
		{[]string{": kee", "p\n", "\n", ": a\ndata: b\n"}, []bool{false, false, false, true}},
		{[]string{"da", "ta: : a", "\n", "\n: b\n"}, []bool{true, true, false, false}},
		{[]string{"data: a\r", "\n", ":\r\rid"}, []bool{true, false, true}},
	} {
		var s Scanner
		for i, piece := range c.pieces {
			if got := s.Feed([]byte(piece)); got != c.spoke[i] {
				t.Errorf("%q: piece %d is speech: %v", c.pieces, i, got)
			}
		}
	}
}

// dispatched is an event as a reader gets it.
type dispatched struct{ name, data string }

// parse reads a whole stream by the words of the standard.
func parse(stream string) []dispatched {
	stream = strings.ReplaceAll(strings.ReplaceAll(stream, "\r\n", "\n"), "\r", "\n")
	var events []dispatched
	var name, data string
	seen := false
	lines := strings.Split(stream, "\n")
	for _, line := range lines[:len(lines)-1] {
		if line == "" {
			if seen {
				events = append(events, dispatched{name, strings.TrimSuffix(data, "\n")})
			}
			name, data, seen = "", "", false
			continue
		}
		field, value, _ := strings.Cut(line, ":")
		value = strings.TrimPrefix(value, " ")
		switch field {
		case "event":
			name = value
		case "data":
			data, seen = data+value+"\n", true
		}
	}
	return events
}
