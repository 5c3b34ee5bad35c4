package mongo

import (
	"bytes"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"
)

func frame(t testing.TB, m message) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := m.write(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// FuzzWire holds the parsers to two promises: they do not panic, and what they
// accept survives a round trip.
func FuzzWire(f *testing.F) {
	insert := payload{
		doc:       must(bson.Marshal(bson.D{{Key: "insert", Value: "c"}, {Key: "$db", Value: "d"}})),
		sequences: []sequence{{name: "documents", docs: []bson.Raw{must(bson.Marshal(bson.D{{Key: "_id", Value: 1}}))}}},
	}
	pipeline := payload{doc: must(bson.Marshal(bson.D{{Key: "aggregate", Value: "c"}, {Key: "pipeline", Value: bson.A{
		bson.D{{Key: "$lookup", Value: bson.D{{Key: "let", Value: bson.D{{Key: "a", Value: 1}}}}}}}}, {Key: "$db", Value: "d"}}))}
	f.Add(frame(f, message{requestID: 1, opcode: opMsg, body: insert.encode()}))
	f.Add(frame(f, message{requestID: 2, opcode: opMsg, body: pipeline.encode()}))
	hello := append([]byte("\x00\x00\x00\x00admin.$cmd\x00\x00\x00\x00\x00\xff\xff\xff\xff"), insert.doc...)
	f.Add(frame(f, message{requestID: 3, opcode: opQuery, body: hello}))
	f.Add([]byte("\xff\xff\xff\x7f0123456789ab"))
	f.Add([]byte("GET / HTTP/1.1\r\n\r\n"))
	f.Fuzz(func(t *testing.T, in []byte) {
		m, err := readMessage(bytes.NewReader(in))
		if err != nil {
			return
		}
		if got := frame(t, m); !bytes.Equal(got, in[:len(got)]) {
			t.Errorf("frame changed: %x became %x", in, got)
		}
		if doc, err := parseQuery(m.body); err == nil {
			withQuery(m.body, doc)
		}
		p, err := parsePayload(m.body)
		if err != nil {
			return
		}
		inspect(newCommand(p))
		again, err := parsePayload(p.encode())
		if err != nil || !bytes.Equal(again.encode(), p.encode()) {
			t.Errorf("payload changed in a round trip: %v", err)
		}
	})
}
