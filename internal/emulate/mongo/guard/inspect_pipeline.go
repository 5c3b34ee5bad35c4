package guard

import (
	"fmt"
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/aproorg/sluice/internal/emulate/mongo/wire"
)

// pipeline judges the stages of an aggregation.
func (in *inspection) pipeline(at string, stages []bson.Raw) {
	for i, s := range stages {
		elems := wire.Elements(s)
		if len(elems) == 0 {
			continue
		}
		name, v := elems[0].Key(), elems[0].Value()
		path := fmt.Sprintf("%s[%d].%s", at, i, name)
		if !stagesKnown[name] {
			in.refuse(name, path, "the aggregation stage is not supported")
			continue
		}
		in.stage(path, name, v)
		if name == "$sort" {
			in.sorted(path, stages[i+1:])
		}
	}
}

func (in *inspection) stage(at, name string, v bson.RawValue) {
	switch name {
	case "$match":
		in.queryAt(at, v)
	case "$lookup":
		in.lookup(at, v)
	case "$geoNear", "$search", "$changeStream", "$collStats", "$currentOp", "$indexStats", "$sort":
		// No expressions inside.
	default:
		in.expression(at, v)
	}
}

// sorted reports a $sort whose order DocumentDB does not promise to keep:
// only the last stage's is. $skip and $limit take from the sorted documents
// and are let pass.
func (in *inspection) sorted(at string, after []bson.Raw) {
	for _, s := range after {
		elems := wire.Elements(s)
		if len(elems) == 0 {
			continue
		}
		switch name := elems[0].Key(); name {
		case "$skip", "$limit", "$sort":
		default:
			in.add("$sort before "+name, at, Differs,
				"the order is kept only if $sort is the pipeline's last stage", pageDifferences)
			return
		}
	}
}

// lookup judges a join: by equality or with an uncorrelated pipeline.
func (in *inspection) lookup(at string, v bson.RawValue) {
	d, ok := v.DocumentOK()
	if !ok {
		return
	}
	if present(d.Lookup("let")) {
		in.add("$lookup with let", at+".let", Refused, "correlated subqueries are not supported", pageDifferences)
	}
	in.pipeline(at+".pipeline", wire.Documents(d.Lookup("pipeline")))
}

// expression judges operators and variables at any depth.
func (in *inspection) expression(at string, v bson.RawValue) {
	if s, ok := v.StringValueOK(); ok {
		name, _, _ := strings.Cut(s, ".")
		if variablesRefused[name] {
			in.refuse(name, at, "the system variable is not supported")
		}
		return
	}
	if arr, ok := v.ArrayOK(); ok {
		values, err := bson.Raw(arr).Values()
		if err != nil {
			return
		}
		for i, v := range values {
			in.expression(fmt.Sprintf("%s[%d]", at, i), v)
		}
		return
	}
	d, ok := v.DocumentOK()
	if !ok {
		return
	}
	for _, e := range wire.Elements(d) {
		k, path := e.Key(), at+"."+e.Key()
		if strings.HasPrefix(k, "$") && !expressionsKnown[k] {
			in.refuse(k, path, "the aggregation operator is not supported")
			continue
		}
		if k != "$literal" {
			in.expression(path, e.Value())
		}
	}
}
