package embedded

import (
	"context"
	"fmt"
	"net"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/aproorg/sluice/internal/emulate/mongo/wire"
)

// adaptAggregate runs a pipeline that FerretDB cannot: it gives FerretDB the
// stages before the first that it lacks, and does the rest here, document by
// document in memory.
func (e *Database) adaptAggregate(cmd wire.Command) (Adaptation, error) {
	stages := wire.Documents(cmd.Doc.Lookup("pipeline"))
	own := firstForeign(stages)
	if own < 0 {
		return Adaptation{}, nil
	}
	conn, err := e.Dial(context.Background())
	if err != nil {
		return Adaptation{}, fmt.Errorf("connect to the embedded database: %w", err)
	}
	defer conn.Close()
	docs, err := e.head(conn, cmd, stages[:own])
	if err != nil {
		return Adaptation{}, err
	}
	for _, s := range stages[own:] {
		if docs, err = e.stage(conn, cmd.Database, s, docs); err != nil {
			return Adaptation{}, err
		}
	}
	reply, err := encode(bson.D{
		{Key: "cursor", Value: bson.D{
			{Key: "firstBatch", Value: docs},
			{Key: "id", Value: int64(0)},
			{Key: "ns", Value: cmd.Database + "." + cmd.Collection},
		}},
		{Key: "ok", Value: 1.0},
	})
	return Adaptation{Reply: reply}, err
}

// firstForeign returns the index of the first stage that FerretDB lacks, or -1.
func firstForeign(stages []bson.Raw) int {
	for i, s := range stages {
		elems := wire.Elements(s)
		if len(elems) == 0 {
			continue
		}
		switch elems[0].Key() {
		case "$lookup":
			return i
		case "$addFields", "$set", "$project":
			if computes(elems[0].Value()) {
				return i
			}
		}
	}
	return -1
}

// computes reports whether a value holds an operator that FerretDB lacks and
// the shim has.
func computes(v bson.RawValue) bool {
	d, ok := v.DocumentOK()
	if !ok {
		return false
	}
	for _, e := range wire.Elements(d) {
		if expressions[e.Key()] != nil || computes(e.Value()) {
			return true
		}
	}
	return false
}

// head runs the first stages on the database and returns all they yield.
func (e *Database) head(conn net.Conn, cmd wire.Command, stages []bson.Raw) ([]bson.D, error) {
	if stages == nil {
		stages = []bson.Raw{}
	}
	return e.all(conn, bson.D{
		{Key: "aggregate", Value: cmd.Collection},
		{Key: "pipeline", Value: stages},
		{Key: "cursor", Value: bson.D{}},
		{Key: "$db", Value: cmd.Database},
	})
}

// all runs a command that answers with a cursor, and reads it to its end. The
// command's first field is the collection, its last one $db.
func (e *Database) all(conn net.Conn, cmd bson.D) ([]bson.D, error) {
	collection, db := cmd[0].Value, cmd[len(cmd)-1]
	docs := []bson.D{}
	for {
		reply, err := e.run(conn, cmd)
		if err != nil {
			return nil, err
		}
		var r struct {
			Cursor struct {
				ID         int64    `bson:"id"`
				FirstBatch []bson.D `bson:"firstBatch"`
				NextBatch  []bson.D `bson:"nextBatch"`
			} `bson:"cursor"`
		}
		if err := bson.Unmarshal(reply, &r); err != nil {
			return nil, fmt.Errorf("decode cursor: %w", err)
		}
		docs = append(append(docs, r.Cursor.FirstBatch...), r.Cursor.NextBatch...)
		if r.Cursor.ID == 0 {
			return docs, nil
		}
		cmd = bson.D{{Key: "getMore", Value: r.Cursor.ID}, {Key: "collection", Value: collection}, db}
	}
}

