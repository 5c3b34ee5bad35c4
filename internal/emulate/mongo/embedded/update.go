package embedded

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/aproorg/sluice/internal/emulate/mongo/mingo"
	"github.com/aproorg/sluice/internal/emulate/mongo/wire"
)

// change is one statement of an update, or what findAndModify asks for.
type change struct {
	query     bson.Raw
	update    bson.RawValue
	filters   []bson.Raw // arrayFilters
	sort      bson.RawValue
	multi     bool
	upsert    bool
	collation bson.RawValue
	variables bson.RawValue
}

// foreign reports whether FerretDB cannot do the change: it knows neither updates by a pipeline nor positions in
// arrays.
func (c change) foreign() bool {
	return c.update.Type == bson.TypeArray || positional(c.update) || present(c.collation) ||
		!plainQuery(bson.RawValue{Type: bson.TypeEmbeddedDocument, Value: c.query})
}

// positional reports whether an update changes members of arrays by $, $[] or $[name].
func positional(update bson.RawValue) bool {
	operators, _ := update.DocumentOK()
	for _, operator := range wire.Elements(operators) {
		fields, _ := operator.Value().DocumentOK()
		for _, f := range wire.Elements(fields) {
			if strings.Contains(f.Key()+".", ".$.") || strings.Contains(f.Key(), ".$[") {
				return true
			}
		}
	}
	return false
}

// adaptUpdate gives FerretDB updates of single documents by their _id, with what a pipeline makes of each and with
// positions in numbers. The collection is locked, so that nobody changes them between.
func (e *Database) adaptUpdate(ctx context.Context, cmd wire.Command) (Adaptation, error) {
	var out bson.A
	var conn net.Conn
	for _, u := range cmd.Documents("updates") {
		c := change{update: u.Lookup("u"), filters: wire.Documents(u.Lookup("arrayFilters")), multi: wire.Truthy(u.Lookup("multi")),
			upsert: wire.Truthy(u.Lookup("upsert")), collation: u.Lookup("collation"), variables: u.Lookup("c")}
		c.query, _ = u.Lookup("q").DocumentOK()
		if !c.foreign() {
			out = append(out, u)
			continue
		}
		if conn == nil {
			var err error
			if conn, err = e.Dial(ctx); err != nil {
				return Adaptation{}, fmt.Errorf("connect to the embedded database: %w", err)
			}
			defer conn.Close()
		}
		each, err := e.statements(ctx, conn, cmd, c)
		if err != nil {
			return Adaptation{}, err
		}
		for _, s := range each {
			out = append(out, bson.D{{Key: "q", Value: bson.D{{Key: "_id", Value: s.id}}}, {Key: "u", Value: s.update}, {Key: "upsert", Value: s.insert}})
		}
	}
	if conn == nil {
		return Adaptation{}, nil
	}
	if len(out) == 0 {
		return Adaptation{Reply: must(bson.Marshal(bson.D{{Key: "n", Value: int32(0)}, {Key: "nModified", Value: int32(0)}, {Key: "ok", Value: 1.0}}))}, nil
	}
	doc, err := with(cmd.Doc, "updates", out)
	return Adaptation{Doc: doc}, err
}

