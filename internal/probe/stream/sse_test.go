package stream

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func parseAll(t testing.TB, text string, cut func(rest int) int) []Event {
	t.Helper()
	var p parser
	var all []Event
	for len(text) > 0 {
		n := max(1, min(len(text), cut(len(text))))
		events, err := p.feed([]byte(text[:n]))
		if err != nil {
			t.Fatal(err)
		}
		all, text = append(all, events...), text[n:]
	}
	return all
}

// The examples are of WHATWG HTML, 9.2.6, and of what hops do to line ends.
func TestParser(t *testing.T) {
	for _, c := range []struct {
		name, text string
		want       []Event
	}{
		{"two lines of data", "data: YHOO\ndata: +2\ndata: 10\n\n", []Event{{Name: "message", Data: "YHOO\n+2\n10"}}},
		{"comment, ids", ": test stream\n\ndata: first\nid: 1\n\ndata:second\nid\n\ndata:  third\n\n", []Event{
			{Comment: true, Data: "test stream"}, {Comment: true, Alone: true}, {Name: "message", Data: "first", ID: "1"}, {Name: "message", Data: "second"}, {Name: "message", Data: " third"}}},
		{"comments within an event", ": a\n: b\ndata: x\n: c\n\n", []Event{{Comment: true, Data: "a"}, {Comment: true, Data: "b"}, {Comment: true, Data: "c"}, {Name: "message", Data: "x"}}},
		{"empty data", "data\n\ndata\ndata\n\ndata:", []Event{{Name: "message"}, {Name: "message", Data: "\n"}}},
		{"CR and CRLF", "event: ping\r\ndata: {}\r\n\r\ndata: x\r\r", []Event{{Name: "ping", Data: "{}"}, {Name: "message", Data: "x"}}},
		{"byte order mark", "\uFEFFdata: x\n\n", []Event{{Name: "message", Data: "x"}}},
		{"name without data", "event: x\n\ndata: y\n\n", []Event{{Name: "message", Data: "y"}}},
		{"unended", "data: x\n", nil},
	} {
		for _, size := range []int{1, 2, 3, 1000} {
			got := parseAll(t, c.text, func(int) int { return size })
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("%s in chunks of %d (-want +got):\n%s", c.name, size, diff)
			}
		}
	}
}

func TestParserBoundsAnEvent(t *testing.T) {
	var p parser
	line := []byte("data: " + strings.Repeat("x", 1<<20) + "\n")
	var err error
	for range 20 {
		if _, err = p.feed(line); err != nil {
			break
		}
	}
	if err == nil {
		t.Error("an endless event is kept")
	}
}

func FuzzParserIgnoresChunking(f *testing.F) {
	for _, seed := range []string{"data: a\n\n", "event: ping\ndata: {}\n\n", ": c\r\ndata:x\r\n\r\n", "\uFEFFid: 1\ndata\n\n", "data: \x00\xff\n\r\n\r"} {
		f.Add(seed, uint8(1))
		f.Add(seed, uint8(3))
	}
	f.Fuzz(func(t *testing.T, text string, size uint8) {
		if len(text) > 4<<10 {
			return // the parser is a loop over lines
		}
		whole := parseAll(t, text, func(rest int) int { return rest })
		parts := parseAll(t, text, func(int) int { return int(size) })
		if slices.Equal(whole, parts) {
			// and not by reflection, which takes most of the time
		} else if diff := cmp.Diff(whole, parts); diff != "" {
			t.Errorf("chunks of %d (-whole +parts):\n%s", size, diff)
		}
		for _, e := range whole {
			if strings.ContainsAny(e.Name, "\r\n") || strings.Contains(e.Data, "\r") {
				t.Errorf("a line end within %+v", e)
			}
		}
	})
}
