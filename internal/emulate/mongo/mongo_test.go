package mongo_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.mongodb.org/mongo-driver/v2/bson"
	driver "go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/aproorg/sluice/internal/emulate/mongo"
	"github.com/aproorg/sluice/internal/emulate/mongo/guard"
	"github.com/aproorg/sluice/internal/testkit"
)

func start(t *testing.T, cfg mongo.Config) *mongo.Server {
	t.Helper()
	s, err := mongo.Start(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func connect(t *testing.T, s *mongo.Server, app string) *driver.Database {
	t.Helper()
	c, err := driver.Connect(options.Client().ApplyURI(s.URI("chat", app)).SetServerSelectionTimeout(10 * time.Second))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Disconnect(context.Background()) })
	return c.Database("chat")
}

func insert(t *testing.T, c *driver.Collection, docs ...any) {
	t.Helper()
	if _, err := c.InsertMany(t.Context(), docs); err != nil {
		t.Fatal(err)
	}
}

func TestFindAndModifyAppliesFields(t *testing.T) {
	users := connect(t, start(t, mongo.Config{}), "app").Collection("users")
	insert(t, users, bson.D{{Key: "_id", Value: 1}, {Key: "name", Value: "ann"}, {Key: "password", Value: "x"}, {Key: "n", Value: 1}})
	for _, tc := range []struct {
		name         string
		fields, want bson.D
	}{
		{"include", bson.D{{Key: "name", Value: 1}}, bson.D{{Key: "_id", Value: int32(1)}, {Key: "name", Value: "ann"}}},
		{"exclude", bson.D{{Key: "password", Value: 0}, {Key: "n", Value: 0}}, bson.D{{Key: "_id", Value: int32(1)}, {Key: "name", Value: "ann"}}},
		{"no id", bson.D{{Key: "_id", Value: 0}, {Key: "name", Value: 1}}, bson.D{{Key: "name", Value: "ann"}}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			opts := options.FindOneAndUpdate().SetProjection(tc.fields).SetReturnDocument(options.After)
			var got bson.D
			err := users.FindOneAndUpdate(t.Context(), bson.D{{Key: "_id", Value: 1}}, bson.D{{Key: "$inc", Value: bson.D{{Key: "n", Value: 1}}}}, opts).Decode(&got)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestIndexOptionsThatMongooseAsksFor(t *testing.T) {
	db := connect(t, start(t, mongo.Config{}), "app")
	models := []driver.IndexModel{
		{Keys: bson.D{{Key: "expiresAt", Value: 1}}, Options: options.Index().SetExpireAfterSeconds(0)},
		{Keys: bson.D{{Key: "googleId", Value: 1}}, Options: options.Index().SetUnique(true).SetSparse(true)},
		{Keys: bson.D{{Key: "idOnTheSource", Value: 1}, {Key: "source", Value: 1}}, Options: options.Index().SetUnique(true).
			SetPartialFilterExpression(bson.D{{Key: "idOnTheSource", Value: bson.D{{Key: "$exists", Value: true}}}})},
		{Keys: bson.D{{Key: "body", Value: "text"}}},
	}
	c := db.Collection("groups")
	if _, err := c.Indexes().CreateMany(t.Context(), models); err != nil {
		t.Fatal(err)
	}
	// Documents without the unique field may be many.
	insert(t, c, bson.D{{Key: "source", Value: "local"}}, bson.D{{Key: "source", Value: "local"}}, bson.D{{Key: "googleId", Value: "g"}})
	_, err := c.InsertOne(t.Context(), bson.D{{Key: "googleId", Value: "g"}})
	if !driver.IsDuplicateKeyError(err) {
		t.Errorf("second document with the same googleId: got %v, want a duplicate key error", err)
	}
}

func TestLookup(t *testing.T) {
	db := connect(t, start(t, mongo.Config{}), "app")
	insert(t, db.Collection("prompts"), bson.D{{Key: "_id", Value: "p1"}, {Key: "prompt", Value: "hello"}, {Key: "type", Value: "text"}}, bson.D{{Key: "_id", Value: "p2"}, {Key: "prompt", Value: "bye"}})
	insert(t, db.Collection("groups"),
		bson.D{{Key: "_id", Value: 1}, {Key: "name", Value: "a"}, {Key: "productionId", Value: "p1"}, {Key: "at", Value: 1}},
		bson.D{{Key: "_id", Value: 2}, {Key: "name", Value: "b"}, {Key: "productionId", Value: "gone"}, {Key: "at", Value: 2}},
		bson.D{{Key: "_id", Value: 3}, {Key: "name", Value: "c"}, {Key: "at", Value: 3}})
	cursor, err := db.Collection("groups").Aggregate(t.Context(), bson.A{
		bson.D{{Key: "$match", Value: bson.D{{Key: "at", Value: bson.D{{Key: "$lt", Value: 3}}}}}},
		bson.D{{Key: "$sort", Value: bson.D{{Key: "at", Value: -1}}}},
		bson.D{{Key: "$lookup", Value: bson.D{{Key: "from", Value: "prompts"}, {Key: "localField", Value: "productionId"}, {Key: "foreignField", Value: "_id"}, {Key: "as", Value: "production"}}}},
		bson.D{{Key: "$addFields", Value: bson.D{{Key: "texts", Value: bson.D{{Key: "$filter", Value: bson.D{{Key: "input", Value: "$production"}, {Key: "as", Value: "p"},
			{Key: "cond", Value: bson.D{{Key: "$and", Value: bson.A{bson.D{{Key: "$eq", Value: bson.A{"$$p.type", "text"}}}}}}}}}}}}}},
		bson.D{{Key: "$unwind", Value: bson.D{{Key: "path", Value: "$production"}, {Key: "preserveNullAndEmptyArrays", Value: true}}}},
		bson.D{{Key: "$project", Value: bson.D{{Key: "name", Value: 1}, {Key: "production.prompt", Value: 1}, {Key: "first", Value: bson.D{{Key: "$arrayElemAt", Value: bson.A{"$texts.type", 0}}}}}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	var got []bson.D
	if err := cursor.All(t.Context(), &got); err != nil {
		t.Fatal(err)
	}
	want := []bson.D{
		{{Key: "_id", Value: int32(2)}, {Key: "name", Value: "b"}},
		{{Key: "_id", Value: int32(1)}, {Key: "name", Value: "a"}, {Key: "production", Value: bson.D{{Key: "prompt", Value: "hello"}}}, {Key: "first", Value: "text"}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestLookupThenMatchOnWhatWasNotFound(t *testing.T) {
	db := connect(t, start(t, mongo.Config{}), "app")
	insert(t, db.Collection("agents"), bson.D{{Key: "_id", Value: 1}, {Key: "author", Value: "ann"}}, bson.D{{Key: "_id", Value: 2}, {Key: "author", Value: "bob"}}, bson.D{{Key: "_id", Value: 3}})
	insert(t, db.Collection("acl"), bson.D{{Key: "resourceId", Value: 2}})
	cursor, err := db.Collection("agents").Aggregate(t.Context(), bson.A{
		bson.D{{Key: "$lookup", Value: bson.D{{Key: "from", Value: "acl"}, {Key: "localField", Value: "_id"}, {Key: "foreignField", Value: "resourceId"}, {Key: "as", Value: "acl"}}}},
		bson.D{{Key: "$match", Value: bson.D{{Key: "author", Value: bson.D{{Key: "$exists", Value: true}, {Key: "$ne", Value: nil}}}, {Key: "acl", Value: bson.D{{Key: "$size", Value: 0}}}}}},
		bson.D{{Key: "$project", Value: bson.D{{Key: "_id", Value: 1}}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	var got []bson.D
	if err := cursor.All(t.Context(), &got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]bson.D{{{Key: "_id", Value: int32(1)}}}, got); diff != "" {
		t.Error(diff)
	}
}

// TestWhatIsMissingNamesTheWayOut: by the operator, and with the advice of who started the database.
func TestWhatIsMissingNamesTheWayOut(t *testing.T) {
	c := connect(t, start(t, mongo.Config{Advice: "try the real one"}), "app").Collection("c")
	insert(t, c, bson.D{{Key: "_id", Value: 1}})
	_, err := c.Aggregate(t.Context(), bson.A{bson.D{{Key: "$addFields", Value: bson.D{{Key: "a", Value: bson.D{{Key: "$vague", Value: 1}}}}}}})
	if err == nil || !strings.Contains(err.Error(), "the embedded database does not know $vague: try the real one") {
		t.Errorf("got %v", err)
	}
}

func TestGuard(t *testing.T) {
	facet := bson.D{{Key: "aggregate", Value: "messages"}, {Key: "cursor", Value: bson.D{}}, {Key: "pipeline", Value: bson.A{
		bson.D{{Key: "$match", Value: bson.D{}}}, bson.D{{Key: "$facet", Value: bson.D{}}}}}}
	s := start(t, mongo.Config{Strict: true})
	db := connect(t, s, "env-7")
	err := db.RunCommand(t.Context(), facet).Err()
	var refused driver.CommandError
	if !errors.As(err, &refused) || refused.Code != 303 || !strings.Contains(refused.Message, "$facet") {
		t.Errorf("strict: got %v, want error 303 that names $facet", err)
	}
	db.RunCommand(t.Context(), facet)
	got := s.Findings()
	if len(got) != 1 {
		t.Fatalf("got %d findings, want 1: %v", len(got), got)
	}
	if _, _, err := net.SplitHostPort(got[0].Remote); err != nil {
		t.Errorf("finding names no connection: %v", err)
	}
	want := guard.Finding{Client: "env-7", Remote: got[0].Remote, Database: "chat", Collection: "messages", Command: "aggregate",
		Feature: "$facet", Path: "pipeline[1].$facet", Effect: guard.Refused, Count: 2,
		Why: got[0].Why, Page: got[0].Page}
	if diff := cmp.Diff(want, got[0]); diff != "" {
		t.Error(diff)
	}
}

func TestGuardReportsWithoutRefusing(t *testing.T) {
	reported := make(chan guard.Finding, 10)
	s := start(t, mongo.Config{Finding: func(f guard.Finding) { reported <- f }})
	c := connect(t, s, "app").Collection("files")
	if _, err := c.Indexes().CreateOne(t.Context(), driver.IndexModel{Keys: bson.D{{Key: "a", Value: 1}}, Options: options.Index().SetHidden(true)}); err != nil {
		t.Fatal(err)
	}
	if f := <-reported; f.Feature != "index option hidden" || f.Collection != "files" {
		t.Errorf("got %+v", f)
	}
}

func TestRestartKeepsDataAndAddress(t *testing.T) {
	s := start(t, mongo.Config{})
	c := connect(t, s, "app").Collection("x")
	insert(t, c, bson.D{{Key: "_id", Value: 1}})
	before := s.URI("chat", "")
	if err := s.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	if after := s.URI("chat", ""); after != before {
		t.Errorf("URI changed from %s to %s", before, after)
	}
	var n int64
	var err error
	for range 5 { // the driver's pool holds dead connections
		if n, err = c.CountDocuments(t.Context(), bson.D{}); err == nil {
			break
		}
	}
	if err != nil || n != 1 {
		t.Errorf("after restart: %d documents, error %v; want 1", n, err)
	}
}

func TestClientsAreCountedByName(t *testing.T) {
	s := start(t, mongo.Config{})
	a := connect(t, s, "env-1")
	if err := a.Client().Ping(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	got := s.Clients()
	if len(got) != 1 || got[0].App != "env-1" || got[0].Open < 1 || got[0].Peak < got[0].Open {
		t.Errorf("got %+v", got)
	}
	a.Client().Disconnect(t.Context())
	testkit.Wait(t, 5*time.Second, "the end of all connections", func() (string, bool) {
		clients := s.Clients()
		return fmt.Sprintf("%+v", clients), clients[0].Open == 0
	})
}

// The proxy must treat a real server the same way; an embedded one plays it.
func TestUpstream(t *testing.T) {
	real := start(t, mongo.Config{})
	s := start(t, mongo.Config{Upstream: real.URI("chat", ""), Strict: true})
	db := connect(t, s, "app")
	insert(t, db.Collection("x"), bson.D{{Key: "_id", Value: 1}})
	err := db.RunCommand(t.Context(), bson.D{{Key: "mapReduce", Value: "x"}}).Err()
	var refused driver.CommandError
	if !errors.As(err, &refused) || refused.Code != 303 {
		t.Errorf("mapReduce through the proxy: got %v, want 303", err)
	}
	n, err := connect(t, real, "direct").Collection("x").CountDocuments(t.Context(), bson.D{})
	if err != nil || n != 1 {
		t.Errorf("behind the proxy: %d documents, error %v; want 1", n, err)
	}
}

func TestBadUpstreamIsNamed(t *testing.T) {
	for _, uri := range []string{"http://x", "mongodb+srv://user:hunter2@x/y", "mongodb:///db", "mongodb://user:hunter2@h%zz/", "mongodb://h/?tls=true&tlsCAFile=/nowhere"} {
		_, err := mongo.Start(t.Context(), mongo.Config{Upstream: uri})
		if err == nil {
			t.Errorf("%s was accepted", uri)
			continue
		}
		if strings.Contains(err.Error(), "hunter2") {
			t.Errorf("error shows the password: %v", err)
		}
	}
}

func TestGarbageEndsTheConnectionOnly(t *testing.T) {
	s := start(t, mongo.Config{})
	addr := strings.Split(strings.TrimPrefix(s.URI("", ""), "mongodb://"), "/")[0]
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.Write([]byte("GET / HTTP/1.1\r\nHost: x\r\n\r\n"))
	conn.SetReadDeadline(time.Now().Add(5 * time.Second))
	if _, err := conn.Read(make([]byte, 1)); err == nil || errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v, want an end of the connection", err)
	}
	if err := connect(t, s, "app").Client().Ping(t.Context(), nil); err != nil {
		t.Error(err)
	}
}
