package mongo

import (
	"fmt"
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// adapted is what the shim makes of a command: a reply of its own, or another
// form of the command, or an edit of the reply, or nothing (the zero value).
type adapted struct {
	reply     bson.Raw
	doc       bson.Raw
	sequences []sequence
	edit      func(bson.Raw) (bson.Raw, error)
}

// adapt turns a command into what FerretDB 1.24 knows.
func (e *embedded) adapt(cmd command) (adapted, error) {
	if transacts(cmd) {
		return adapted{reply: noTransactions}, nil
	}
	switch cmd.name {
	case "update":
		return e.adaptUpdate(cmd)
	case "findAndModify", "findandmodify":
		return adaptFindAndModify(cmd)
	case "createIndexes":
		return adaptCreateIndexes(cmd)
	case "aggregate":
		return e.adaptAggregate(cmd)
	case "endSessions", "killSessions", "refreshSessions":
		return adapted{reply: okReply}, nil // it has none
	}
	return adapted{}, nil
}

var okReply = must(bson.Marshal(bson.D{{Key: "ok", Value: 1.0}}))

func must[T any](v T, err error) T {
	if err != nil {
		panic(err) // of plain values, which always encode
	}
	return v
}

// adaptFindAndModify takes the projection out of the command and applies it to
// the answer.
func adaptFindAndModify(cmd command) (adapted, error) {
	fields, ok := cmd.doc.Lookup("fields").DocumentOK()
	if !ok {
		return adapted{}, nil
	}
	doc, err := without(cmd.doc, "fields")
	if err != nil {
		return adapted{}, err
	}
	edit := func(reply bson.Raw) (bson.Raw, error) { return projectValue(reply, fields) }
	return adapted{doc: doc, sequences: cmd.sequences, edit: edit}, nil
}

// projectValue applies a projection to the value of findAndModify's answer.
func projectValue(reply, fields bson.Raw) (bson.Raw, error) {
	var d, spec bson.D
	if err := bson.Unmarshal(reply, &d); err != nil {
		return nil, fmt.Errorf("decode answer to findAndModify: %w", err)
	}
	if err := bson.Unmarshal(fields, &spec); err != nil {
		return nil, fmt.Errorf("decode fields of findAndModify: %w", err)
	}
	for i, e := range d {
		value, ok := e.Value.(bson.D)
		if e.Key != "value" || !ok {
			continue
		}
		projected, err := project(value, spec)
		if err != nil {
			return nil, err
		}
		d[i].Value = projected
	}
	return bson.Marshal(d)
}

// indexOptionsDropped are options that FerretDB refuses and that an index can
// do without here: documents do not expire, and a partial index is a whole
// one. Its unique indexes let documents without the field be many, as partial
// and sparse ones do.
var indexOptionsDropped = setOf(
	"partialFilterExpression", "expireAfterSeconds", "hidden", "storageEngine", "weights",
	"default_language", "language_override", "textIndexVersion", "2dsphereIndexVersion", "collation", "v",
)

// adaptCreateIndexes drops options, and whole indexes that are not ordered by
// their fields (text, 2dsphere), which only make queries faster.
func adaptCreateIndexes(cmd command) (adapted, error) {
	var kept bson.A
	for _, d := range cmd.documents("indexes") {
		if !ordered(d) {
			continue
		}
		index, err := without(d, indexOptionsDropped.names()...)
		if err != nil {
			return adapted{}, err
		}
		kept = append(kept, index)
	}
	if len(kept) == 0 {
		return adapted{reply: okReply}, nil
	}
	doc, err := with(cmd.doc, "indexes", kept)
	return adapted{doc: doc}, err
}

// ordered reports whether all fields of an index are ordered up or down.
func ordered(index bson.Raw) bool {
	keys, _ := index.Lookup("key").DocumentOK()
	for _, e := range elements(keys) {
		if _, isNumber := e.Value().AsFloat64OK(); !isNumber || strings.Contains(e.Key(), "$**") {
			return false
		}
	}
	return true
}

func (s set) names() []string {
	names := make([]string, 0, len(s))
	for n := range s {
		names = append(names, n)
	}
	return names
}

// without returns d less some fields, or d itself if it has none of them.
func without(d bson.Raw, names ...string) (bson.Raw, error) {
	drop := setOf(names...)
	var kept bson.D
	found := false
	for _, e := range elements(d) {
		if drop[e.Key()] {
			found = true
			continue
		}
		kept = append(kept, bson.E{Key: e.Key(), Value: e.Value()})
	}
	if !found {
		return d, nil
	}
	return encode(kept)
}

// with returns d with one field set, in its old place or at the end.
func with(d bson.Raw, name string, value any) (bson.Raw, error) {
	var out bson.D
	found := false
	for _, e := range elements(d) {
		if e.Key() == name {
			found = true
			out = append(out, bson.E{Key: name, Value: value})
			continue
		}
		out = append(out, bson.E{Key: e.Key(), Value: e.Value()})
	}
	if !found {
		out = append(out, bson.E{Key: name, Value: value})
	}
	return encode(out)
}

func encode(d bson.D) (bson.Raw, error) {
	b, err := bson.Marshal(d)
	if err != nil {
		return nil, fmt.Errorf("encode command: %w", err)
	}
	return b, nil
}
