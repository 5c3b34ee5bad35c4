package awsmodel

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"time"

	"github.com/aws/smithy-go/encoding/cbor"
)

func (d *decoder) structureFromJSON(ref *Ref, body []byte) map[string]any {
	value, _ := d.valueFrom("", ref, body).(map[string]any)
	return value
}

func (d *decoder) valueFrom(at string, ref *Ref, body []byte) any {
	if len(bytes.TrimSpace(body)) == 0 {
		return map[string]any{}
	}
	reader := json.NewDecoder(bytes.NewReader(body))
	reader.UseNumber()
	var raw any
	if err := reader.Decode(&raw); err != nil {
		d.fault(at, "the body is no JSON: %v", err)
		return nil
	}
	if ref == nil {
		ref = &Ref{}
	}
	return d.fromTree(at, ref, raw)
}

func (d *decoder) structureFromCBOR(ref *Ref, body []byte) map[string]any {
	if len(body) == 0 {
		return map[string]any{}
	}
	raw, err := cbor.Decode(body)
	if err != nil {
		d.fault("", "the body is no CBOR: %v", err)
		return nil
	}
	if ref == nil {
		ref = &Ref{}
	}
	value, _ := d.fromTree("", ref, plain(raw)).(map[string]any)
	return value
}

// plain is CBOR as the decoder of JSON would give it, with time.Time and []byte beside.
func plain(v cbor.Value) any {
	switch v := v.(type) {
	case cbor.Uint:
		return json.Number(strconv.FormatUint(uint64(v), 10))
	case cbor.NegInt:
		return json.Number(strconv.FormatInt(-int64(v), 10))
	case cbor.Float32:
		return float64(v)
	case cbor.Float64:
		return float64(v)
	case cbor.String:
		return string(v)
	case cbor.Slice:
		return []byte(v)
	case cbor.Bool:
		return bool(v)
	case cbor.List:
		list := []any{}
		for _, item := range v {
			list = append(list, plain(item))
		}
		return list
	case cbor.Map:
		object := map[string]any{}
		for name, item := range v {
			object[name] = plain(item)
		}
		return object
	case *cbor.Tag:
		switch seconds := plain(v.Value).(type) {
		case json.Number:
			n, _ := seconds.Float64()
			return epoch(n)
		case float64:
			return epoch(seconds)
		}
	}
	return nil
}

// fromTree fits what a decoder of JSON or CBOR gave to a shape. A null is not there.
func (d *decoder) fromTree(at string, ref *Ref, raw any) any {
	shape := d.service.shape(ref)
	if shape.Document || raw == nil {
		return raw
	}
	switch shape.Type {
	case "structure":
		if object, ok := raw.(map[string]any); ok {
			return d.members(at, shape, object)
		}
	case "map":
		if object, ok := raw.(map[string]any); ok {
			values := map[string]any{}
			for name, item := range object {
				if item != nil {
					values[name] = d.fromTree(at+"."+name, shape.Value, item)
				}
			}
			return values
		}
	case "list":
		if items, ok := raw.([]any); ok {
			values := []any{}
			for i, item := range items {
				values = append(values, d.fromTree(fmt.Sprintf("%s[%d]", at, i), shape.Member, item))
			}
			return values
		}
	default:
		if value := leaf(ref, shape, raw); value != nil {
			return value
		}
	}
	d.fault(at, "%.100v is no %s", raw, shape.Type)
	return nil
}

func (d *decoder) members(at string, shape *Shape, object map[string]any) map[string]any {
	values, unknown := map[string]any{}, map[string]any{}
	for name, item := range object {
		if name != "__type" {
			unknown[name] = item
		}
	}
	for member, ref := range shape.Members {
		name := ref.named(member)
		if item, ok := object[name]; ok && ref.Location == "" {
			delete(unknown, name)
			if value := d.fromTree(at+"."+member, ref, item); value != nil {
				values[member] = value
			}
		}
	}
	for name := range unknown {
		d.fault(at+"."+name, "no member has this name")
	}
	return values
}

// leaf is the value of a shape that has no members, or nil.
func leaf(ref *Ref, shape *Shape, raw any) any {
	switch v := raw.(type) {
	case string:
		return textLeaf(ref, shape, v)
	case bool:
		if shape.Type == "boolean" {
			return v
		}
	case []byte:
		if shape.Type == "blob" {
			return v
		}
	case time.Time:
		if shape.Type == "timestamp" {
			return v
		}
	case float64:
		switch {
		case shape.Type == "float" || shape.Type == "double":
			return v
		case integral(shape) && v == math.Trunc(v):
			return int64(v)
		}
	case json.Number:
		switch {
		case integral(shape):
			if n, err := v.Int64(); err == nil {
				return n
			}
		case shape.Type == "float" || shape.Type == "double":
			if n, err := v.Float64(); err == nil {
				return n
			}
		case shape.Type == "timestamp":
			if t, ok := timestamp(string(v), formatOf(ref, shape, "unixTimestamp")); ok {
				return t
			}
		}
	}
	return nil
}

func integral(shape *Shape) bool {
	return shape.Type == "integer" || shape.Type == "long" || shape.Type == "short" || shape.Type == "byte"
}

func textLeaf(ref *Ref, shape *Shape, text string) any {
	switch shape.Type {
	case "string", "character":
		return text
	case "blob":
		if b, err := base64.StdEncoding.DecodeString(text); err == nil {
			return b
		}
	case "float", "double":
		if text == "NaN" || text == "Infinity" || text == "-Infinity" {
			n, _ := strconv.ParseFloat(text, 64)
			return n
		}
	case "timestamp":
		if format := formatOf(ref, shape, "unixTimestamp"); format != "unixTimestamp" {
			if t, ok := timestamp(text, format); ok {
				return t
			}
		}
	}
	return nil
}
