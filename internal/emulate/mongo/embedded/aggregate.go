package embedded

import (
	"context"
	"fmt"
	"net"
	"strings"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/aproorg/sluice/internal/emulate/mongo/mingo"
	"github.com/aproorg/sluice/internal/emulate/mongo/wire"
)

// maxComputation bounds a computation that has no maxTimeMS.
const maxComputation = time.Minute

// bounded is a context with the time that a command gives itself.
func bounded(ctx context.Context, cmd wire.Command) (context.Context, context.CancelFunc) {
	limit := maxComputation
	if ms, ok := cmd.Doc.Lookup("maxTimeMS").AsInt64OK(); ok && ms > 0 && ms < limit.Milliseconds() {
		limit = time.Duration(ms) * time.Millisecond
	}
	return context.WithTimeout(ctx, limit)
}

// adaptAggregate runs a pipeline that FerretDB cannot: it gives FerretDB the
// stages before the first that it lacks, and has the rest computed in memory.
func (e *Database) adaptAggregate(ctx context.Context, cmd wire.Command) (Adaptation, error) {
	stages := wire.Documents(cmd.Doc.Lookup("pipeline"))
	head, rest := split(cmd, stages)
	if len(rest) == 0 || wire.Truthy(cmd.Doc.Lookup("explain")) {
		return Adaptation{}, nil
	}
	ctx, cancel := bounded(ctx, cmd)
	defer cancel()
	conn, err := e.Dial(ctx)
	if err != nil {
		return Adaptation{}, fmt.Errorf("connect to the embedded database: %w", err)
	}
	defer conn.Close()
	docs := []bson.Raw{}
	if cmd.Collection != "" { // none for $documents
		if docs, err = e.head(conn, cmd, head); err != nil {
			return Adaptation{}, err
		}
	}
	docs, err = e.engine.Aggregate(ctx, docs, rest, e.given(conn, cmd))
	if err != nil {
		return Adaptation{}, err
	}
	return cursor(cmd, docs)
}

// given is what computations of a command may need.
func (e *Database) given(conn net.Conn, cmd wire.Command) mingo.Given {
	given := mingo.Given{Collection: func(name string) ([]bson.Raw, error) {
		return e.all(conn, bson.D{{Key: "find", Value: name}, {Key: "filter", Value: bson.D{}}, {Key: "$db", Value: cmd.Database}})
	}}
	given.Variables, _ = cmd.Doc.Lookup("let").DocumentOK()
	if present(cmd.Doc.Lookup("collation")) {
		given.Collation, _ = cmd.Doc.Lookup("collation").DocumentOK()
	}
	return given
}

// maxReply is what a message holds, less room for what stands around the documents.
const maxReply = 48_000_000 - 16<<10

