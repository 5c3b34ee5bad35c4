package embedded

import (
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// field returns a field's value, or nil.
func field(d bson.D, key string) any {
	for _, e := range d {
		if e.Key == key {
			return e.Value
		}
	}
	return nil
}

// put returns a copy of d with the value at a dotted path set.
func put(d bson.D, path string, v any) bson.D {
	head, rest, more := strings.Cut(path, ".")
	out := append(bson.D(nil), d...)
	if more {
		inner, _ := field(d, head).(bson.D)
		v = put(inner, rest, v)
	}
	for i := range out {
		if out[i].Key == head {
			out[i].Value = v
			return out
		}
	}
	return append(out, bson.E{Key: head, Value: v})
}

// drop returns a copy of d less the field at a dotted path. Documents inside
// arrays lose it too.
func drop(d bson.D, path string) bson.D {
	head, rest, more := strings.Cut(path, ".")
	out := bson.D{}
	for _, e := range d {
		if e.Key != head {
			out = append(out, e)
			continue
		}
		if !more {
			continue
		}
		e.Value = mapDocuments(e.Value, func(d bson.D) bson.D { return drop(d, rest) })
		out = append(out, e)
	}
	return out
}

// mapDocuments applies f to a document, or to each document of an array.
func mapDocuments(v any, f func(bson.D) bson.D) any {
	switch v := v.(type) {
	case bson.D:
		return f(v)
	case bson.A:
		out := make(bson.A, len(v))
		for i, m := range v {
			out[i] = mapDocuments(m, f)
		}
		return out
	}
	return v
}

// number reads any of BSON's plain numbers.
func number(v any) (float64, bool) {
	switch v := v.(type) {
	case int32:
		return float64(v), true
	case int64:
		return float64(v), true
	case float64:
		return v, true
	}
	return 0, false
}
