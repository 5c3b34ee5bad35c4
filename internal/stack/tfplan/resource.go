package tfplan

import (
	"strings"

	tfjson "github.com/hashicorp/terraform-json"
)

// Resource is one managed resource instance of a plan or state.
type Resource struct {
	Address string         `json:"address"`
	Type    string         `json:"type"`
	Name    string         `json:"name"`
	Values  map[string]any `json:"values"`
}

// module is the path of modules that the resource stands in, with instance keys.
func (r *Resource) module() string {
	path, _, _ := strings.Cut(r.Address, r.Type+"."+r.Name)
	return strings.TrimSuffix(path, ".")
}

// key is the instance key as written, e.g. ["api"] or [0]; empty without one.
func (r *Resource) key() string {
	_, key, _ := strings.Cut(r.Address, r.Type+"."+r.Name)
	return key
}

// config is the address without any instance keys, as configuration knows it.
func (r *Resource) config() string { return withoutKeys(r.Address) }

// withoutKeys drops every [..] outside of quotes from an address.
func withoutKeys(address string) string {
	var b strings.Builder
	depth, quoted := 0, false
	for i := 0; i < len(address); i++ {
		c := address[i]
		switch {
		case c == '"' && (i == 0 || address[i-1] != '\\'):
			quoted = !quoted
		case c == '[' && !quoted:
			depth++
		case c == ']' && !quoted:
			depth--
			continue
		}
		if depth == 0 {
			b.WriteByte(c)
		}
	}
	return b.String()
}

func flatten(values *tfjson.StateValues) []*Resource {
	if values == nil || values.RootModule == nil {
		return nil
	}
	return flattenModule(values.RootModule, nil)
}

func flattenModule(m *tfjson.StateModule, all []*Resource) []*Resource {
	for _, r := range m.Resources {
		if r != nil && r.Mode != tfjson.DataResourceMode {
			all = append(all, &Resource{r.Address, r.Type, r.Name, r.AttributeValues})
		}
	}
	for _, child := range m.ChildModules {
		if child != nil {
			all = flattenModule(child, all)
		}
	}
	return all
}
