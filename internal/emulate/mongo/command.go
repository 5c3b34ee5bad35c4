package mongo

import (
	"go.mongodb.org/mongo-driver/v2/bson"
)

// command is a request in the shape that the guard and the shim read.
type command struct {
	name       string // as the client wrote it: "find", "findAndModify"
	database   string
	collection string
	doc        bson.Raw
	sequences  []sequence
}

func newCommand(p payload) command {
	c := command{doc: p.doc, sequences: p.sequences}
	elems, err := p.doc.Elements()
	if err != nil || len(elems) == 0 {
		return c
	}
	c.name = elems[0].Key()
	c.collection, _ = elems[0].Value().StringValueOK()
	c.database, _ = p.doc.Lookup("$db").StringValueOK()
	switch c.name {
	case "getMore", "explain":
		c.collection, _ = p.doc.Lookup("collection").StringValueOK()
	}
	return c
}

// documents returns the documents of an array field, be it inside the command
// or in a sequence beside it. Elements that are no documents are left out.
func (c command) documents(field string) []bson.Raw {
	for _, s := range c.sequences {
		if s.name == field {
			return s.docs
		}
	}
	return documents(c.doc.Lookup(field))
}

// documents returns the elements of an array value that are documents.
func documents(v bson.RawValue) []bson.Raw {
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

// elements returns the elements of a document value, or none.
func elements(d bson.Raw) []bson.RawElement {
	elems, err := d.Elements()
	if err != nil {
		return nil
	}
	return elems
}

// truthy reports whether an option is switched on, as the server reads it.
func truthy(v bson.RawValue) bool {
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

// present reports whether a field is there and holds something.
func present(v bson.RawValue) bool {
	if v.IsZero() || v.Type == bson.TypeNull {
		return false
	}
	if d, ok := v.DocumentOK(); ok {
		return len(elements(d)) > 0
	}
	return true
}
