package awsmodel

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
)

// element is an XML element.
type element struct {
	name       xml.Name
	attributes map[string]string // without namespaces
	text       string
	below      []*element
}

func parseXML(body []byte) (*element, error) {
	decoder := xml.NewDecoder(bytes.NewReader(body))
	root := &element{}
	open := []*element{root}
	for {
		token, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
		top := open[len(open)-1]
		switch token := token.(type) {
		case xml.StartElement:
			e := &element{name: token.Name, attributes: map[string]string{}}
			for _, a := range token.Attr {
				if a.Name.Local != "xmlns" && a.Name.Space != "xmlns" {
					e.attributes[a.Name.Local] = a.Value
				}
			}
			top.below = append(top.below, e)
			open = append(open, e)
		case xml.EndElement:
			open = open[:len(open)-1]
		case xml.CharData:
			top.text += string(token)
		}
	}
	if len(root.below) != 1 {
		return nil, errors.New("there is no one root element")
	}
	return root.below[0], nil
}

// structureFromXML reads a body whose root stands for the structure, and has the name of
// the reference or of the shape where the reference has one.
func (d *decoder) structureFromXML(ref *Ref, body []byte) map[string]any {
	if len(bytes.TrimSpace(body)) == 0 {
		return nil
	}
	root, err := parseXML(body)
	if err != nil {
		d.fault("", "the body is no XML: %v", err)
		return nil
	}
	if ref == nil {
		ref = &Ref{}
	}
	shape := d.service.shape(ref)
	if names := []string{ref.LocationName, shape.LocationName, ref.Shape}; ref.LocationName != "" && !slices.Contains(names, root.name.Local) {
		d.fault("", "the root element is %s, not %s", root.name.Local, ref.LocationName)
	}
	value, _ := d.membersOfXML("", shape, root).(map[string]any)
	return value
}

// fromXML reads the elements that stand for a value: several for a flattened list or map.
func (d *decoder) fromXML(at string, ref *Ref, elements []*element) any {
	shape := d.service.shape(ref)
	flat := d.service.flattened(ref)
	switch shape.Type {
	case "list":
		items := elements
		if !flat {
			items = d.below(at, d.one(at, elements), shape.Member.named("member"))
		}
		list := []any{}
		for i, item := range items {
			list = append(list, d.fromXML(fmt.Sprintf("%s[%d]", at, i), shape.Member, []*element{item}))
		}
		return list
	case "map":
		entries := elements
		if !flat {
			entries = d.below(at, d.one(at, elements), "entry")
		}
		return d.mapOfXML(at, shape, entries)
	case "structure":
		return d.membersOfXML(at, shape, d.one(at, elements))
	}
	e := d.one(at, elements)
	if len(e.below) > 0 {
		d.fault(at, "elements are no %s", shape.Type)
		return nil
	}
	text := e.text
	if shape.Type != "string" {
		text = strings.TrimSpace(text)
	}
	return d.scalar(at, ref, text, "iso8601")
}

func (d *decoder) one(at string, elements []*element) *element {
	if len(elements) > 1 {
		d.fault(at, "this is there %d times", len(elements))
	}
	return elements[0]
}

// below are the elements in one, all of the same name.
func (d *decoder) below(at string, e *element, name string) []*element {
	for _, item := range e.below {
		if item.name.Local != name {
			d.fault(at+"."+item.name.Local, "this should be %s", name)
		}
	}
	return e.below
}

func (d *decoder) mapOfXML(at string, shape *Shape, entries []*element) any {
	values := map[string]any{}
	for _, entry := range entries {
		var key string
		var value *element
		for _, part := range entry.below {
			switch part.name.Local {
			case shape.Key.named("key"):
				key = part.text
			case shape.Value.named("value"):
				value = part
			default:
				d.fault(at+"."+part.name.Local, "an entry has a key and a value")
			}
		}
		if value == nil {
			d.fault(at+"."+key, "the entry has no value")
			continue
		}
		values[key] = d.fromXML(at+"."+key, shape.Value, []*element{value})
	}
	return values
}

func (d *decoder) membersOfXML(at string, shape *Shape, e *element) any {
	values := map[string]any{}
	named := map[string][]*element{}
	for _, below := range e.below {
		named[below.name.Local] = append(named[below.name.Local], below)
	}
	for member, ref := range shape.Members {
		if ref.Location != "" {
			continue
		}
		name := ref.named(member)
		if ref.XMLAttribute {
			name = name[strings.LastIndex(name, ":")+1:]
			if text, ok := e.attributes[name]; ok {
				values[member] = text
			}
			continue
		}
		of := d.service.shape(ref)
		if of.Type == "list" && d.service.flattened(ref) && len(named[name]) == 0 && of.Member.LocationName != "" {
			name = of.Member.LocationName
		}
		if elements := named[name]; len(elements) > 0 {
			if value := d.fromXML(at+"."+member, ref, elements); value != nil {
				values[member] = value
			}
			delete(named, name)
		}
	}
	for name := range named {
		d.fault(at+"."+name, "no member has this name")
	}
	if strings.TrimSpace(e.text) != "" {
		d.fault(at, "a structure has no text: %.50q", e.text)
	}
	return values
}
