package mongo_test

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/aproorg/sluice/internal/emulate/mongo"
)

// TestManual holds the embedded database to examples of MongoDB's manual, some of them shortened: below
// https://www.mongodb.com/docs/manual/reference/ or, for tutorials and collation, /docs/manual/. A number counts by its value.
func TestManual(t *testing.T) {
	text, err := os.ReadFile("testdata/manual.json")
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Examples []struct {
			Page      string
			Documents map[string][]bson.D
			Pipeline  []bson.D
			Update    []bson.D
			Collation bson.D
			Want      []bson.D
		}
	}
	if err := bson.UnmarshalExtJSON(fmt.Appendf(nil, `{"examples": %s}`, text), false, &file); err != nil {
		t.Fatal(err)
	}
	s := start(t, mongo.Config{})
	for i, x := range file.Examples {
		t.Run(x.Page, func(t *testing.T) {
			db := connect(t, s, "app").Client().Database(fmt.Sprintf("manual%d", i))
			var first string
			for _, name := range slices.Sorted(maps.Keys(x.Documents)) {
				for _, d := range x.Documents[name] {
					insert(t, db.Collection(name), d)
				}
			}
			first = primary(x.Documents)
			cmd := bson.D{{Key: "aggregate", Value: first}, {Key: "pipeline", Value: x.Pipeline}, {Key: "cursor", Value: bson.D{}}}
			if x.Collation != nil {
				cmd = append(cmd, bson.E{Key: "collation", Value: x.Collation})
			}
			if x.Update != nil {
				if err := db.RunCommand(t.Context(), bson.D{{Key: "update", Value: first}, {Key: "updates", Value: x.Update}}).Err(); err != nil {
					t.Fatal(err)
				}
				cmd = bson.D{{Key: "find", Value: first}, {Key: "sort", Value: bson.D{{Key: "_id", Value: 1}}}}
			}
			cursor, err := db.RunCommandCursor(t.Context(), cmd)
			if err != nil {
				t.Fatal(err)
			}
			var got []bson.D
			if err := cursor.All(t.Context(), &got); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(byValue(x.Want), byValue(got)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// primary is the collection that an example is about: the others are joined to it.
func primary(documents map[string][]bson.D) string {
	for _, name := range []string{"orders", "a"} {
		if documents[name] != nil {
			return name
		}
	}
	return slices.Sorted(maps.Keys(documents))[0]
}

func byValue(v any) any {
	switch v := v.(type) {
	case []bson.D:
		out := []any{}
		for _, d := range v {
			out = append(out, byValue(d))
		}
		return out
	case bson.D:
		out := bson.D{}
		for _, e := range v {
			out = append(out, bson.E{Key: e.Key, Value: byValue(e.Value)})
		}
		return out
	case bson.A:
		out := bson.A{}
		for _, m := range v {
			out = append(out, byValue(m))
		}
		return out
	case int32:
		return float64(v)
	case int64:
		return float64(v)
	}
	return v
}
