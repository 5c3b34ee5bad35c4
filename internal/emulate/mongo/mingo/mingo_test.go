package mingo

import (
	"context"
	"errors"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.mongodb.org/mongo-driver/v2/bson"
)

type (
	d = bson.D
	a = bson.A
)

// engine is one for all tests: each machine of it takes its time to load.
var engine = new(Engine)

func raw(t testing.TB, v any) bson.Raw {
	t.Helper()
	b, err := bson.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func decoded(t testing.TB, docs []bson.Raw) []bson.D {
	t.Helper()
	out := []bson.D{}
	for _, r := range docs {
		var d bson.D
		if err := bson.Unmarshal(r, &d); err != nil {
			t.Fatal(err)
		}
		out = append(out, d)
	}
	return out
}

func pipeline(t testing.TB, stages ...bson.D) []bson.Raw {
	var out []bson.Raw
	for _, s := range stages {
		out = append(out, raw(t, s))
	}
	return out
}

func TestStages(t *testing.T) {
	one := []bson.D{{{Key: "_id", Value: int32(1)}, {Key: "a", Value: a{d{{Key: "b", Value: int32(1)}, {Key: "c", Value: "x"}}, d{{Key: "b", Value: int32(2)}}}}}}
	for _, tc := range []struct {
		name  string
		stage bson.D
		want  []bson.D
	}{
		{"two paths into one array", d{{Key: "$project", Value: d{{Key: "a.b", Value: 1}, {Key: "a.c", Value: 1}}}}, one},
		{"exclude inside an array", d{{Key: "$project", Value: d{{Key: "a.b", Value: 0}}}},
			[]bson.D{{{Key: "_id", Value: int32(1)}, {Key: "a", Value: a{d{{Key: "c", Value: "x"}}, d{}}}}}},
		{"match a member by its number", d{{Key: "$match", Value: d{{Key: "a.b", Value: 2.0}}}}, one},
		{"match none", d{{Key: "$match", Value: d{{Key: "a.b", Value: d{{Key: "$nin", Value: a{1, 2}}}}}}}, []bson.D{}},
		{"match by or", d{{Key: "$match", Value: d{{Key: "$or", Value: a{
			d{{Key: "z", Value: 1}}, d{{Key: "_id", Value: d{{Key: "$gte", Value: 1}}}}}}}}}, one},
		{"skip all", d{{Key: "$skip", Value: 5}}, []bson.D{}},
		{"unwind what is missing", d{{Key: "$unwind", Value: "$z"}}, []bson.D{}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, err := engine.Aggregate(t.Context(), []bson.Raw{raw(t, one[0])}, pipeline(t, tc.stage), Given{})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, decoded(t, got)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// everything holds each type of BSON, and names of fields that JavaScript would reorder or take for its own.
func everything(t testing.TB) bson.Raw {
	decimal, err := bson.ParseDecimal128("12345678901234567890.50")
	if err != nil {
		t.Fatal(err)
	}
	return raw(t, d{
		{Key: "_id", Value: bson.ObjectID{1, 2, 3}},
		{Key: "z", Value: int32(1)}, {Key: "10", Value: "ten"}, {Key: "2", Value: "two"}, {Key: "__proto__", Value: d{{Key: "constructor", Value: 1}}},
		{Key: "toString", Value: "text"}, {Key: "", Value: "empty"},
		{Key: "double", Value: 5.0}, {Key: "half", Value: 0.5}, {Key: "zero", Value: mustFloat("-0")}, {Key: "nan", Value: mustFloat("NaN")}, {Key: "inf", Value: mustFloat("-Inf")},
		{Key: "long", Value: int64(5)}, {Key: "longest", Value: int64(-1 << 63)}, {Key: "decimal", Value: decimal},
		{Key: "date", Value: bson.DateTime(-1)}, {Key: "farthest", Value: bson.DateTime(1 << 52)}, {Key: "yes", Value: true}, {Key: "null", Value: nil},
		{Key: "binary", Value: bson.Binary{Subtype: 4, Data: []byte{0, 255}}}, {Key: "regex", Value: bson.Regex{Pattern: "a/b", Options: "im"}},
		{Key: "extended", Value: bson.Regex{Pattern: "(?x) a", Options: "x"}}, {Key: "timestamp", Value: bson.Timestamp{T: 1, I: 2}},
		{Key: "min", Value: bson.MinKey{}}, {Key: "max", Value: bson.MaxKey{}}, {Key: "undefined", Value: bson.Undefined{}}, {Key: "symbol", Value: bson.Symbol("s")},
		{Key: "code", Value: bson.JavaScript("1")}, {Key: "scoped", Value: bson.CodeWithScope{Code: "1", Scope: d{{Key: "a", Value: 1}}}},
		{Key: "pointer", Value: bson.DBPointer{DB: "db", Pointer: bson.ObjectID{9}}}, {Key: "text", Value: "ä\u0000\U0001F600"},
		{Key: "list", Value: a{int64(1), 2.0, a{}, d{}, nil}},
	})
}

// TestValuesPassUnchanged: byte for byte, at the top, inside an array, and through a literal of the pipeline.
func TestValuesPassUnchanged(t *testing.T) {
	doc := everything(t)
	wrapped := raw(t, d{{Key: "in", Value: a{doc}}})
	for _, tc := range []struct {
		name   string
		doc    bson.Raw
		stages []bson.D
		want   bson.Raw
	}{
		{"no change", doc, []bson.D{{{Key: "$match", Value: d{}}}}, doc},
		{"fields added and removed", doc, []bson.D{{{Key: "$addFields", Value: d{{Key: "new", Value: 1}}}}, {{Key: "$unset", Value: "new"}}}, doc},
		{"map and filter", wrapped, []bson.D{{{Key: "$set", Value: d{{Key: "in", Value: d{{Key: "$filter", Value: d{
			{Key: "input", Value: d{{Key: "$map", Value: d{{Key: "input", Value: "$in"}, {Key: "in", Value: "$$this"}}}}}, {Key: "cond", Value: true}}}}}}}}}, wrapped},
		{"merged", doc, []bson.D{{{Key: "$replaceWith", Value: d{{Key: "$mergeObjects", Value: a{d{}, "$$ROOT"}}}}}}, doc},
		{"grouped", doc, []bson.D{{{Key: "$group", Value: d{{Key: "_id", Value: nil}, {Key: "in", Value: d{{Key: "$push", Value: "$$ROOT"}}}}}}, {{Key: "$project", Value: d{{Key: "_id", Value: 0}}}}}, wrapped},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, err := engine.Aggregate(t.Context(), []bson.Raw{tc.doc}, pipeline(t, tc.stages...), Given{})
			if err != nil {
				t.Fatal(err)
			}
			if len(got) != 1 || string(got[0]) != string(tc.want) {
				t.Errorf("got %v\nwant %v", got, tc.want)
			}
		})
	}
}

func TestWhatIsNotKnownIsNamed(t *testing.T) {
	for name, stage := range map[string]bson.D{
		"$out":       {{Key: "$out", Value: "x"}},
		"$merge":     {{Key: "$merge", Value: "x"}},
		"$vague":     {{Key: "$project", Value: d{{Key: "a", Value: d{{Key: "$vague", Value: 1}}}}}},
		"$where":     {{Key: "$match", Value: d{{Key: "$where", Value: "true"}}}},
		"$function":  {{Key: "$project", Value: d{{Key: "a", Value: d{{Key: "$function", Value: d{{Key: "body", Value: "return 1"}}}}}}}},
		"$nearby":    {{Key: "$match", Value: d{{Key: "a", Value: d{{Key: "$nearby", Value: 1}}}}}},
		"Decimal128": {{Key: "$project", Value: d{{Key: "a", Value: d{{Key: "$add", Value: a{"$decimal", 1}}}}}}},
		"long":       {{Key: "$project", Value: d{{Key: "a", Value: d{{Key: "$range", Value: a{"$longest", 1}}}}}}},
	} {
		_, err := engine.Aggregate(t.Context(), []bson.Raw{everything(t)}, pipeline(t, stage), Given{})
		var wrong *Error
		if !errors.As(err, &wrong) || wrong.Operator == "" {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if name[0] == '$' && wrong.Operator != name {
			t.Errorf("%s is called %s: %v", name, wrong.Operator, err)
		}
	}
}

// TestComputationsEnd: with their context, with their memory, and by recursion.
func TestComputationsEnd(t *testing.T) {
	spin := d{{Key: "$project", Value: d{{Key: "a", Value: d{{Key: "$map", Value: d{{Key: "input", Value: d{{Key: "$range", Value: a{0, 1 << 20}}}},
		{Key: "in", Value: d{{Key: "$size", Value: d{{Key: "$range", Value: a{0, 1000}}}}}}}}}}}}}
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	began := time.Now()
	if _, err := engine.Aggregate(ctx, []bson.Raw{raw(t, d{})}, pipeline(t, spin), Given{}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v, want the end of the context", err)
	}
	if took := time.Since(began); took > 3*time.Second {
		t.Errorf("it took %s to end", took)
	}
	grow := d{{Key: "$project", Value: d{{Key: "a", Value: d{{Key: "$reduce", Value: d{{Key: "input", Value: d{{Key: "$range", Value: a{0, 40}}}},
		{Key: "initialValue", Value: a{1}}, {Key: "in", Value: d{{Key: "$concatArrays", Value: a{"$$value", "$$value"}}}}}}}}}}}
	small := &Engine{memory: 8 << 20}
	if _, err := small.Aggregate(t.Context(), []bson.Raw{raw(t, d{})}, pipeline(t, grow), Given{}); !errors.Is(err, errMemory) {
		t.Errorf("got %v, want the end of memory", err)
	}
}

// FuzzPipeline holds the engine to errors: no pipeline or document of a client may panic it, and a document that
// passes a stage without a change comes out as it was.
func FuzzPipeline(f *testing.F) {
	for _, s := range []bson.D{
		{{Key: "$unwind", Value: d{{Key: "path", Value: "$a.b"}, {Key: "preserveNullAndEmptyArrays", Value: true}}}},
		{{Key: "$project", Value: d{{Key: "a.b", Value: 1}, {Key: "c", Value: d{{Key: "$arrayElemAt", Value: a{"$a", -1}}}}}}},
		{{Key: "$addFields", Value: d{{Key: "x", Value: d{{Key: "$filter", Value: d{{Key: "input", Value: "$a"},
			{Key: "cond", Value: d{{Key: "$eq", Value: a{"$$this.b", 1}}}}}}}}}}},
		{{Key: "$match", Value: d{{Key: "a", Value: d{{Key: "$size", Value: 1}, {Key: "$gt", Value: "x"}}}}}},
		{{Key: "$limit", Value: int64(1) << 62}},
		{{Key: "$facet", Value: d{{Key: "x", Value: a{d{{Key: "$group", Value: d{{Key: "_id", Value: "$a"}, {Key: "n", Value: d{{Key: "$sum", Value: 1}}}}}}}}}}},
		{{Key: "$set", Value: d{{Key: "__proto__.x", Value: 1}, {Key: "constructor", Value: "$$ROOT"}}}},
	} {
		f.Add([]byte(raw(f, s)), []byte(raw(f, d{{Key: "a", Value: a{d{{Key: "b", Value: 1}}, 2}}})))
	}
	f.Add([]byte(raw(f, d{{Key: "$match", Value: d{}}})), []byte(everything(f)))
	f.Fuzz(func(t *testing.T, stage, doc []byte) {
		if len(stage) > 4<<10 || len(doc) > 4<<10 || bson.Raw(stage).Validate() != nil || bson.Raw(doc).Validate() != nil {
			return
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		engine.Aggregate(ctx, []bson.Raw{doc}, []bson.Raw{stage}, Given{})
	})
}

func mustFloat(s string) float64 {
	n, err := strconv.ParseFloat(s, 64)
	if err != nil {
		panic(err)
	}
	return n
}
