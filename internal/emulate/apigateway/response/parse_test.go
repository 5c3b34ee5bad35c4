package response

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws/protocol/eventstream"
	"github.com/google/go-cmp/cmp"
)

func TestPreludeVectors(t *testing.T) {
	raw, err := os.ReadFile("testdata/preludes.json")
	if err != nil {
		t.Fatal(err)
	}
	var vectors []struct {
		Name, Metadata, Error string
		Status                int
		Header                http.Header
	}
	if err := json.Unmarshal(raw, &vectors); err != nil {
		t.Fatal(err)
	}
	for _, v := range vectors {
		t.Run(v.Name, func(t *testing.T) {
			whole := append(append([]byte(v.Metadata), delimiter...), "body\x00\x00"...)
			for cut := 1; cut <= len(whole); cut++ { // from byte by byte to one piece
				m, body, err := parsePieces(whole, cut)
				if v.Error != "" {
					if err == nil || !strings.Contains(err.Error(), v.Error) {
						t.Fatalf("pieces of %d: error %v, want %q", cut, err, v.Error)
					}
					continue
				}
				if err != nil || m.Status != v.Status || string(body) != "body\x00\x00" {
					t.Fatalf("pieces of %d: %+v %q %v", cut, m, body, err)
				}
				if d := cmp.Diff(v.Header, m.Header); d != "" {
					t.Fatal(d)
				}
			}
		})
	}
}

// parsePieces feeds a stream in pieces of n bytes and collects the body.
func parsePieces(stream []byte, n int) (*Head, []byte, error) {
	var p preludeParser
	var m *Head
	var body []byte
	for len(stream) > 0 {
		piece := stream[:min(n, len(stream))]
		stream = stream[len(piece):]
		if m != nil {
			body = append(body, piece...)
			continue
		}
		var rest []byte
		var err error
		if m, rest, err = p.feed(piece); err != nil {
			return nil, nil, err
		}
		body = append(body, rest...)
	}
	if m == nil {
		return nil, nil, errNoPrelude
	}
	return m, body, nil
}

func FuzzPreludeParser(f *testing.F) {
	f.Add([]byte("{\"statusCode\":200}\x00\x00\x00\x00\x00\x00\x00\x00body"), 3)
	f.Add([]byte("{\"statusCode\":200,\"headers\":{\"a\":\"\x00\"}}\x00\x00\x00\x00\x00\x00\x00\x00\x00"), 1)
	f.Add([]byte("\x00\x00\x00\x00\x00\x00\x00"), 7)
	f.Add(bytes.Repeat([]byte("x"), maxPrelude+1), 1000)
	f.Fuzz(func(t *testing.T, stream []byte, n int) {
		if n < 1 || n > 1<<20 {
			return
		}
		one, oneBody, oneErr := parsePieces(stream, max(1, len(stream)))
		m, body, err := parsePieces(stream, n)
		if (err == nil) != (oneErr == nil) {
			t.Fatalf("in pieces of %d: %v, whole: %v", n, err, oneErr)
		}
		if err == nil && (m.Status != one.Status || !cmp.Equal(m.Header, one.Header) || !bytes.Equal(body, oneBody)) {
			t.Fatalf("in pieces of %d: %+v %q, whole: %+v %q", n, m, body, one, oneBody)
		}
	})
}

// FuzzFrameReader holds the decoder against the SDK's.
func FuzzFrameReader(f *testing.F) {
	var seed bytes.Buffer
	m := eventstream.Message{Payload: []byte("payload")}
	m.Headers.Set(":message-type", eventstream.StringValue("event"))
	m.Headers.Set(":event-type", eventstream.StringValue("PayloadChunk"))
	m.Headers.Set("a", eventstream.Int32Value(1))
	m.Headers.Set("b", eventstream.BytesValue([]byte{1}))
	m.Headers.Set("c", eventstream.BoolValue(true))
	m.Headers.Set("d", eventstream.Int64Value(5))
	if err := eventstream.NewEncoder().Encode(&seed, m); err != nil {
		f.Fatal(err)
	}
	f.Add(seed.Bytes())
	f.Add(append(seed.Bytes(), seed.Bytes()[:20]...))
	f.Add([]byte{0, 0, 0, 16, 0, 0, 0, 0, 5, 194, 72, 235, 125, 152, 200, 255}) // the specification's empty message
	f.Fuzz(func(t *testing.T, in []byte) {
		ours, theirs := newFrameReader(bytes.NewReader(in)), eventstream.NewDecoder()
		r := bytes.NewReader(in)
		for {
			got, err := ours.next()
			want, werr := theirs.Decode(r, nil)
			if err != nil {
				if werr == nil {
					t.Fatalf("%v, but the SDK reads %+v", err, want)
				}
				return
			}
			if werr != nil {
				return // the SDK refuses more, for instance UUIDs of a wrong size
			}
			if !bytes.Equal(got.payload, want.Payload) {
				t.Fatalf("payload %q, want %q", got.payload, want.Payload)
			}
			if v := want.Headers.Get(":event-type"); v != nil && v.String() != got.eventType && want.Headers.Get(":exception-type") == nil && want.Headers.Get(":error-code") == nil {
				if _, text := v.(eventstream.StringValue); text {
					t.Fatalf("event type %q, want %q", got.eventType, v)
				}
			}
		}
	})
}

func TestFrameReaderSaysWhereAStreamBroke(t *testing.T) {
	var whole bytes.Buffer
	if err := eventstream.NewEncoder().Encode(&whole, eventstream.Message{Payload: []byte("hello")}); err != nil {
		t.Fatal(err)
	}
	for cut := range whole.Len() {
		_, err := newFrameReader(bytes.NewReader(whole.Bytes()[:cut])).next()
		if want := io.ErrUnexpectedEOF; cut > 0 && !errors.Is(err, want) || cut == 0 && err != io.EOF {
			t.Errorf("after %d bytes: %v", cut, err)
		}
	}
	for at := range whole.Len() {
		bad := bytes.Clone(whole.Bytes())
		bad[at] ^= 1
		if _, err := newFrameReader(bytes.NewReader(bad)).next(); err == nil {
			t.Errorf("byte %d changed: no error", at)
		}
	}
}

func BenchmarkChunk(b *testing.B) {
	piece := bytes.Repeat([]byte("x"), 100)
	var stream bytes.Buffer
	enc := eventstream.NewEncoder()
	m := eventstream.Message{Payload: piece}
	m.Headers.Set(":event-type", eventstream.StringValue("PayloadChunk"))
	if err := enc.Encode(&stream, m); err != nil {
		b.Fatal(err)
	}
	r := bytes.NewReader(nil)
	b.SetBytes(100)
	b.ReportAllocs()
	f := newFrameReader(r)
	for b.Loop() {
		r.Reset(stream.Bytes())
		if _, err := f.next(); err != nil {
			b.Fatal(err)
		}
	}
}
