package embedded

import (
	"bytes"
	"fmt"
	"math"
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

// get returns the value at a dotted path. Through an array it is the array of
// what its documents have there. A missing value is nil.
func get(d bson.D, path string) any {
	head, rest, more := strings.Cut(path, ".")
	v := field(d, head)
	if !more {
		return v
	}
	switch v := v.(type) {
	case bson.D:
		return get(v, rest)
	case bson.A:
		found := bson.A{}
		for _, m := range v {
			if d, ok := m.(bson.D); ok {
				if v := get(d, rest); v != nil {
					found = append(found, v)
				}
			}
		}
		return found
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

// whole is a number without a fraction that an int holds, as MongoDB wants an index or
// a count. NaN and the infinities are none.
func whole(v any) (int, bool) {
	n, ok := number(v)
	if !ok || n != math.Trunc(n) || math.Abs(n) > 1<<62 {
		return 0, false
	}
	return int(n), true
}

// keyOf returns a string that is equal for values that MongoDB holds equal.
func keyOf(v any) string {
	if n, ok := number(v); ok {
		return fmt.Sprintf("n%v", n)
	}
	t, b, err := bson.MarshalValue(v)
	if err != nil {
		return fmt.Sprintf("?%v", v)
	}
	return string(byte(t)) + string(b)
}

func equal(a, b any) bool { return keyOf(a) == keyOf(b) }

// compare orders numbers, strings, dates and ObjectIDs of one kind; ok is
// false for others.
func compare(a, b any) (order int, ok bool) {
	if x, isNum := number(a); isNum {
		y, isNum := number(b)
		return int(sign(x - y)), isNum
	}
	switch x := a.(type) {
	case string:
		y, ok := b.(string)
		return strings.Compare(x, y), ok
	case bson.DateTime:
		y, ok := b.(bson.DateTime)
		return int(sign(float64(x - y))), ok
	case bson.ObjectID:
		y, ok := b.(bson.ObjectID)
		return bytes.Compare(x[:], y[:]), ok
	}
	return 0, false
}

func sign(f float64) float64 {
	switch {
	case f < 0:
		return -1
	case f > 0:
		return 1
	}
	return 0
}
