package embedded

import (
	"fmt"
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// project applies a projection: all fields kept or all dropped, with values
// computed by the expressions that the shim has. _id stays unless it is
// dropped by name.
func project(d, spec bson.D) (bson.D, error) {
	if excludes(spec) {
		for _, e := range spec {
			d = drop(d, e.Key)
		}
		return d, nil
	}
	paths := []string{}
	if !off(field(spec, "_id")) {
		paths = append(paths, "_id")
	}
	for _, e := range spec {
		if on(e.Value) {
			paths = append(paths, e.Key)
		}
	}
	out := pick(d, paths)
	for _, e := range spec {
		if on(e.Value) || off(e.Value) {
			continue
		}
		v, err := eval(d, nil, e.Value)
		if err != nil {
			return nil, err
		}
		if v != nil {
			out = put(out, e.Key, v)
		}
	}
	return out, nil
}

// excludes reports whether a projection names the fields to drop.
func excludes(spec bson.D) bool {
	for _, e := range spec {
		if e.Key != "_id" {
			return off(e.Value)
		}
	}
	return len(spec) > 0 && off(spec[0].Value)
}

func on(v any) bool {
	n, ok := number(v)
	b, isBool := v.(bool)
	return ok && n != 0 || isBool && b
}

func off(v any) bool {
	n, ok := number(v)
	b, isBool := v.(bool)
	return ok && n == 0 || isBool && !b
}

// pick returns the fields at dotted paths, in the document's own order. Of an
// array it keeps the documents, each with what it has of the rest of the path.
func pick(d bson.D, paths []string) bson.D {
	out := bson.D{}
	for _, e := range d {
		whole, inner := false, []string(nil)
		for _, p := range paths {
			head, rest, more := strings.Cut(p, ".")
			whole = whole || head == e.Key && !more
			if head == e.Key && more {
				inner = append(inner, rest)
			}
		}
		if v, ok := pickInside(e.Value, inner); !whole && ok {
			out = append(out, bson.E{Key: e.Key, Value: v})
		}
		if whole {
			out = append(out, e)
		}
	}
	return out
}

// pickInside picks from a field's value; plain values have nothing to pick.
func pickInside(v any, paths []string) (any, bool) {
	if len(paths) == 0 {
		return nil, false
	}
	switch v := v.(type) {
	case bson.D:
		return pick(v, paths), true
	case bson.A:
		out := bson.A{}
		for _, m := range v {
			if p, ok := pickInside(m, paths); ok {
				out = append(out, p)
			}
		}
		return out, true
	}
	return nil, false
}

func addFields(d, spec bson.D) (bson.D, error) {
	in := d
	for _, e := range spec {
		v, err := eval(in, nil, e.Value)
		if err != nil {
			return nil, err
		}
		d = put(d, e.Key, v)
	}
	return d, nil
}

// variables are the values of "$$name" in an expression.
type variables map[string]any

// expressions are the operators that the shim computes. FerretDB has none of
// them. It is filled by init, since they call eval themselves.
var expressions map[string]func(d bson.D, vars variables, args any) (any, error)

func init() {
	expressions = map[string]func(bson.D, variables, any) (any, error){
		"$arrayElemAt": elementAt,
		"$filter":      filterArray,
		"$and":         all,
		"$eq":          equals,
		"$literal":     func(_ bson.D, _ variables, v any) (any, error) { return v, nil },
	}
}

// eval computes an expression over a document.
func eval(d bson.D, vars variables, expr any) (any, error) {
	switch x := expr.(type) {
	case string:
		return evalPath(d, vars, x), nil
	case bson.D:
		if len(x) == 1 && strings.HasPrefix(x[0].Key, "$") {
			f := expressions[x[0].Key]
			if f == nil {
				return nil, fmt.Errorf("the embedded database does not know the operator %s: rehearse with a real server", x[0].Key)
			}
			return f(d, vars, x[0].Value)
		}
	}
	return expr, nil
}

func evalPath(d bson.D, vars variables, s string) any {
	if name, ok := strings.CutPrefix(s, "$$"); ok {
		head, rest, more := strings.Cut(name, ".")
		v := vars[head]
		if inner, isDoc := v.(bson.D); more && isDoc {
			return get(inner, rest)
		}
		return v
	}
	if path, ok := strings.CutPrefix(s, "$"); ok {
		return get(d, path)
	}
	return s
}

// evalAll computes the operands of an operator.
func evalAll(d bson.D, vars variables, args any) (bson.A, error) {
	list, ok := args.(bson.A)
	if !ok {
		list = bson.A{args}
	}
	out := make(bson.A, len(list))
	for i, a := range list {
		var err error
		if out[i], err = eval(d, vars, a); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func elementAt(d bson.D, vars variables, args any) (any, error) {
	in, err := evalAll(d, vars, args)
	if err != nil {
		return nil, err
	}
	if len(in) != 2 {
		return nil, fmt.Errorf("$arrayElemAt needs 2 operands, not %d", len(in))
	}
	arr, _ := in[0].(bson.A)
	if in[1] == nil {
		return nil, nil
	}
	i, ok := whole(in[1])
	if !ok {
		return nil, fmt.Errorf("$arrayElemAt needs an index without a fraction, not %v", in[1])
	}
	if i < 0 {
		i += len(arr)
	}
	if i < 0 || i >= len(arr) {
		return nil, nil
	}
	return arr[i], nil
}

func filterArray(d bson.D, vars variables, args any) (any, error) {
	spec, _ := args.(bson.D)
	input, err := eval(d, vars, field(spec, "input"))
	if err != nil {
		return nil, err
	}
	as, _ := field(spec, "as").(string)
	if as == "" {
		as = "this"
	}
	arr, ok := input.(bson.A)
	if !ok {
		return nil, nil
	}
	kept := bson.A{}
	for _, m := range arr {
		inner := variables{as: m}
		for k, v := range vars {
			if k != as {
				inner[k] = v
			}
		}
		ok, err := eval(d, inner, field(spec, "cond"))
		if err != nil {
			return nil, err
		}
		if !off(ok) && ok != nil {
			kept = append(kept, m)
		}
	}
	return kept, nil
}

func all(d bson.D, vars variables, args any) (any, error) {
	in, err := evalAll(d, vars, args)
	for _, v := range in {
		if v == nil || off(v) {
			return false, err
		}
	}
	return true, err
}

func equals(d bson.D, vars variables, args any) (any, error) {
	in, err := evalAll(d, vars, args)
	if err != nil {
		return nil, err
	}
	if len(in) != 2 {
		return nil, fmt.Errorf("$eq needs 2 operands, not %d", len(in))
	}
	return equal(in[0], in[1]), nil
}
