package embedded

import (
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// project applies a projection that keeps or drops fields. _id stays unless it is
// dropped by name. ok is false for a projection that computes.
func project(d, spec bson.D) (_ bson.D, ok bool) {
	for _, e := range spec {
		if !on(e.Value) && !off(e.Value) {
			return nil, false
		}
	}
	if excludes(spec) {
		for _, e := range spec {
			d = drop(d, e.Key)
		}
		return d, true
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
	return pick(d, paths), true
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