// stage applies one stage to documents in memory.
func (e *Database) stage(conn net.Conn, database string, s bson.Raw, docs []bson.D) ([]bson.D, error) {
	var d bson.D
	if err := bson.Unmarshal(s, &d); err != nil || len(d) != 1 {
		return nil, fmt.Errorf("aggregation stage %s is malformed", s)
	}
	name, spec := d[0].Key, d[0].Value
	switch name {
	case "$lookup":
		return e.lookup(conn, database, spec, docs)
	case "$unwind":
		return unwind(spec, docs)
	case "$match":
		return filter(spec, docs)
	case "$project":
		return each(spec, docs, project)
	case "$addFields", "$set":
		return each(spec, docs, addFields)
	case "$skip", "$limit":
		return slice(name, spec, docs)
	}
	return nil, fmt.Errorf("the embedded database does not know %s after $lookup: rehearse with a real server", name)
}

func each(spec any, docs []bson.D, f func(doc, spec bson.D) (bson.D, error)) ([]bson.D, error) {
	s, ok := spec.(bson.D)
	if !ok {
		return nil, fmt.Errorf("aggregation stage needs a document, not %T", spec)
	}
	for i := range docs {
		var err error
		if docs[i], err = f(docs[i], s); err != nil {
			return nil, err
		}
	}
	return docs, nil
}

func slice(name string, spec any, docs []bson.D) ([]bson.D, error) {
	n, ok := whole(spec)
	if !ok || n < 0 {
		return nil, fmt.Errorf("%s needs a number without a fraction, 0 or more, not %v", name, spec)
	}
	at := min(n, len(docs))
	if name == "$skip" {
		return docs[at:], nil
	}
	return docs[:at], nil
}

// lookup joins by equality, as DocumentDB does without a pipeline.
func (e *Database) lookup(conn net.Conn, database string, spec any, docs []bson.D) ([]bson.D, error) {
	s, _ := spec.(bson.D)
	from, _ := field(s, "from").(string)
	local, _ := field(s, "localField").(string)
	foreign, _ := field(s, "foreignField").(string)
	as, _ := field(s, "as").(string)
	if from == "" || local == "" || foreign == "" || as == "" || field(s, "pipeline") != nil {
		return nil, fmt.Errorf("the embedded database knows $lookup with from, localField, foreignField and as only: rehearse with a real server")
	}
	others, err := e.all(conn, bson.D{
		{Key: "find", Value: from}, {Key: "filter", Value: bson.D{}}, {Key: "$db", Value: database},
	})
	if err != nil {
		return nil, err
	}
	byKey := map[string][]int{}
	for i, o := range others {
		for _, k := range joinKeys(get(o, foreign)) {
			byKey[k] = append(byKey[k], i)
		}
	}
	for i, d := range docs {
		matches := bson.A{}
		taken := map[int]bool{}
		for _, k := range joinKeys(get(d, local)) {
			for _, j := range byKey[k] {
				if !taken[j] {
					taken[j] = true
					matches = append(matches, others[j])
				}
			}
		}
		docs[i] = put(d, as, matches)
	}
	return docs, nil
}

// joinKeys returns what a field joins on: itself, and its members if it is an
// array. A missing field joins with null.
func joinKeys(v any) []string {
	keys := []string{keyOf(v)}
	if arr, ok := v.(bson.A); ok {
		for _, m := range arr {
			keys = append(keys, keyOf(m))
		}
	}
	return keys
}

// unwind replaces each document by one per member of an array.
func unwind(spec any, docs []bson.D) ([]bson.D, error) {
	path, _ := spec.(string)
	keep := false
	if d, ok := spec.(bson.D); ok {
		path, _ = field(d, "path").(string)
		keep, _ = field(d, "preserveNullAndEmptyArrays").(bool)
	}
	if len(path) < 2 || path[0] != '$' {
		return nil, fmt.Errorf("$unwind needs the path of a field, not %v", spec)
	}
	out := []bson.D{}
	for _, d := range docs {
		v := get(d, path[1:])
		arr, isArray := v.(bson.A)
		switch {
		case isArray && len(arr) > 0:
			for _, m := range arr {
				out = append(out, put(d, path[1:], m))
			}
		case isArray && keep:
			out = append(out, drop(d, path[1:]))
		case !isArray && (v != nil || keep):
			out = append(out, d)
		}
	}
	return out, nil
}
