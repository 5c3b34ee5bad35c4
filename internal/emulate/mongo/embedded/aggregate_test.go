package embedded

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.mongodb.org/mongo-driver/v2/bson"
)

func stagesOf(t *testing.T, docs []bson.D, stages ...bson.D) []bson.D {
	t.Helper()
	for _, s := range stages {
		var err error
		if docs, err = (*Database)(nil).stage(nil, "x", must(bson.Marshal(s)), docs); err != nil {
			t.Fatal(err)
		}
	}
	return docs
}

func TestStagesInMemory(t *testing.T) {
	one := func() []bson.D {
		return []bson.D{{{Key: "_id", Value: int32(1)}, {Key: "a", Value: bson.A{
			bson.D{{Key: "b", Value: int32(1)}, {Key: "c", Value: "x"}}, bson.D{{Key: "b", Value: int32(2)}}}}}}
	}
	for _, tc := range []struct {
		name  string
		stage bson.D
		want  []bson.D
	}{
		{"two paths into one array", bson.D{{Key: "$project", Value: bson.D{{Key: "a.b", Value: 1}, {Key: "a.c", Value: 1}}}}, one()},
		{"exclude inside an array", bson.D{{Key: "$project", Value: bson.D{{Key: "a.b", Value: 0}}}},
			[]bson.D{{{Key: "_id", Value: int32(1)}, {Key: "a", Value: bson.A{bson.D{{Key: "c", Value: "x"}}, bson.D{}}}}}},
		{"match a member by its number", bson.D{{Key: "$match", Value: bson.D{{Key: "a.b", Value: 2.0}}}}, one()},
		{"match none", bson.D{{Key: "$match", Value: bson.D{{Key: "a.b", Value: bson.D{{Key: "$nin", Value: bson.A{1, 2}}}}}}}, []bson.D{}},
		{"match by or", bson.D{{Key: "$match", Value: bson.D{{Key: "$or", Value: bson.A{
			bson.D{{Key: "z", Value: 1}}, bson.D{{Key: "_id", Value: bson.D{{Key: "$gte", Value: 1}}}}}}}}}, one()},
		{"skip all", bson.D{{Key: "$skip", Value: 5}}, []bson.D{}},
		{"unwind what is missing", bson.D{{Key: "$unwind", Value: "$z"}}, []bson.D{}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, stagesOf(t, one(), tc.stage)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestUnknownStageNamesTheWayOut(t *testing.T) {
	_, err := (*Database)(nil).stage(nil, "x", must(bson.Marshal(bson.D{{Key: "$group", Value: bson.D{}}})), nil)
	if err == nil {
		t.Fatal("no error")
	}
	if got := err.Error(); got != "the embedded database does not know $group after $lookup: rehearse with a real server" {
		t.Error(got)
	}
}

// FuzzStage holds the stages to errors: no document of a client may panic them.
func FuzzStage(f *testing.F) {
	for _, s := range []bson.D{
		{{Key: "$unwind", Value: bson.D{{Key: "path", Value: "$a.b"}, {Key: "preserveNullAndEmptyArrays", Value: true}}}},
		{{Key: "$project", Value: bson.D{{Key: "a.b", Value: 1}, {Key: "c", Value: bson.D{{Key: "$arrayElemAt", Value: bson.A{"$a", -1}}}}}}},
		{{Key: "$addFields", Value: bson.D{{Key: "x", Value: bson.D{{Key: "$filter", Value: bson.D{{Key: "input", Value: "$a"},
			{Key: "cond", Value: bson.D{{Key: "$eq", Value: bson.A{"$$this.b", 1}}}}}}}}}}},
		{{Key: "$match", Value: bson.D{{Key: "a", Value: bson.D{{Key: "$size", Value: 1}, {Key: "$gt", Value: "x"}}}}}},
		{{Key: "$limit", Value: int64(1) << 62}},
	} {
		f.Add([]byte(must(bson.Marshal(s))), []byte(must(bson.Marshal(bson.D{{Key: "a", Value: bson.A{bson.D{{Key: "b", Value: 1}}, 2}}}))))
	}
	f.Fuzz(func(t *testing.T, stage, doc []byte) {
		var d bson.D
		if len(stage) > 4<<10 || len(doc) > 4<<10 {
			return
		}
		if bson.Raw(stage).Validate() != nil || bson.Unmarshal(doc, &d) != nil {
			return
		}
		elems, err := bson.Raw(stage).Elements()
		if err != nil || len(elems) == 0 || elems[0].Key() == "$lookup" {
			return // needs a database
		}
		(*Database)(nil).stage(nil, "x", stage, []bson.D{d})
	})
}
