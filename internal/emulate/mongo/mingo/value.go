package mingo

import (
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"

	"github.com/dop251/goja"
	"go.mongodb.org/mongo-driver/v2/bson"
)

// maxDepth is MongoDB's own bound.
const maxDepth = 180

var errDepth = &Error{Message: "documents are nested deeper than 180 levels"}

// own are names that JavaScript reorders or takes for its own; see src/values.js.
var own = regexp.MustCompile(`^(\d+|__proto__)$`)

func inner(name string) string {
	if own.MatchString(name) {
		return "\x00" + name
	}
	return name
}

// array makes documents into JavaScript's. In a specification numbers stand for operands, and are plain where they fit.
func (m *machine) array(docs []bson.Raw, specification bool) (goja.Value, error) {
	values := make([]any, len(docs))
	for i, d := range docs {
		v, err := m.object(d, specification, 0)
		if err != nil {
			return nil, err
		}
		values[i] = v
	}
	return m.vm.NewArray(values...), nil
}

func (m *machine) object(d bson.Raw, specification bool, depth int) (goja.Value, error) {
	if depth > maxDepth {
		return nil, errDepth
	}
	elems, err := d.Elements()
	if err != nil {
		return nil, fmt.Errorf("read document: %w", err)
	}
	o := m.vm.NewObject()
	for _, e := range elems {
		v, err := m.from(e.Value(), specification, depth+1)
		if err != nil {
			return nil, err
		}
		if err := o.Set(inner(e.Key()), v); err != nil {
			return nil, err
		}
	}
	return o, nil
}

// from makes a BSON value into JavaScript's, or wraps it.
func (m *machine) from(v bson.RawValue, specification bool, depth int) (goja.Value, error) {
	switch v.Type {
	case bson.TypeEmbeddedDocument:
		return m.object(v.Document(), specification, depth)
	case bson.TypeArray:
		return m.list(v, specification, depth)
	case bson.TypeString:
		return m.vm.ToValue(v.StringValue()), nil
	case bson.TypeBoolean:
		return m.vm.ToValue(v.Boolean()), nil
	case bson.TypeNull:
		return goja.Null(), nil
	case bson.TypeInt32:
		return m.vm.ToValue(int64(v.Int32())), nil
	case bson.TypeInt64:
		n := v.Int64()
		if specification && int64(int32(n)) == n {
			return m.vm.ToValue(n), nil
		}
		return m.number("long", strconv.FormatInt(n, 10), v, float64(n))
	case bson.TypeDouble:
		n := v.Double()
		if n != math.Trunc(n) || math.IsInf(n, 0) || n == 0 && math.Signbit(n) || specification && float64(int32(n)) == n {
			return m.vm.ToValue(n), nil
		}
		return m.number("double", strconv.FormatFloat(n, 'f', -1, 64), v, n)
	case bson.TypeDecimal128:
		text := v.Decimal128().String()
		n, err := strconv.ParseFloat(text, 64)
		if err != nil && !errors.Is(err, strconv.ErrRange) {
			return nil, fmt.Errorf("read decimal %s: %w", text, err)
		}
		return m.number("decimal", text, v, n)
	case bson.TypeDateTime:
		return m.vm.New(m.date, m.vm.ToValue(v.DateTime()))
	case bson.TypeRegex:
		return m.regex(v)
	}
	kind, text := describe(v)
	return m.vm.New(m.value, m.vm.ToValue(kind), m.vm.ToValue(text), m.vm.ToValue(v))
}

func (m *machine) list(v bson.RawValue, specification bool, depth int) (goja.Value, error) {
	if depth > maxDepth {
		return nil, errDepth
	}
	members, err := v.Array().Values()
	if err != nil {
		return nil, fmt.Errorf("read array: %w", err)
	}
	values := make([]any, len(members))
	for i, member := range members {
		if values[i], err = m.from(member, specification, depth+1); err != nil {
			return nil, err
		}
	}
	return m.vm.NewArray(values...), nil
}

func (m *machine) number(kind, text string, v bson.RawValue, n float64) (goja.Value, error) {
	return m.vm.New(m.numeric, m.vm.ToValue(kind), m.vm.ToValue(text), m.vm.ToValue(v), m.vm.ToValue(n))
}

// regex is a pattern as JavaScript compiles it. One that it cannot compile passes through, and matches nothing.
func (m *machine) regex(v bson.RawValue) (goja.Value, error) {
	pattern, options := v.Regex()
	o, err := m.vm.New(m.pattern, m.vm.ToValue(pattern), m.vm.ToValue(options))
	if err != nil {
		return m.vm.New(m.value, m.vm.ToValue("regex"), m.vm.ToValue(pattern+"/"+options), m.vm.ToValue(v))
	}
	return o, o.DefineDataProperty("bson", m.vm.ToValue(v), goja.FLAG_FALSE, goja.FLAG_FALSE, goja.FLAG_FALSE)
}

