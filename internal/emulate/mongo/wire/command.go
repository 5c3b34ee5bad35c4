package wire

import "go.mongodb.org/mongo-driver/v2/bson"

// Command is a request as the guard and the embedded database read it.
type Command struct {
	Name       string // as the client wrote it: "find", "findAndModify"
	Database   string
	Collection string
	Doc        bson.Raw
	Sequences  []Sequence
}

// NewCommand reads what a payload asks for. The fields of a payload that is no
// command are empty.
func NewCommand(p Payload) Command {
	c := Command{Doc: p.Doc, Sequences: p.Sequences}
	elems, err := p.Doc.Elements()
	if err != nil || len(elems) == 0 {
		return c
	}
	c.Name = elems[0].Key()
	c.Collection, _ = elems[0].Value().StringValueOK()
	c.Database, _ = p.Doc.Lookup("$db").StringValueOK()
	switch c.Name {
	case "getMore", "explain":
		c.Collection, _ = p.Doc.Lookup("collection").StringValueOK()
	}
	return c
}

// Documents returns the documents of an array field, be it inside the command
// or in a sequence beside it. Elements that are no documents are left out.
func (c Command) Documents(field string) []bson.Raw {
	for _, s := range c.Sequences {
		if s.Name == field {
			return s.Docs
		}
	}
	return Documents(c.Doc.Lookup(field))
}

// Documents returns the elements of an array value that are documents.
func Documents(v bson.RawValue) []bson.Raw {
	arr, ok := v.ArrayOK()
	if !ok {
		return nil
	}
	values, err := bson.Raw(arr).Values()
	if err != nil {
		return nil
	}
	var docs []bson.Raw
	for _, v := range values {
		if d, ok := v.DocumentOK(); ok {
			docs = append(docs, d)
		}
	}
	return docs
}

// Elements returns the elements of a document value, or none.
func Elements(d bson.Raw) []bson.RawElement {
	elems, err := d.Elements()
	if err != nil {
		return nil
	}
	return elems
}

// Truthy reports whether an option is switched on, as the server reads it.
func Truthy(v bson.RawValue) bool {
	switch v.Type {
	case bson.TypeBoolean:
		return v.Boolean()
	case bson.TypeInt32:
		return v.Int32() != 0
	case bson.TypeInt64:
		return v.Int64() != 0
	case bson.TypeDouble:
		return v.Double() != 0
	}
	return false
}

// ErrorReply is a command's reply that says why it failed.
func ErrorReply(code int32, name, msg string) bson.Raw {
	doc, err := bson.Marshal(bson.D{{Key: "ok", Value: 0.0}, {Key: "errmsg", Value: msg},
		{Key: "code", Value: code}, {Key: "codeName", Value: name}})
	if err != nil {
		panic(err) // plain values always encode
	}
	return doc
}
