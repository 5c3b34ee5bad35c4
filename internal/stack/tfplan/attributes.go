package tfplan

import (
	"encoding/json"
	"fmt"
	"time"
)

// Attributes reads a resource's values by Terraform's names. Absent and null
// read as zero; a value of another type is a fault of the file that is kept and
// returned by Plan.Err, with the address.
type Attributes struct {
	address string
	values  map[string]any
	err     *error
}

// Present tells whether the block is there at all.
func (a Attributes) Present() bool { return a.values != nil }

// Has tells whether the attribute is listed; it may be null.
func (a Attributes) Has(name string) bool { _, ok := a.values[name]; return ok }

// Fail keeps the first fault.
func (a Attributes) Fail(format string, args ...any) {
	if *a.err == nil {
		*a.err = fmt.Errorf("%s: "+format, append([]any{a.address}, args...)...)
	}
}

// RefusedError is what AWS would refuse of a resource that reads well.
type RefusedError struct{ Address, Reason string }

func (e *RefusedError) Error() string { return e.Address + ": " + e.Reason }

// Refuse keeps the first fault, as a RefusedError.
func (a Attributes) Refuse(format string, args ...any) {
	if *a.err == nil {
		*a.err = &RefusedError{a.address, fmt.Sprintf(format, args...)}
	}
}

func (a Attributes) mistyped(name, want string) {
	a.Fail("%s is %T, not %s", name, a.values[name], want)
}

// Str reads a string.
func (a Attributes) Str(name string) string {
	switch v := a.values[name].(type) {
	case nil:
		return ""
	case string:
		return v
	}
	a.mistyped(name, "a string")
	return ""
}

// Flag reads a bool.
func (a Attributes) Flag(name string) bool {
	switch v := a.values[name].(type) {
	case nil:
		return false
	case bool:
		return v
	}
	a.mistyped(name, "a bool")
	return false
}

// Number reads a whole number; absent reads as otherwise.
func (a Attributes) Number(name string, otherwise int) int {
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

// Float reads a number; absent reads as otherwise.
func (a Attributes) Float(name string, otherwise float64) float64 {
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

// Duration reads a whole number of units; absent reads as otherwise.
func (a Attributes) Duration(name string, unit time.Duration, otherwise time.Duration) time.Duration {
	n := a.Number(name, -1)
	if n < 0 {
		return otherwise
	}
	return time.Duration(n) * unit
}

// Strings reads a list of strings.
func (a Attributes) Strings(name string) []string {
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

// StringMap reads a map of strings, without the values that are unknown until apply.
func (a Attributes) StringMap(name string) map[string]string {
	m, ok := a.values[name].(map[string]any)
	if !ok {
		if a.values[name] != nil {
			a.mistyped(name, "a map")
		}
		return nil
	}
	all := make(map[string]string, len(m))
	for key, value := range m {
		if value == nil {
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

// Blocks reads a nested block, which Terraform writes as a list of objects, or
// as one object where the provider says so.
func (a Attributes) Blocks(name string) []Attributes {
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
	var all []Attributes
	for i, item := range list {
		values, ok := item.(map[string]any)
		if !ok {
			continue // null: a block that is unknown until apply
		}
		all = append(all, Attributes{fmt.Sprintf("%s.%s[%d]", a.address, name, i), values, a.err})
	}
	return all
}

// Block reads a block that stands at most once; absent reads as an empty one.
func (a Attributes) Block(name string) Attributes {
	if all := a.Blocks(name); len(all) > 0 {
		return all[0]
	}
	return Attributes{a.address + "." + name, nil, a.err}
}