// describe names a value's type as $type does, with a text that orders values of the type.
func describe(v bson.RawValue) (kind, text string) {
	switch v.Type {
	case bson.TypeObjectID:
		return "objectId", v.ObjectID().Hex()
	case bson.TypeBinary:
		subtype, data := v.Binary()
		return "binData", fmt.Sprintf("%08x%02x%x", len(data), subtype, data)
	case bson.TypeTimestamp:
		t, i := v.Timestamp()
		return "timestamp", fmt.Sprintf("%020d", uint64(t)<<32|uint64(i))
	case bson.TypeMinKey:
		return "minKey", ""
	case bson.TypeMaxKey:
		return "maxKey", ""
	case bson.TypeUndefined:
		return "undefined", ""
	case bson.TypeSymbol:
		return "symbol", v.Symbol()
	case bson.TypeJavaScript:
		return "javascript", v.JavaScript()
	case bson.TypeDBPointer:
		return "dbPointer", hex.EncodeToString(v.Value)
	}
	return "javascriptWithScope", hex.EncodeToString(v.Value)
}

// each calls f for each member of an array.
func (m *machine) each(v goja.Value, f func(goja.Value) error) error {
	o, ok := v.(*goja.Object)
	if !ok {
		return fmt.Errorf("mingo gave %s, not an array", v)
	}
	for i := range o.Get("length").ToInteger() {
		if err := f(o.Get(strconv.FormatInt(i, 10))); err != nil {
			return err
		}
	}
	return nil
}

// document is a JavaScript object as BSON.
func (m *machine) document(v goja.Value) (bson.Raw, error) {
	d, ok := v.(*goja.Object)
	if !ok {
		return nil, fmt.Errorf("a pipeline's result is %s, not a document", v)
	}
	fields, err := m.fields(d, 0)
	if err != nil {
		return nil, err
	}
	return bson.Marshal(fields)
}

func (m *machine) fields(o *goja.Object, depth int) (bson.D, error) {
	if depth > maxDepth {
		return nil, errDepth
	}
	d := bson.D{}
	for _, key := range o.Keys() {
		v := o.Get(key)
		if goja.IsUndefined(v) {
			continue // missing
		}
		value, err := m.to(v, depth+1)
		if err != nil {
			return nil, err
		}
		d = append(d, bson.E{Key: strings.TrimPrefix(key, "\x00"), Value: value})
	}
	return d, nil
}

// to makes a JavaScript value into BSON.
func (m *machine) to(v goja.Value, depth int) (any, error) {
	if v == nil || goja.IsUndefined(v) || goja.IsNull(v) {
		return nil, nil
	}
	o, ok := v.(*goja.Object)
	if !ok {
		return primitive(v)
	}
	if m.vm.InstanceOf(v, m.value) {
		return m.wrapped(o)
	}
	switch o.ClassName() {
	case "Array":
		a := bson.A{}
		if depth > maxDepth {
			return nil, errDepth
		}
		err := m.each(o, func(v goja.Value) error {
			member, err := m.to(v, depth+1)
			a = append(a, member)
			return err
		})
		return a, err
	case "Date":
		ms := o.ToFloat()
		if math.IsNaN(ms) {
			return nil, nil
		}
		return bson.DateTime(int64(ms)), nil
	case "RegExp":
		if raw, ok := o.Get("bson").(*goja.Object); ok {
			if v, ok := raw.Export().(bson.RawValue); ok {
				return v, nil
			}
		}
		return bson.Regex{Pattern: o.Get("source").String(), Options: strings.NewReplacer("g", "", "u", "").Replace(o.Get("flags").String())}, nil
	case "Function":
		return nil, errors.New("a pipeline's result holds a function")
	}
	return m.fields(o, depth)
}

func primitive(v goja.Value) (any, error) {
	switch x := v.Export().(type) {
	case int64:
		if int64(int32(x)) == x {
			return int32(x), nil
		}
		return x, nil
	case float64:
		if x == math.Trunc(x) && math.Abs(x) < 1<<63 && !(x == 0 && math.Signbit(x)) {
			return int64(x), nil
		}
		return x, nil
	case string, bool:
		return x, nil
	}
	return nil, fmt.Errorf("a pipeline's result holds %s, which BSON does not have", v)
}

// wrapped is the value that came in, or one that a conversion made.
func (m *machine) wrapped(o *goja.Object) (any, error) {
	if raw := o.Get("bson"); raw != nil {
		if v, ok := raw.Export().(bson.RawValue); ok {
			return v, nil
		}
	}
	text := o.Get("text").String()
	switch kind := o.Get("type").String(); kind {
	case "objectId":
		return bson.ObjectIDFromHex(text)
	case "long":
		return strconv.ParseInt(text, 10, 64)
	case "double":
		return o.Get("number").ToFloat(), nil
	case "decimal":
		return bson.ParseDecimal128(text)
	default:
		return nil, fmt.Errorf("a pipeline's result holds a %s that nobody made", kind)
	}
}
