package wire_test

import (
	"bytes"
	"encoding/binary"
	"strings"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/aproorg/sluice/internal/emulate/mongo/guard"
	"github.com/aproorg/sluice/internal/emulate/mongo/wire"
)

func frame(t testing.TB, m wire.Message) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := m.Write(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// FuzzWire holds the parsers to two promises: they do not panic, and what they
// accept survives a round trip.
func FuzzWire(f *testing.F) {
	insert := wire.Payload{
		Doc:       must(bson.Marshal(bson.D{{Key: "insert", Value: "c"}, {Key: "$db", Value: "d"}})),
		Sequences: []wire.Sequence{{Name: "documents", Docs: []bson.Raw{must(bson.Marshal(bson.D{{Key: "_id", Value: 1}}))}}},
	}
	pipeline := wire.Payload{Doc: must(bson.Marshal(bson.D{{Key: "aggregate", Value: "c"}, {Key: "pipeline", Value: bson.A{
		bson.D{{Key: "$lookup", Value: bson.D{{Key: "let", Value: bson.D{{Key: "a", Value: 1}}}}}}}}, {Key: "$db", Value: "d"}}))}
	f.Add(frame(f, wire.Message{RequestID: 1, Opcode: wire.OpMsg, Body: insert.Encode()}))
	f.Add(frame(f, wire.Message{RequestID: 2, Opcode: wire.OpMsg, Body: pipeline.Encode()}))
	hello := append([]byte("\x00\x00\x00\x00admin.$cmd\x00\x00\x00\x00\x00\xff\xff\xff\xff"), insert.Doc...)
	f.Add(frame(f, wire.Message{RequestID: 3, Opcode: wire.OpQuery, Body: hello}))
	f.Add([]byte("\xff\xff\xff\x7f0123456789ab"))
	f.Add([]byte("GET / HTTP/1.1\r\n\r\n"))
	f.Fuzz(func(t *testing.T, in []byte) {
		if len(in) > 16<<10 || len(in) >= 4 && int(binary.LittleEndian.Uint32(in)) > len(in) {
			return // TestReadRefuses has what is cut off; a megabyte for each would be all that is fuzzed
		}
		m, err := wire.Read(bytes.NewReader(in))
		if err != nil {
			return
		}
		if got := frame(t, m); !bytes.Equal(got, in[:len(got)]) {
			t.Errorf("frame changed: %x became %x", in, got)
		}
		if doc, err := wire.ParseQuery(m.Body); err == nil {
			wire.WithQuery(m.Body, doc)
		}
		p, err := wire.ParsePayload(m.Body)
		if err != nil {
			return
		}
		guard.New(nil).Check("", "", wire.NewCommand(p), func() guard.Caller { return guard.Caller{} })
		again, err := wire.ParsePayload(p.Encode())
		if err != nil || !bytes.Equal(again.Encode(), p.Encode()) {
			t.Errorf("payload changed in a round trip: %v", err)
		}
	})
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err) // of plain values, which always encode
	}
	return v
}

func TestReadRefuses(t *testing.T) {
	for name, in := range map[string]string{
		"cut off":   "\x20\x00\x00\x00aaaabbbb\xdd\x07\x00\x00body",
		"megabytes": "\x00\x00\x20\x00aaaabbbb\xdd\x07\x00\x00body",
		"too long":  "\xff\xff\xff\x7f0123456789ab",
		"too short": "\x0f\x00\x00\x000123456789ab",
	} {
		if m, err := wire.Read(strings.NewReader(in)); err == nil {
			t.Errorf("%s: %+v", name, m)
		}
	}
}
