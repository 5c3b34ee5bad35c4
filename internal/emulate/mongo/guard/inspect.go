package guard

import (
	"fmt"
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/aproorg/sluice/internal/emulate/mongo/wire"
)

const (
	retryableWrites  = "retryable writes"
	updateByPipeline = "update by a pipeline"
	parallelBuilds   = "parallel index builds"
)

// inspection collects the findings of one command.
type inspection struct {
	findings []Finding
}

// inspect lists what DocumentDB 5.0 would not do as MongoDB does.
func inspect(cmd wire.Command) []Finding {
	in := &inspection{}
	in.name(cmd)
	in.options(cmd)
	switch cmd.Name {
	case "aggregate":
		in.pipeline("pipeline", wire.Documents(cmd.Doc.Lookup("pipeline")))
	case "find":
		in.find(cmd)
	case "count", "distinct":
		in.queryAt("query", cmd.Doc.Lookup("query"))
	case "findAndModify", "findandmodify":
		in.queryAt("query", cmd.Doc.Lookup("query"))
		in.update("update", cmd.Doc.Lookup("update"))
	case "update":
		for i, u := range cmd.Documents("updates") {
			at := fmt.Sprintf("updates[%d]", i)
			in.queryAt(at+".q", u.Lookup("q"))
			in.update(at+".u", u.Lookup("u"))
			in.collation(at, u)
		}
	case "delete":
		for i, d := range cmd.Documents("deletes") {
			at := fmt.Sprintf("deletes[%d]", i)
			in.queryAt(at+".q", d.Lookup("q"))
			in.collation(at, d)
		}
	case "createIndexes":
		for i, d := range cmd.Documents("indexes") {
			in.index(fmt.Sprintf("indexes[%d]", i), d)
		}
	case "create":
		in.create(cmd.Doc)
	}
	return in.findings
}

func (in *inspection) add(feature, path string, effect Effect, why, page string) {
	in.findings = append(in.findings, Finding{Feature: feature, Path: path, Effect: effect, Why: why, Page: page})
}

func (in *inspection) refuse(feature, path, why string) {
	in.add(feature, path, Refused, why, pageAPIs)
}

// name judges the command itself.
func (in *inspection) name(cmd wire.Command) {
	switch {
	case commandsRefused[cmd.Name]:
		in.refuse("command "+cmd.Name, cmd.Name, "the command is not supported")
	case !commandsKnown[cmd.Name]:
		in.add("command "+cmd.Name, cmd.Name, Unlisted, "the list of supported commands does not name it", pageAPIs)
	}
	if cmd.Database == "local" || (cmd.Database == "admin" && isWrite(cmd.Name)) {
		in.add("database "+cmd.Database, "$db", Refused, "there are no admin and local databases to write to", pageDifferences)
	}
}

func isWrite(name string) bool {
	switch name {
	case "insert", "update", "delete", "findAndModify", "findandmodify", "create", "createIndexes":
		return true
	}
	return false
}

// options judges the fields that many commands share.
func (in *inspection) options(cmd wire.Command) {
	for _, e := range wire.Elements(cmd.Doc) {
		k := e.Key()
		if optionsRefused[k] && (present(e.Value()) && e.Value().Type != bson.TypeBoolean || wire.Truthy(e.Value())) {
			in.refuse("option "+k, k, "the option is not supported")
		}
	}
	_, err := cmd.Doc.LookupErr("autocommit")
	if _, numbered := cmd.Doc.Lookup("txnNumber").AsInt64OK(); numbered && err != nil {
		in.add(retryableWrites, "txnNumber", Refused, "set retryWrites=false in the connection string", pageDifferences)
	}
}

func (in *inspection) collation(at string, d bson.Raw) {
	if present(d.Lookup("collation")) {
		in.refuse("option collation", at+".collation", "the option is not supported")
	}
}

func (in *inspection) find(cmd wire.Command) {
	in.queryAt("filter", cmd.Doc.Lookup("filter"))
	if wire.Truthy(cmd.Doc.Lookup("allowDiskUse")) {
		in.add("option allowDiskUse", "allowDiskUse", Differs, "find does not take it; an aggregation does", pageDifferences)
	}
	for _, where := range []string{"sort", "hint"} {
		d, ok := cmd.Doc.Lookup(where).DocumentOK()
		if !ok {
			continue
		}
		if v, ok := d.Lookup("$natural").AsInt64OK(); ok && v < 0 {
			in.add("$natural: -1", where+".$natural", Refused, "collections are scanned forward only", pageDifferences)
		}
	}
}

// queryAt judges a query document.
func (in *inspection) queryAt(at string, v bson.RawValue) {
	q, ok := v.DocumentOK()
	if !ok {
		return
	}
	for _, e := range wire.Elements(q) {
		in.condition(at+"."+e.Key(), e)
	}
}