// adaptFindAndModify does the same for findAndModify. FerretDB does not know its projection, which is applied to the
// answer.
func (e *Database) adaptFindAndModify(ctx context.Context, cmd wire.Command) (Adaptation, error) {
	fields, _ := cmd.Doc.Lookup("fields").DocumentOK()
	a := Adaptation{Sequences: cmd.Sequences}
	if len(wire.Elements(fields)) > 0 {
		a.Edit = func(reply bson.Raw) (bson.Raw, error) { return e.projectValue(ctx, reply, fields) }
	}
	doc, err := without(cmd.Doc, "fields", "arrayFilters", "collation")
	if err != nil {
		return Adaptation{}, err
	}
	c := change{update: cmd.Doc.Lookup("update"), filters: wire.Documents(cmd.Doc.Lookup("arrayFilters")), sort: cmd.Doc.Lookup("sort"),
		upsert: wire.Truthy(cmd.Doc.Lookup("upsert")), collation: cmd.Doc.Lookup("collation"), variables: cmd.Doc.Lookup("let")}
	c.query, _ = cmd.Doc.Lookup("query").DocumentOK()
	if c.foreign() {
		conn, err := e.Dial(ctx)
		if err != nil {
			return Adaptation{}, fmt.Errorf("connect to the embedded database: %w", err)
		}
		defer conn.Close()
		each, err := e.statements(ctx, conn, cmd, c)
		if err != nil {
			return Adaptation{}, err
		}
		if len(each) == 0 {
			return Adaptation{Reply: must(bson.Marshal(bson.D{{Key: "lastErrorObject", Value: bson.D{{Key: "n", Value: int32(0)}, {Key: "updatedExisting", Value: false}}},
				{Key: "value", Value: nil}, {Key: "ok", Value: 1.0}}))}, nil
		}
		if doc, err = with(doc, "query", bson.D{{Key: "_id", Value: each[0].id}}); err == nil && each[0].update != nil {
			doc, err = with(doc, "update", each[0].update)
		}
		if err != nil {
			return Adaptation{}, err
		}
	}
	if !bytes.Equal(doc, cmd.Doc) {
		a.Doc = doc
	}
	return a, nil
}

// projectValue applies a projection to the value of findAndModify's answer.
func (e *Database) projectValue(ctx context.Context, reply, fields bson.Raw) (bson.Raw, error) {
	value, ok := reply.Lookup("value").DocumentOK()
	if !ok {
		return reply, nil
	}
	var d, spec bson.D
	if err := bson.Unmarshal(fields, &spec); err != nil {
		return nil, fmt.Errorf("decode fields of findAndModify: %w", err)
	}
	if err := bson.Unmarshal(value, &d); err != nil {
		return nil, fmt.Errorf("decode answer to findAndModify: %w", err)
	}
	if projected, plain := project(d, spec); plain {
		return with(reply, "value", projected)
	}
	stage := must(bson.Marshal(bson.D{{Key: "$project", Value: fields}}))
	computed, err := e.engine.Aggregate(ctx, []bson.Raw{value}, []bson.Raw{stage}, mingo.Given{})
	if err != nil {
		return nil, err
	}
	return with(reply, "value", computed[0])
}

// statement is a change of one document.
type statement struct {
	id     bson.RawValue
	update any // operators or a document; nil for a removal
	insert bool
}

// statements are those that a change comes to.
func (e *Database) statements(ctx context.Context, conn net.Conn, cmd wire.Command, c change) ([]statement, error) {
	ctx, cancel := bounded(ctx, cmd)
	defer cancel()
	docs, err := e.matching(ctx, conn, cmd, c)
	if err != nil {
		return nil, err
	}
	if len(docs) == 0 && c.upsert {
		s, err := e.insertion(ctx, conn, cmd, c)
		return []statement{s}, err
	}
	var out []statement
	for _, d := range docs {
		update, err := e.changed(ctx, conn, cmd, c, d)
		if err != nil {
			return nil, err
		}
		out = append(out, statement{id: d.Lookup("_id"), update: update})
	}
	return out, nil
}

// matching are the documents that a change is for.
func (e *Database) matching(ctx context.Context, conn net.Conn, cmd wire.Command, c change) ([]bson.Raw, error) {
	docs, err := e.found(ctx, conn, cmd, c.query, c.sort, c.collation)
	if err == nil && !c.multi {
		docs = docs[:min(1, len(docs))]
	}
	return docs, err
}

