package mongo

import (
	"net"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// BenchmarkProxy compares a find through the proxy, guard included, with one
// on the embedded database itself.
func BenchmarkProxy(b *testing.B) {
	s, err := Start(b.Context(), Config{})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	direct, err := s.embedded.dial(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	defer direct.Close()
	proxied, err := net.Dial("tcp", s.addr)
	if err != nil {
		b.Fatal(err)
	}
	defer proxied.Close()
	find := bson.D{{Key: "find", Value: "c"}, {Key: "filter", Value: bson.D{{Key: "_id", Value: 1}}}, {Key: "$db", Value: "d"}}
	insert := bson.D{{Key: "insert", Value: "c"}, {Key: "documents", Value: bson.A{bson.D{{Key: "_id", Value: 1}}}}, {Key: "$db", Value: "d"}}
	if _, err := s.embedded.run(direct, insert); err != nil {
		b.Fatal(err)
	}
	var base, through time.Duration
	for b.Loop() { // in turns, so that both see the same machine
		base += timed(b, s, direct, find)
		through += timed(b, s, proxied, find)
	}
	b.ReportMetric(base.Seconds()*1e6/float64(b.N), "direct-µs")
	b.ReportMetric(through.Seconds()*1e6/float64(b.N), "proxied-µs")
	b.ReportMetric(float64(through)/float64(base), "ratio")
}

func timed(b *testing.B, s *Server, conn net.Conn, cmd bson.D) time.Duration {
	b.Helper()
	began := time.Now()
	if _, err := s.embedded.run(conn, cmd); err != nil {
		b.Fatal(err)
	}
	return time.Since(began)
}
