package mongo

import (
	"errors"
	"net"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/aproorg/sluice/internal/emulate/mongo/wire"
)

// BenchmarkProxy compares commands of a chat through the proxy, guard and locks included, with
// those on the embedded database itself.
func BenchmarkProxy(b *testing.B) {
	one := bson.D{{Key: "_id", Value: 1}}
	for name, cmd := range map[string]bson.D{
		"find":          {{Key: "find", Value: "c"}, {Key: "filter", Value: one}},
		"update":        {{Key: "update", Value: "c"}, {Key: "updates", Value: bson.A{bson.D{{Key: "q", Value: one}, {Key: "u", Value: bson.D{{Key: "$inc", Value: bson.D{{Key: "n", Value: 1}}}}}}}}},
		"findAndModify": {{Key: "findAndModify", Value: "c"}, {Key: "query", Value: one}, {Key: "update", Value: bson.D{{Key: "$inc", Value: bson.D{{Key: "n", Value: 1}}}}}},
		"insert":        {{Key: "insert", Value: "new"}, {Key: "documents", Value: bson.A{bson.D{{Key: "text", Value: "hello"}}}}},
	} {
		b.Run(name, func(b *testing.B) { compare(b, append(cmd, bson.E{Key: "$db", Value: "d"})) })
	}
}

func compare(b *testing.B, cmd bson.D) {
	s, err := Start(b.Context(), Config{})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	direct, err := s.database.Dial(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	defer direct.Close()
	proxied, err := net.Dial("tcp", s.addr)
	if err != nil {
		b.Fatal(err)
	}
	defer proxied.Close()
	insert := bson.D{{Key: "insert", Value: "c"}, {Key: "documents", Value: bson.A{bson.D{{Key: "_id", Value: 1}}}}, {Key: "$db", Value: "d"}}
	if err := ask(direct, insert); err != nil {
		b.Fatal(err)
	}
	var base, through time.Duration
	for b.Loop() { // in turns, so that both see the same machine
		base += timed(b, direct, fresh(cmd))
		through += timed(b, proxied, fresh(cmd))
	}
	b.ReportMetric(base.Seconds()*1e6/float64(b.N), "direct-µs")
	b.ReportMetric(through.Seconds()*1e6/float64(b.N), "proxied-µs")
	b.ReportMetric(float64(through)/float64(base), "ratio")
}

// fresh gives the document of an insert an _id, as drivers do.
func fresh(cmd bson.D) bson.D {
	if cmd[0].Key != "insert" {
		return cmd
	}
	return bson.D{cmd[0], {Key: "documents", Value: bson.A{bson.D{{Key: "_id", Value: bson.NewObjectID()}, {Key: "text", Value: "hello"}}}}, cmd[2]}
}

func timed(b *testing.B, conn net.Conn, cmd bson.D) time.Duration {
	b.Helper()
	began := time.Now()
	if err := ask(conn, cmd); err != nil {
		b.Fatal(err)
	}
	return time.Since(began)
}

// ask sends one command and reads its reply.
func ask(conn net.Conn, cmd bson.D) error {
	doc, err := bson.Marshal(cmd)
	if err != nil {
		return err
	}
	if err := (wire.Message{RequestID: 1, Opcode: wire.OpMsg, Body: wire.Payload{Doc: doc}.Encode()}).Write(conn); err != nil {
		return err
	}
	m, err := wire.Read(conn)
	if err != nil {
		return err
	}
	p, err := wire.ParsePayload(m.Body)
	if err == nil && !wire.Truthy(p.Doc.Lookup("ok")) {
		err = errors.New(p.Doc.String())
	}
	return err
}
