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

// FuzzScanner: however the stream is cut, a ping put in where the scanner allows it leaves every event as it was.
func FuzzScanner(f *testing.F) {
	for _, v := range vectors(f) {
		f.Add(v.Stream, uint8(3))
	}
	f.Add("data: a\r", uint8(1))
	f.Fuzz(func(t *testing.T, stream string, size uint8) {
		if strings.HasPrefix(stream, "\ufeff") {
			t.Skip("a byte order mark counts only before the first byte")
		}
		step := int(size)%7 + 1
		var s Scanner
		var out strings.Builder
		for rest := stream; ; {
			if s.Between() {
				out.WriteString(Ping)
			}
			if rest == "" {
				break
			}
			n := min(step, len(rest))
			s.Feed([]byte(rest[:n]))
			out.WriteString(rest[:n])
			rest = rest[n:]
		}
		isPing := func(e string) bool { return e == "ping|{}" }
		got := slices.DeleteFunc(parse(out.String()), isPing)
		want := slices.DeleteFunc(parse(stream), isPing)
		if !slices.Equal(got, want) {
			t.Errorf("%q became %q: %q, want %q", stream, out.String(), got, want)
		}
	})
}

// parse reads a whole stream by the words of the standard, into name|data of each event dispatched.
func parse(stream string) []string {
	stream = strings.ReplaceAll(strings.ReplaceAll(stream, "\r\n", "\n"), "\r", "\n")
	var events []string
	var name, data string
	seen := false
	lines := strings.Split(stream, "\n")
	for _, line := range lines[:len(lines)-1] {
		if line == "" {
			if seen {
				events = append(events, name+"|"+strings.TrimSuffix(data, "\n"))
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