// changed is what FerretDB is to do to a document.
func (e *Database) changed(ctx context.Context, conn net.Conn, cmd wire.Command, c change, d bson.Raw) (any, error) {
	if c.update.Type == bson.TypeArray {
		return e.piped(ctx, conn, cmd, c, d)
	}
	operators, ok := c.update.DocumentOK()
	if !ok {
		return nil, nil // a removal
	}
	var out bson.D
	for _, operator := range wire.Elements(operators) {
		fields, ok := operator.Value().DocumentOK()
		if !ok || !strings.HasPrefix(operator.Key(), "$") {
			out = append(out, bson.E{Key: operator.Key(), Value: operator.Value()})
			continue
		}
		placed := bson.D{}
		for _, f := range wire.Elements(fields) {
			paths, err := e.positions(ctx, c, d, strings.Split(f.Key(), "."))
			if err != nil {
				return nil, err
			}
			for _, p := range paths {
				placed = append(placed, bson.E{Key: p, Value: f.Value()})
			}
		}
		if len(placed) > 0 {
			out = append(out, bson.E{Key: operator.Key(), Value: placed})
		}
	}
	if len(out) == 0 { // no member of an array is meant: matched, and not modified
		return d, nil
	}
	return out, nil
}

// updateStages are those that an update may have.
var updateStages = []string{"$addFields", "$set", "$project", "$unset", "$replaceRoot", "$replaceWith"}

// piped is what a pipeline makes of a document.
func (e *Database) piped(ctx context.Context, conn net.Conn, cmd wire.Command, c change, d bson.Raw) (bson.Raw, error) {
	stages := wire.Documents(c.update)
	for _, s := range stages {
		if name, _ := stage(s); !slices.Contains(updateStages, name) {
			return nil, &mingo.Error{Message: name + " is not allowed to be used within an update"}
		}
	}
	given := e.given(conn, cmd)
	if v, ok := c.variables.DocumentOK(); ok {
		given.Variables = v
	}
	out, err := e.engine.Aggregate(ctx, []bson.Raw{d}, stages, given)
	if err != nil {
		return nil, err
	}
	id, before := out[0].Lookup("_id"), d.Lookup("_id")
	switch {
	case before.IsZero() || id.Equal(before):
		return out[0], nil
	case id.IsZero():
		return with(out[0], "_id", before)
	}
	return nil, &mingo.Error{Message: "Performing an update on the path '_id' would modify the immutable field '_id'"}
}

// insertion is the document that an upsert makes: of the query's equalities and the update.
func (e *Database) insertion(ctx context.Context, conn net.Conn, cmd wire.Command, c change) (statement, error) {
	var q bson.D
	if err := bson.Unmarshal(c.query, &q); err != nil {
		return statement{}, fmt.Errorf("decode query: %w", err)
	}
	base, err := encode(equalities(nil, q))
	if err != nil {
		return statement{}, err
	}
	update, err := e.changed(ctx, conn, cmd, c, base)
	if err != nil {
		return statement{}, err
	}
	if d, ok := update.(bson.D); ok { // operators: FerretDB takes the equalities from its query, which has the _id only
		update, err = e.inserted(base, d)
		if err != nil {
			return statement{}, err
		}
	} else if d, ok := update.(bson.Raw); ok && !d.Lookup("_id").IsZero() {
		return statement{id: d.Lookup("_id"), update: d, insert: true}, nil
	}
	id := base.Lookup("_id")
	if id.IsZero() {
		kind, data, err := bson.MarshalValue(bson.NewObjectID())
		if err != nil {
			return statement{}, err
		}
		id = bson.RawValue{Type: kind, Value: data}
	}
	return statement{id: id, update: update, insert: true}, nil
}

// inserted adds what the query's equalities set to the operators of an upsert.
func (e *Database) inserted(base bson.Raw, operators bson.D) (bson.D, error) {
	var set bson.D
	for _, f := range wire.Elements(base) {
		if f.Key() != "_id" {
			set = append(set, bson.E{Key: f.Key(), Value: f.Value()})
		}
	}
	if set == nil {
		return operators, nil
	}
	for i, o := range operators {
		if own, ok := o.Value.(bson.D); ok && o.Key == "$setOnInsert" {
			operators[i].Value = append(set, own...)
			return operators, nil
		}
	}
	return append(operators, bson.E{Key: "$setOnInsert", Value: set}), nil
}