// condition judges one field or operator of a query.
func (in *inspection) condition(at string, e bson.RawElement) {
	k, v := e.Key(), e.Value()
	if strings.HasPrefix(k, "$") && !queriesKnown[k] {
		in.refuse(k, at, "the query operator is not supported")
		return
	}
	switch k {
	case "$expr":
		in.expression(at, v)
	case "$and", "$or", "$nor":
		for i, d := range wire.Documents(v) {
			for _, e := range wire.Elements(d) {
				in.condition(fmt.Sprintf("%s[%d].%s", at, i, e.Key()), e)
			}
		}
	case "$in", "$nin", "$all":
		in.members(at, k, wire.Documents(v))
	case "$eq", "$ne", "$gt", "$gte", "$lt", "$lte", "$text", "$jsonSchema", "$geometry":
		// Values, or documents of their own.
	default:
		in.queryAt(at, v)
	}
}

// members judges documents inside $in, $nin and $all.
func (in *inspection) members(at, op string, docs []bson.Raw) {
	for i, d := range docs {
		for _, e := range wire.Elements(d) {
			if !strings.HasPrefix(e.Key(), "$") {
				continue
			}
			in.add(e.Key()+" inside "+op, fmt.Sprintf("%s[%d].%s", at, i, e.Key()), Refused,
				"fields with a dollar cannot be queried there; use $and around $elemMatch", pageDifferences)
		}
	}
}

// update judges the change of an update or findAndModify.
func (in *inspection) update(at string, v bson.RawValue) {
	if v.Type == bson.TypeArray {
		// The page lists operators of updates, and no pipelines; clusters
		// answer them with error 14.
		in.refuse(updateByPipeline, at, "an update takes operators or a document, not a pipeline")
		return
	}
	d, ok := v.DocumentOK()
	if !ok {
		return
	}
	for _, e := range wire.Elements(d) {
		if strings.HasPrefix(e.Key(), "$") && !updatesKnown[e.Key()] {
			in.refuse(e.Key(), at+"."+e.Key(), "the update operator is not supported")
		}
	}
}

// index judges one index that is to be made.
func (in *inspection) index(at string, d bson.Raw) {
	for _, e := range wire.Elements(d) {
		if indexOptionsRefused[e.Key()] && (e.Value().Type != bson.TypeBoolean || e.Value().Boolean()) {
			in.refuse("index option "+e.Key(), at+"."+e.Key(), "the index property is not supported")
		}
	}
	keys, _ := d.Lookup("key").DocumentOK()
	for _, e := range wire.Elements(keys) {
		kind, _ := e.Value().StringValueOK()
		if indexKindsRefused[kind] {
			in.refuse(kind+" index", at+".key."+e.Key(), "the kind of index is not supported")
		}
		if strings.HasSuffix(e.Key(), "$**") {
			in.refuse("wildcard index", at+".key."+e.Key(), "the kind of index is not supported")
		}
	}
	if wire.Truthy(d.Lookup("sparse")) {
		in.add("sparse index", at+".sparse", Differs,
			"a query uses it only with $exists on its fields", pageDifferences)
	}
	partial, _ := d.Lookup("partialFilterExpression").DocumentOK()
	in.partial(at+".partialFilterExpression", partial, true)
}

// partial judges the filter of a partial index.
func (in *inspection) partial(at string, filter bson.Raw, top bool) {
	for _, e := range wire.Elements(filter) {
		k, path := e.Key(), at+"."+e.Key()
		if strings.HasPrefix(k, "$") && (!partialFiltersKnown[k] || k == "$and" && !top) {
			in.add(k+" in a partial index", path, Refused,
				"partial indexes know $eq, $exists, $gt, $gte, $lt, $lte, and $and at the top", pagePartialIndex)
			continue
		}
		if d, ok := e.Value().DocumentOK(); ok {
			in.partial(path, d, false)
		}
		for _, d := range wire.Documents(e.Value()) {
			in.partial(path, d, false)
		}
	}
}

// create judges options of a new collection.
func (in *inspection) create(d bson.Raw) {
	if wire.Truthy(d.Lookup("capped")) {
		in.refuse("capped collection", "capped", "capped collections are not supported")
	}
	for _, k := range []string{"viewOn", "timeseries", "clusteredIndex"} {
		if present(d.Lookup(k)) {
			in.refuse("create with "+k, k, "the kind of collection is not supported")
		}
	}
}

// present reports whether a field is there and holds something.
func present(v bson.RawValue) bool {
	if v.IsZero() || v.Type == bson.TypeNull {
		return false
	}
	if d, ok := v.DocumentOK(); ok {
		return len(wire.Elements(d)) > 0
	}
	return true
}
