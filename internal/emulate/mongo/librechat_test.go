package mongo_test

import (
	"fmt"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/aproorg/sluice/internal/emulate/mongo"
)

// TestLibreChat: what the releases sent in a strict rehearsal with all features, one command of each kind, is answered.
// Ids, dates and names are made up.
func TestLibreChat(t *testing.T) {
	text, err := os.ReadFile("testdata/librechat.json")
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Sent []struct {
			Releases []string
			Command  bson.D
		}
	}
	if err := bson.UnmarshalExtJSON(fmt.Appendf(nil, `{"sent": %s}`, text), true, &file); err != nil {
		t.Fatal(err)
	}
	db := connect(t, start(t, mongo.Config{}), "app")
	for _, sent := range file.Sent {
		var reply struct {
			WriteErrors bson.A
			OK          float64
		}
		if err := db.RunCommand(t.Context(), sent.Command).Decode(&reply); err != nil || reply.OK != 1 || reply.WriteErrors != nil {
			t.Errorf("%s of %v on %v: %v %v", sent.Command[0].Key, sent.Releases, sent.Command[0].Value, err, reply.WriteErrors)
		}
	}
	if len(file.Sent) < 100 {
		t.Errorf("only %d commands", len(file.Sent))
	}
}

// TestAgentsOfLibreChat: the pipelines of v0.8.8-rc1 for an agent that is opened, and for the handoffs to one that is deleted.
func TestAgentsOfLibreChat(t *testing.T) {
	agents := connect(t, start(t, mongo.Config{}), "app").Collection("agents")
	insert(t, agents,
		bson.D{{Key: "_id", Value: 1}, {Key: "id", Value: "a"}, {Key: "versions", Value: bson.A{bson.D{{Key: "n", Value: 1}}, bson.D{{Key: "n", Value: 2}}}}},
		bson.D{{Key: "_id", Value: 2}, {Key: "id", Value: "b"}, {Key: "edges", Value: bson.A{
			bson.D{{Key: "from", Value: "b"}, {Key: "to", Value: "gone"}}, bson.D{{Key: "from", Value: bson.A{"gone", "b"}}, {Key: "to", Value: bson.A{"a"}}, {Key: "edgeType", Value: "handoff"}}}}})
	for id, want := range map[string]int32{"a": 2, "b": 0} {
		cursor, err := agents.Aggregate(t.Context(), bson.A{bson.D{{Key: "$match", Value: bson.D{{Key: "id", Value: id}}}},
			bson.D{{Key: "$addFields", Value: bson.D{{Key: "version", Value: bson.D{{Key: "$size", Value: bson.D{{Key: "$ifNull", Value: bson.A{"$versions", bson.A{}}}}}}}}}},
			bson.D{{Key: "$project", Value: bson.D{{Key: "version", Value: 1}, {Key: "_id", Value: 0}}}}})
		if err != nil {
			t.Fatal(err)
		}
		var got []bson.D
		if err := cursor.All(t.Context(), &got); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]bson.D{{{Key: "version", Value: want}}}, got); diff != "" {
			t.Error(diff)
		}
	}
	op := func(name string, args any) bson.D { return bson.D{{Key: name, Value: args}} }
	cleaned := func(end string) bson.D {
		others := op("$filter", bson.D{{Key: "input", Value: end}, {Key: "as", Value: "agentId"}, {Key: "cond", Value: op("$not", bson.A{op("$in", bson.A{"$$agentId", bson.A{"gone"}})})}})
		return op("$cond", bson.A{op("$isArray", end), others, op("$cond", bson.A{op("$in", bson.A{end, bson.A{"gone"}}), nil, end})})
	}
	kept := func(end string) bson.D {
		return op("$cond", bson.A{op("$isArray", end), op("$gt", bson.A{op("$size", end), 0}), op("$ne", bson.A{end, nil})})
	}
	merged := op("$mergeObjects", bson.A{"$$edge", bson.D{{Key: "from", Value: "$$f"}, {Key: "to", Value: "$$t"}}})
	edge := op("$let", bson.D{{Key: "vars", Value: bson.D{{Key: "f", Value: cleaned("$$edge.from")}, {Key: "t", Value: cleaned("$$edge.to")}}},
		{Key: "in", Value: op("$cond", bson.A{op("$and", bson.A{kept("$$f"), kept("$$t")}), merged, nil})}})
	edges := op("$map", bson.D{{Key: "input", Value: op("$ifNull", bson.A{"$edges", bson.A{}})}, {Key: "as", Value: "edge"}, {Key: "in", Value: edge}})
	left := op("$filter", bson.D{{Key: "input", Value: edges}, {Key: "as", Value: "edge"}, {Key: "cond", Value: op("$ne", bson.A{"$$edge", nil})}})
	result, err := agents.UpdateMany(t.Context(), op("$or", bson.A{op("edges.from", "gone"), op("edges.to", "gone")}), bson.A{op("$set", op("edges", left))})
	if err != nil || result.MatchedCount != 1 || result.ModifiedCount != 1 {
		t.Fatalf("%+v, %v", result, err)
	}
	var b bson.D
	if err := agents.FindOne(t.Context(), bson.D{{Key: "id", Value: "b"}}).Decode(&b); err != nil {
		t.Fatal(err)
	}
	want := bson.D{{Key: "_id", Value: int32(2)}, {Key: "id", Value: "b"}, {Key: "edges", Value: bson.A{bson.D{{Key: "from", Value: bson.A{"b"}}, {Key: "to", Value: bson.A{"a"}}, {Key: "edgeType", Value: "handoff"}}}}}
	if diff := cmp.Diff(want, b); diff != "" {
		t.Error(diff)
	}
}
