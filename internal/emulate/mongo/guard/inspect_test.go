package guard

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/aproorg/sluice/internal/emulate/mongo/wire"
)

type d = bson.D
type a = bson.A

func TestInspect(t *testing.T) {
	stages := func(s ...any) d { return d{{Key: "aggregate", Value: "c"}, {Key: "pipeline", Value: a(s)}} }
	for _, tc := range []struct {
		name string
		cmd  d
		want []string // features
	}{
		{"plain find", d{{Key: "find", Value: "c"}, {Key: "filter", Value: d{{Key: "a", Value: d{{Key: "$gt", Value: 1}}}}}}, nil},
		{"where", d{{Key: "find", Value: "c"}, {Key: "filter", Value: d{{Key: "$where", Value: "1"}}}}, []string{"$where"}},
		{"where in or", d{{Key: "find", Value: "c"}, {Key: "filter", Value: d{{Key: "$or", Value: a{d{{Key: "$where", Value: "1"}}}}}}}, []string{"$where"}},
		{"value with a dollar is no operator", d{{Key: "find", Value: "c"}, {Key: "filter", Value: d{{Key: "a", Value: d{{Key: "$eq", Value: d{{Key: "$x", Value: 1}}}}}}}}, nil},
		{"elemMatch in all", d{{Key: "find", Value: "c"}, {Key: "filter", Value: d{{Key: "a", Value: d{{Key: "$all", Value: a{d{{Key: "$elemMatch", Value: d{}}}}}}}}}}, []string{"$elemMatch inside $all"}},
		{"collation", d{{Key: "find", Value: "c"}, {Key: "collation", Value: d{{Key: "locale", Value: "en"}}}}, []string{"option collation"}},
		{"empty collation", d{{Key: "find", Value: "c"}, {Key: "collation", Value: d{}}}, nil},
		{"cursor that stays", d{{Key: "find", Value: "c"}, {Key: "noCursorTimeout", Value: true}}, []string{"option noCursorTimeout"}},
		{"option switched off", d{{Key: "find", Value: "c"}, {Key: "tailable", Value: false}}, nil},
		{"reverse natural", d{{Key: "find", Value: "c"}, {Key: "sort", Value: d{{Key: "$natural", Value: -1}}}}, []string{"$natural: -1"}},
		{"update", d{{Key: "update", Value: "c"}, {Key: "updates", Value: a{d{{Key: "q", Value: d{}}, {Key: "u", Value: d{{Key: "$set", Value: d{{Key: "a", Value: 1}}}}}}}}}, nil},
		{"update by a pipeline", d{{Key: "update", Value: "c"}, {Key: "updates", Value: a{d{{Key: "q", Value: d{}}, {Key: "u", Value: a{d{{Key: "$set", Value: d{}}}}}}}}}, []string{updateByPipeline}},
		{"findAndModify by a pipeline", d{{Key: "findAndModify", Value: "c"}, {Key: "update", Value: a{}}}, []string{updateByPipeline}},
		{"retryable write", d{{Key: "insert", Value: "c"}, {Key: "txnNumber", Value: int64(1)}}, []string{retryableWrites}},
		{"write in a transaction", d{{Key: "insert", Value: "c"}, {Key: "txnNumber", Value: int64(1)}, {Key: "autocommit", Value: false}}, nil},
		{"stages that it has", stages(d{{Key: "$match", Value: d{}}}, d{{Key: "$group", Value: d{{Key: "_id", Value: "$a"}, {Key: "n", Value: d{{Key: "$sum", Value: 1}}}}}}, d{{Key: "$sort", Value: d{{Key: "n", Value: 1}}}}), nil},
		{"stage $set", stages(d{{Key: "$set", Value: d{{Key: "a", Value: 1}}}}), []string{"$set"}},
		{"accumulator $count", stages(d{{Key: "$group", Value: d{{Key: "_id", Value: nil}, {Key: "n", Value: d{{Key: "$count", Value: d{}}}}}}}), []string{"$count"}},
		{"stage $count", stages(d{{Key: "$count", Value: "n"}}), nil},
		{"nested operator", stages(d{{Key: "$project", Value: d{{Key: "a", Value: d{{Key: "$cond", Value: a{true, d{{Key: "$round", Value: 1}}, 1}}}}}}}), []string{"$round"}},
		{"literal", stages(d{{Key: "$project", Value: d{{Key: "a", Value: d{{Key: "$literal", Value: d{{Key: "$round", Value: 1}}}}}}}}), nil},
		{"removed field", stages(d{{Key: "$project", Value: d{{Key: "a", Value: "$$REMOVE"}}}}), []string{"$$REMOVE"}},
		{"lookup", stages(d{{Key: "$lookup", Value: d{{Key: "from", Value: "x"}, {Key: "localField", Value: "a"}, {Key: "foreignField", Value: "b"}, {Key: "as", Value: "c"}}}}), nil},
		{"correlated lookup", stages(d{{Key: "$lookup", Value: d{{Key: "from", Value: "x"}, {Key: "let", Value: d{{Key: "a", Value: "$a"}}}, {Key: "pipeline", Value: a{d{{Key: "$unionWith", Value: "y"}}}}}}}), []string{"$lookup with let", "$unionWith"}},
		{"order lost", stages(d{{Key: "$sort", Value: d{{Key: "a", Value: 1}}}}, d{{Key: "$limit", Value: 1}}, d{{Key: "$lookup", Value: d{{Key: "from", Value: "x"}}}}), []string{"$sort before $lookup"}},
		{"order kept", stages(d{{Key: "$sort", Value: d{{Key: "a", Value: 1}}}}, d{{Key: "$limit", Value: 1}}), nil},
		{"TTL index", d{{Key: "createIndexes", Value: "c"}, {Key: "indexes", Value: a{d{{Key: "key", Value: d{{Key: "a", Value: 1}}}, {Key: "expireAfterSeconds", Value: 0}}}}}, nil},
		{"hashed index", d{{Key: "createIndexes", Value: "c"}, {Key: "indexes", Value: a{d{{Key: "key", Value: d{{Key: "a", Value: "hashed"}}}}}}}, []string{"hashed index"}},
		{"wildcard index", d{{Key: "createIndexes", Value: "c"}, {Key: "indexes", Value: a{d{{Key: "key", Value: d{{Key: "$**", Value: 1}}}}}}}, []string{"wildcard index"}},
		{"sparse index", d{{Key: "createIndexes", Value: "c"}, {Key: "indexes", Value: a{d{{Key: "key", Value: d{{Key: "a", Value: 1}}}, {Key: "sparse", Value: true}}}}}, []string{"sparse index"}},
		{"partial index", d{{Key: "createIndexes", Value: "c"}, {Key: "indexes", Value: a{d{{Key: "key", Value: d{{Key: "a", Value: 1}}}, {Key: "partialFilterExpression", Value: d{{Key: "a", Value: d{{Key: "$exists", Value: true}}}}}}}}}, nil},
		{"partial index with $type", d{{Key: "createIndexes", Value: "c"}, {Key: "indexes", Value: a{d{{Key: "key", Value: d{{Key: "a", Value: 1}}}, {Key: "partialFilterExpression", Value: d{{Key: "a", Value: d{{Key: "$type", Value: 2}}}}}}}}}, []string{"$type in a partial index"}},
		{"capped", d{{Key: "create", Value: "c"}, {Key: "capped", Value: true}}, []string{"capped collection"}},
		{"view", d{{Key: "create", Value: "c"}, {Key: "viewOn", Value: "x"}}, []string{"create with viewOn"}},
		{"map reduce", d{{Key: "mapReduce", Value: "c"}}, []string{"command mapReduce"}},
		{"unknown command", d{{Key: "replSetGetStatus", Value: 1}}, []string{"command replSetGetStatus"}},
		{"driver's farewell", d{{Key: "endSessions", Value: a{}}}, nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var got []string
			for _, f := range inspect(wire.NewCommand(wire.Payload{Doc: must(bson.Marshal(tc.cmd))})) {
				got = append(got, f.Feature)
				if f.Page == "" || f.Why == "" || f.Path == "" {
					t.Errorf("finding without its reason: %+v", f)
				}
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestInspectReadsSequences(t *testing.T) {
	p := wire.Payload{
		Doc:       must(bson.Marshal(d{{Key: "delete", Value: "c"}, {Key: "$db", Value: "x"}})),
		Sequences: []wire.Sequence{{Name: "deletes", Docs: []bson.Raw{must(bson.Marshal(d{{Key: "q", Value: d{{Key: "$where", Value: "1"}}}}))}}},
	}
	got := inspect(wire.NewCommand(p))
	if len(got) != 1 || got[0].Path != "deletes[0].q.$where" {
		t.Errorf("got %+v", got)
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err) // of plain values, which always encode
	}
	return v
}

// TestParallelIndexBuilds: DocumentDB's own error, as https://github.com/danny-avila/LibreChat/issues/15556 has it.
func TestParallelIndexBuilds(t *testing.T) {
	build := func(collection string) wire.Command {
		return wire.NewCommand(wire.Payload{Doc: must(bson.Marshal(d{{Key: "createIndexes", Value: collection}, {Key: "indexes", Value: a{}}, {Key: "$db", Value: "x"}}))})
	}
	g := New(nil)
	check := func(c string) *Finding { return g.Check("", "", build(c), func() Caller { return Caller{} }) }
	if f := check("a"); f != nil {
		t.Errorf("the first build is refused: %v", f)
	}
	ended := g.Build(build("a"))
	f := check("a")
	if f == nil || f.Feature != parallelBuilds {
		t.Fatalf("a second build beside it: %v", f)
	}
	if code := f.Reply().Lookup("code").AsInt64(); code != 40333 {
		t.Errorf("code %d, want 40333", code)
	}
	if f := check("b"); f != nil {
		t.Errorf("a build of another collection is refused: %v", f)
	}
	ended()
	if f := check("a"); f != nil {
		t.Errorf("a build after it is refused: %v", f)
	}
}
