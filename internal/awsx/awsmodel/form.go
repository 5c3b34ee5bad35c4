package awsmodel

import (
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// form is a parameter of the protocols query and ec2, and those below it: the names
// of a form are paths with dots.
type form struct {
	value *string
	below map[string]*form
}

func formOf(values url.Values) *form {
	root := &form{}
	for name, given := range values {
		at := root
		for _, part := range strings.Split(name, ".") {
			if at.below == nil {
				at.below = map[string]*form{}
			}
			if at.below[part] == nil {
				at.below[part] = &form{}
			}
			at = at.below[part]
		}
		at.value = &given[0]
	}
	return root
}

func (d *decoder) structureFromForm(ref *Ref, values url.Values) map[string]any {
	if ref == nil {
		ref = &Ref{}
	}
	value, _ := d.fromForm("", ref, formOf(values)).(map[string]any)
	return value
}

func (d *decoder) fromForm(at string, ref *Ref, f *form) any {
	shape := d.service.shape(ref)
	switch shape.Type {
	case "structure":
		return d.membersOfForm(at, shape, f)
	case "list":
		return d.listOfForm(at, ref, shape, f)
	case "map":
		return d.mapOfForm(at, ref, shape, f)
	}
	if f.value == nil || f.below != nil {
		d.fault(at, "this is no %s", shape.Type)
		return nil
	}
	return d.scalar(at, ref, *f.value, "iso8601")
}

func (d *decoder) membersOfForm(at string, shape *Shape, f *form) any {
	values := map[string]any{}
	used := map[string]bool{}
	for member, ref := range shape.Members {
		name := d.inForm(member, ref)
		if f.below[name] == nil {
			continue
		}
		used[name] = true
		if value := d.fromForm(at+"."+member, ref, f.below[name]); value != nil {
			values[member] = value
		}
	}
	for name := range f.below {
		if !used[name] {
			d.fault(at+"."+name, "no member has this name")
		}
	}
	return values
}

// inForm is how a member is spelled. EC2 starts each name with a capital; a flattened
// list of query has the name of its items.
func (d *decoder) inForm(member string, ref *Ref) string {
	if d.ec2 {
		if ref.QueryName != "" {
			return ref.QueryName
		}
		name := ref.named(member)
		return strings.ToUpper(name[:1]) + name[1:]
	}
	if shape := d.service.shape(ref); shape.Type == "list" && d.service.flattened(ref) && shape.Member.LocationName != "" && ref.LocationName == "" {
		return shape.Member.LocationName
	}
	return ref.named(member)
}

func (d *decoder) listOfForm(at string, ref *Ref, shape *Shape, f *form) any {
	if f.value != nil && *f.value == "" && f.below == nil {
		return []any{}
	}
	if !d.ec2 && !d.service.flattened(ref) {
		f = d.only(at, f, shape.Member.named("member"))
	}
	list := []any{}
	for i, item := range d.numbered(at, f) {
		list = append(list, d.fromForm(fmt.Sprintf("%s[%d]", at, i), shape.Member, item))
	}
	return list
}

func (d *decoder) mapOfForm(at string, ref *Ref, shape *Shape, f *form) any {
	if !d.service.flattened(ref) {
		f = d.only(at, f, "entry")
	}
	values := map[string]any{}
	for _, entry := range d.numbered(at, f) {
		key, value := entry.below[shape.Key.named("key")], entry.below[shape.Value.named("value")]
		if key == nil || key.value == nil || value == nil || len(entry.below) != 2 {
			d.fault(at, "an entry is no key and value")
			continue
		}
		values[*key.value] = d.fromForm(at+"."+*key.value, shape.Value, value)
	}
	return values
}

// only is the one part of that name, below which a list or a map has its items.
func (d *decoder) only(at string, f *form, name string) *form {
	for other := range f.below {
		if other != name {
			d.fault(at+"."+other, "this should be %s", name)
		}
	}
	if f.below[name] == nil {
		return &form{}
	}
	return f.below[name]
}

// numbered are items from 1 on, in their order.
func (d *decoder) numbered(at string, f *form) (items []*form) {
	var numbers []int
	for name := range f.below {
		n, err := strconv.Atoi(name)
		if err != nil || n < 1 {
			d.fault(at+"."+name, "this is no number of an item")
			continue
		}
		numbers = append(numbers, n)
	}
	slices.Sort(numbers)
	for _, n := range numbers {
		items = append(items, f.below[strconv.Itoa(n)])
	}
	return items
}
