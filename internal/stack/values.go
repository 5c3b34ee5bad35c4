package stack

import (
	"encoding/json"
	"fmt"
	"time"
)

// attributes reads a resource's values by Terraform's names. Absent and null
// read as zero; a value of another type is a fault of the file that is kept and
// returned by the reader once, with the address.
type attributes struct {
	address string
	values  map[string]any
	err     *error
}

// fail keeps the first fault.
func (a attributes) fail(format string, args ...any) {
	if *a.err == nil {
		*a.err = fmt.Errorf("%s: "+format, append([]any{a.address}, args...)...)
	}
}

func (a attributes) mistyped(name, want string) {
	a.fail("%s is %T, not %s", name, a.values[name], want)
}

func (a attributes) str(name string) string {
	switch v := a.values[name].(type) {
	case nil:
		return ""
	case string:
		return v
	}
	a.mistyped(name, "a string")
	return ""
}

func (a attributes) flag(name string) bool {
	switch v := a.values[name].(type) {
	case nil:
		return false
	case bool:
		return v
	}
	a.mistyped(name, "a bool")
	return false
}

// number reads a whole number; absent reads as otherwise.
func (a attributes) number(name string, otherwise int) int {
	switch v := a.values[name].(type) {
	case nil:
		return otherwise
	case float64:
		return int(v)
	case json.Number:
		n, err := v.Int64()
		if err == nil {
			return int(n)
		}
	}
	a.mistyped(name, "a whole number")
	return otherwise
}

// float reads a number; absent reads as otherwise.
func (a attributes) float(name string, otherwise float64) float64 {
	switch v := a.values[name].(type) {
	case nil:
		return otherwise
	case float64:
		return v
	case json.Number:
		if n, err := v.Float64(); err == nil {
			return n
		}
	}
	a.mistyped(name, "a number")
	return otherwise
}

func (a attributes) duration(name string, unit time.Duration, otherwise time.Duration) time.Duration {
	n := a.number(name, -1)
	if n < 0 {
		return otherwise
	}
	return time.Duration(n) * unit
}

func (a attributes) strings(name string) []string {
	list, ok := a.values[name].([]any)
	if !ok {
		if a.values[name] != nil {
			a.mistyped(name, "a list")
		}
		return nil
	}
	var all []string
	for _, item := range list {
		s, ok := item.(string)
		if !ok {
			a.mistyped(name, "a list of strings")
			return nil
		}
		all = append(all, s)
	}
	return all
}

func (a attributes) stringMap(name string) map[string]string {
	m, ok := a.values[name].(map[string]any)
	if !ok {
		if a.values[name] != nil {
			a.mistyped(name, "a map")
		}
		return nil
	}
	all := make(map[string]string, len(m))
	for key, value := range m {
		if value == nil { // unknown until apply
			continue
		}
		s, ok := value.(string)
		if !ok {
			a.mistyped(name, "a map of strings")
			return nil
		}
		all[key] = s
	}
	return all
}

// blocks reads a nested block, which Terraform writes as a list of objects, or
// as one object where the provider says so.
func (a attributes) blocks(name string) []attributes {
	list, ok := a.values[name].([]any)
	if !ok {
		switch v := a.values[name].(type) {
		case nil:
			return nil
		case map[string]any:
			list = []any{v}
		default:
			a.mistyped(name, "a block")
			return nil
		}
	}
	var all []attributes
	for i, item := range list {
		values, ok := item.(map[string]any)
		if !ok {
			continue // null: a block that is unknown until apply
		}
		all = append(all, attributes{fmt.Sprintf("%s.%s[%d]", a.address, name, i), values, a.err})
	}
	return all
}

// block reads a block that stands at most once; absent reads as an empty one.
func (a attributes) block(name string) attributes {
	if all := a.blocks(name); len(all) > 0 {
		return all[0]
	}
	return attributes{a.address + "." + name, nil, a.err}
}
