package function

import (
	"bytes"
	"encoding/json"
	"errors"
)

// members is a JSON object that keeps its order, for functions see parameters,
// headers and cookies in theirs.
type members []member

type member struct {
	name  string
	value any // json.RawMessage after decoding
}

func (m members) MarshalJSON() ([]byte, error) {
	var out bytes.Buffer
	out.WriteByte('{')
	for i, e := range m {
		if i > 0 {
			out.WriteByte(',')
		}
		name, err := json.Marshal(e.name)
		if err != nil {
			return nil, err
		}
		value, err := json.Marshal(e.value)
		if err != nil {
			return nil, err
		}
		out.Write(name)
		out.WriteByte(':')
		out.Write(value)
	}
	out.WriteByte('}')
	return out.Bytes(), nil
}

func (m *members) UnmarshalJSON(b []byte) error {
	d := json.NewDecoder(bytes.NewReader(b))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return errors.Join(err, errors.New("want an object"))
	}
	*m = members{}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return err
		}
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return err
		}
		*m = append(*m, member{name.(string), value})
	}
	return nil
}

// field is a query parameter, header or cookie of a function's event ("CloudFront
// Functions event structure").
type field struct {
	Value      string  `json:"value"`
	Attributes string  `json:"attributes,omitempty"`
	MultiValue []field `json:"multiValue,omitempty"`
}

// fields is a set of them, in order.
type fields []namedField

type namedField struct {
	name string
	field
}

// add puts a value under a name, beside those that are there.
func (f *fields) add(name string, v field) {
	for i := range *f {
		if e := &(*f)[i]; e.name == name {
			if len(e.MultiValue) == 0 {
				e.MultiValue = []field{{Value: e.Value, Attributes: e.Attributes}}
			}
			e.MultiValue = append(e.MultiValue, v)
			return
		}
	}
	*f = append(*f, namedField{name, v})
}

func (f fields) get(name string) (field, bool) {
	for _, e := range f {
		if e.name == name {
			return e.field, true
		}
	}
	return field{}, false
}

func (f fields) MarshalJSON() ([]byte, error) {
	m := make(members, len(f))
	for i, e := range f {
		m[i] = member{e.name, e.field}
	}
	return m.MarshalJSON()
}

func (f *fields) UnmarshalJSON(b []byte) error {
	var m members
	if err := m.UnmarshalJSON(b); err != nil {
		return err
	}
	*f = fields{}
	for _, e := range m {
		var v field
		if err := json.Unmarshal(e.value.(json.RawMessage), &v); err != nil {
			return errors.Join(errors.New(e.name), err)
		}
		*f = append(*f, namedField{e.name, v})
	}
	return nil
}

// values are what a field stands for after a function had it. A changed multiValue
// counts whole; else a changed value replaces the first.
func (e namedField) values(before fields) []field {
	if len(e.MultiValue) == 0 {
		return []field{{Value: e.Value, Attributes: e.Attributes}}
	}
	old, _ := before.get(e.name)
	if e.Value != old.Value && sameFields(e.MultiValue, old.MultiValue) {
		return append([]field{{Value: e.Value, Attributes: e.Attributes}}, e.MultiValue[1:]...)
	}
	return e.MultiValue
}

func sameFields(a, b []field) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i].Value != b[i].Value || a[i].Attributes != b[i].Attributes {
			return false
		}
	}
	return true
}
