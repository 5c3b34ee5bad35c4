package stack

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	tfjson "github.com/hashicorp/terraform-json"
)

// resource is one managed resource instance of a plan or state.
type resource struct {
	Address string         `json:"address"`
	Type    string         `json:"type"`
	Name    string         `json:"name"`
	Values  map[string]any `json:"values"`
}

// module is the path of modules that the resource stands in, with instance keys.
func (r *resource) module() string {
	path, _, _ := strings.Cut(r.Address, r.Type+"."+r.Name)
	return strings.TrimSuffix(path, ".")
}

// key is the instance key as written, e.g. ["api"] or [0]; empty without one.
func (r *resource) key() string {
	_, key, _ := strings.Cut(r.Address, r.Type+"."+r.Name)
	return key
}

// config is the address without any instance keys, as configuration knows it.
func (r *resource) config() string { return withoutKeys(r.Address) }

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

// read decodes a plan (tofu show -json PLAN) or a state (tofu show -json) and
// returns its managed resources, and the configuration where there is one.
func read(data []byte) ([]*resource, *tfjson.Config, error) {
	var head struct {
		PlannedValues json.RawMessage `json:"planned_values"`
		Values        json.RawMessage `json:"values"`
	}
	if err := json.Unmarshal(data, &head); err != nil {
		return nil, nil, fmt.Errorf("read plan: %w", err)
	}
	switch {
	case head.PlannedValues != nil:
		plan := new(tfjson.Plan)
		if err := json.Unmarshal(data, plan); err != nil {
			return nil, nil, fmt.Errorf("read plan: %w", err)
		}
		return flatten(plan.PlannedValues), plan.Config, nil
	case head.Values != nil:
		state := new(tfjson.State)
		if err := json.Unmarshal(data, state); err != nil {
			return nil, nil, fmt.Errorf("read state: %w", err)
		}
		return flatten(state.Values), nil, nil
	}
	return nil, nil, errors.New(`neither a plan nor a state: there is no "planned_values" and no "values" (make one with tofu show -json)`)
}

func flatten(values *tfjson.StateValues) []*resource {
	if values == nil || values.RootModule == nil {
		return nil
	}
	return flattenModule(values.RootModule, nil)
}

func flattenModule(m *tfjson.StateModule, all []*resource) []*resource {
	for _, r := range m.Resources {
		if r != nil && r.Mode != tfjson.DataResourceMode {
			all = append(all, &resource{r.Address, r.Type, r.Name, r.AttributeValues})
		}
	}
	for _, child := range m.ChildModules {
		if child != nil {
			all = flattenModule(child, all)
		}
	}
	return all
}