// equalities are the fields for which a query asks one value.
func equalities(into bson.D, q bson.D) bson.D {
	for _, c := range q {
		v := c.Value
		if list, ok := v.(bson.A); ok && c.Key == "$and" {
			for _, part := range list {
				if d, ok := part.(bson.D); ok {
					into = equalities(into, d)
				}
			}
		}
		if d, ok := v.(bson.D); ok && len(d) > 0 && strings.HasPrefix(d[0].Key, "$") {
			if v = field(d, "$eq"); v == nil {
				continue
			}
		}
		if !strings.HasPrefix(c.Key, "$") {
			into = put(into, c.Key, v)
		}
	}
	return into
}

// positions are the paths that one with positional operators stands for in a document.
func (e *Database) positions(ctx context.Context, c change, d bson.Raw, parts []string) ([]string, error) {
	at := slices.IndexFunc(parts, func(p string) bool { return p == "$" || strings.HasPrefix(p, "$[") })
	if at < 0 {
		return []string{strings.Join(parts, ".")}, nil
	}
	array := d.Lookup(parts[:at]...)
	members, ok := array.ArrayOK()
	if !ok {
		return nil, &mingo.Error{Message: fmt.Sprintf("The path '%s' must exist in the document in order to apply array updates.", strings.Join(parts[:at], "."))}
	}
	values, err := members.Values()
	if err != nil {
		return nil, fmt.Errorf("read array: %w", err)
	}
	meant, err := e.meant(ctx, c, d, parts[:at], parts[at], values)
	if err != nil {
		return nil, err
	}
	var out []string
	for _, i := range meant {
		placed := slices.Concat(parts[:at], []string{strconv.Itoa(i)}, parts[at+1:])
		rest, err := e.positions(ctx, c, d, placed)
		if err != nil {
			return nil, err
		}
		out = append(out, rest...)
	}
	return out, nil
}

// meant are the indexes of an array that one positional operator stands for.
func (e *Database) meant(ctx context.Context, c change, d bson.Raw, array []string, operator string, values []bson.RawValue) ([]int, error) {
	if operator == "$" {
		i, err := e.engine.Position(ctx, d, c.query, strings.Join(array, "."))
		if err == nil && i < 0 {
			err = &mingo.Error{Message: "The positional operator did not find the match needed from the query."}
		}
		return []int{i}, err
	}
	name := strings.TrimSuffix(strings.TrimPrefix(operator, "$["), "]")
	if name == "" {
		all := make([]int, len(values))
		for i := range all {
			all[i] = i
		}
		return all, nil
	}
	filter := slices.IndexFunc(c.filters, func(f bson.Raw) bool { return filterName(f) == name })
	if filter < 0 {
		return nil, &mingo.Error{Message: fmt.Sprintf("No array filter found for identifier '%s' in path '%s.%s'", name, strings.Join(array, "."), operator)}
	}
	wrapped := make([]bson.Raw, len(values))
	for i, v := range values {
		var err error
		if wrapped[i], err = encode(bson.D{{Key: name, Value: v}}); err != nil {
			return nil, err
		}
	}
	return e.engine.Matching(ctx, wrapped, c.filters[filter], mingo.Given{})
}

// filterName is the name of the members that an array filter is about.
func filterName(f bson.Raw) string {
	for _, c := range wire.Elements(f) {
		if !strings.HasPrefix(c.Key(), "$") {
			name, _, _ := strings.Cut(c.Key(), ".")
			return name
		}
		for _, d := range wire.Documents(c.Value()) {
			if name := filterName(d); name != "" {
				return name
			}
		}
	}
	return ""
}