// cursor is a reply with all documents in its first batch.
func cursor(cmd wire.Command, docs []bson.Raw) (Adaptation, error) {
	size := 0
	for _, d := range docs {
		size += len(d) + 8
	}
	if size > maxReply {
		return Adaptation{}, &mingo.Error{Message: fmt.Sprintf("the result has %d bytes, and more than %d do not fit into one batch", size, maxReply)}
	}
	if docs == nil {
		docs = []bson.Raw{}
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

// split divides a pipeline into stages for FerretDB and the rest. FerretDB's are those that narrow and order
// documents; it keeps a pipeline whole whose rest counts them.
func split(cmd wire.Command, stages []bson.Raw) (head, rest []bson.Raw) {
	if present(cmd.Doc.Lookup("collation")) || present(cmd.Doc.Lookup("let")) {
		return nil, append([]bson.Raw{}, stages...)
	}
	for i, s := range stages {
		name, value := stage(s)
		switch {
		case name == "$match" && plainQuery(value):
			continue
		case name == "$sort" || name == "$skip" || name == "$limit":
			continue
		case name == "$match" && i == 0: // what it narrows is looked at again
			return narrowed(s), stages
		case i == len(stages)-1 && counts(name, value):
			return stages, nil
		case i == 0 && (name == "$collStats" || name == "$indexStats" || name == "$currentOp" || name == "$listSessions" || name == "$changeStream"):
			return stages, nil // FerretDB has it, or says that it has not
		}
		return stages[:i], stages[i:]
	}
	return stages, nil
}

func stage(s bson.Raw) (name string, value bson.RawValue) {
	elems := wire.Elements(s)
	if len(elems) != 1 {
		return "", bson.RawValue{}
	}
	return elems[0].Key(), elems[0].Value()
}

// counts reports whether a stage counts documents, as countDocuments of drivers asks.
func counts(name string, v bson.RawValue) bool {
	if name == "$count" {
		return true
	}
	group, _ := v.DocumentOK()
	elems := wire.Elements(group)
	if name != "$group" || len(elems) != 2 {
		return false
	}
	_, constant := group.Lookup("_id").AsFloat64OK()
	one, isOne := group.Lookup(elems[1].Key(), "$sum").AsFloat64OK()
	return elems[0].Key() == "_id" && constant && isOne && one == 1
}

// head runs the first stages on the database and returns all they yield.
func (e *Database) head(conn net.Conn, cmd wire.Command, stages []bson.Raw) ([]bson.Raw, error) {
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

// maxRead bounds the documents that one command has in memory, as MongoDB bounds a stage without a disk.
const maxRead = 100 << 20

// all runs a command that answers with a cursor, and reads it to its end. The
// command's first field is the collection, its last one $db.
func (e *Database) all(conn net.Conn, cmd bson.D) ([]bson.Raw, error) {
	collection, db := cmd[0].Value, cmd[len(cmd)-1]
	docs, size := []bson.Raw{}, 0
	for {
		reply, err := e.run(conn, cmd)
		if err != nil {
			return nil, err
		}
		if size += len(reply); size > maxRead {
			return nil, &mingo.Error{Message: fmt.Sprintf("more than %d MB of documents to compute with", maxRead>>20)}
		}
		batch, _ := reply.Lookup("cursor").DocumentOK()
		docs = append(append(docs, wire.Documents(batch.Lookup("firstBatch"))...), wire.Documents(batch.Lookup("nextBatch"))...)
		id, _ := batch.Lookup("id").AsInt64OK()
		if id == 0 {
			return docs, nil
		}
		cmd = bson.D{{Key: "getMore", Value: id}, {Key: "collection", Value: collection}, db}
	}
}

// narrowed is a $match of those conditions of a first stage that FerretDB has.
func narrowed(s bson.Raw) []bson.Raw {
	var kept bson.D
	q, _ := s.Lookup("$match").DocumentOK()
	for _, c := range wire.Elements(q) {
		if plainCondition(c.Key(), c.Value()) {
			kept = append(kept, bson.E{Key: c.Key(), Value: c.Value()})
		}
	}
	if kept == nil {
		return nil
	}
	return []bson.Raw{must(bson.Marshal(bson.D{{Key: "$match", Value: kept}}))}
}

// plainOperators are those of queries that FerretDB 1.24 has.
var plainOperators = map[string]bool{
	"$eq": true, "$gt": true, "$gte": true, "$lt": true, "$lte": true, "$ne": true, "$in": true, "$nin": true,
	"$and": true, "$or": true, "$nor": true, "$not": true, "$exists": true, "$type": true, "$mod": true, "$regex": true, "$options": true,
	"$all": true, "$elemMatch": true, "$size": true, "$bitsAllClear": true, "$bitsAllSet": true, "$bitsAnyClear": true, "$bitsAnySet": true,
	"$comment": true,
}

// plainQuery reports whether FerretDB has all operators of a query.
func plainQuery(v bson.RawValue) bool {
	q, ok := v.DocumentOK()
	for _, c := range wire.Elements(q) {
		ok = ok && plainCondition(c.Key(), c.Value())
	}
	return ok
}

func plainCondition(key string, v bson.RawValue) bool {
	if strings.HasPrefix(key, "$") && !plainOperators[key] || foreignValue(v) != "" {
		return false
	}
	switch key {
	case "$and", "$or", "$nor":
		for _, d := range wire.Documents(v) {
			if !plainQuery(bson.RawValue{Type: bson.TypeEmbeddedDocument, Value: d}) {
				return false
			}
		}
		return true
	}
	if d, ok := v.DocumentOK(); ok && !(key == "$eq" || key == "$ne") {
		for _, c := range wire.Elements(d) {
			operator := strings.HasPrefix(c.Key(), "$")
			if operator && !plainCondition(c.Key(), c.Value()) || !operator && key == "$elemMatch" { // FerretDB's has operators only
				return false
			}
		}
	}
	return true
}

// present reports whether a field is there and holds something.
func present(v bson.RawValue) bool {
	d, ok := v.DocumentOK()
	return ok && len(wire.Elements(d)) > 0
}
