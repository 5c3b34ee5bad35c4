package embedded

import (
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/aproorg/sluice/internal/emulate/mongo/wire"
)

// TestDocumentsExpire: by a TTL index, at its time and not before, with its filter, and no more once it is dropped.
func TestDocumentsExpire(t *testing.T) {
	db, err := Open(t.TempDir(), "")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	conn, err := db.Dial(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	do := func(cmd bson.D) bson.Raw {
		t.Helper()
		doc := must(bson.Marshal(append(cmd, bson.E{Key: "$db", Value: "chat"})))
		a := db.Adapt(t.Context(), wire.NewCommand(wire.Payload{Doc: doc}))
		defer a.Done()
		if a.Reply != nil {
			if !wire.Truthy(a.Reply.Lookup("ok")) {
				t.Fatal(a.Reply)
			}
			return a.Reply
		}
		reply, err := db.run(conn, append(cmd, bson.E{Key: "$db", Value: "chat"}))
		if err == nil && a.Edit != nil {
			reply, err = a.Edit(reply)
		}
		if err != nil {
			t.Fatal(err)
		}
		return reply
	}
	now := time.Now()
	for name, index := range map[string]bson.D{
		"at a time":   {{Key: "key", Value: bson.D{{Key: "at", Value: 1}}}, {Key: "name", Value: "ttl"}, {Key: "expireAfterSeconds", Value: 0}},
		"after hours": {{Key: "key", Value: bson.D{{Key: "at", Value: 1}}}, {Key: "name", Value: "ttl"}, {Key: "expireAfterSeconds", Value: 3600}},
		"some": {{Key: "key", Value: bson.D{{Key: "at", Value: 1}}}, {Key: "name", Value: "ttl"}, {Key: "expireAfterSeconds", Value: 0},
			{Key: "partialFilterExpression", Value: bson.D{{Key: "short", Value: true}}}},
		"none": {{Key: "key", Value: bson.D{{Key: "at", Value: 1}}}, {Key: "name", Value: "plain"}},
	} {
		do(bson.D{{Key: "createIndexes", Value: name}, {Key: "indexes", Value: bson.A{index}}})
		do(bson.D{{Key: "insert", Value: name}, {Key: "documents", Value: bson.A{
			bson.D{{Key: "_id", Value: 1}, {Key: "at", Value: now.Add(-2 * time.Hour)}, {Key: "short", Value: true}},
			bson.D{{Key: "_id", Value: 2}, {Key: "at", Value: now.Add(-time.Minute)}},
			bson.D{{Key: "_id", Value: 3}, {Key: "at", Value: now.Add(time.Minute)}},
			bson.D{{Key: "_id", Value: 4}, {Key: "at", Value: "2001"}}, bson.D{{Key: "_id", Value: 5}},
		}}})
	}
	left := func(name string) int64 {
		n, _ := do(bson.D{{Key: "count", Value: name}}).Lookup("n").AsInt64OK()
		return n
	}
	for range 2 {
		if err := db.expire(t.Context(), now); err != nil {
			t.Fatal(err)
		}
	}
	for name, want := range map[string]int64{"at a time": 3, "after hours": 4, "some": 4, "none": 5} {
		if got := left(name); got != want {
			t.Errorf("%s: %d documents are left, want %d", name, got, want)
		}
	}
	do(bson.D{{Key: "dropIndexes", Value: "at a time"}, {Key: "index", Value: "ttl"}})
	if err := db.expire(t.Context(), now.Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	if got := left("at a time"); got != 3 {
		t.Errorf("%d documents are left without the index, want 3", got)
	}
}
