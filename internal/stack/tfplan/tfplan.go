// Package tfplan reads a Terraform or OpenTofu plan or state as JSON: its resources,
// their attributes by Terraform's names, and which resource an attribute points at.
// https://developer.hashicorp.com/terraform/internals/json-format
//
// It leaves out what the resources mean: package stack makes a topology of them.
package tfplan

import (
	"encoding/json"
	"errors"
	"fmt"

	tfjson "github.com/hashicorp/terraform-json"
)

// Plan is a plan or a state. It keeps the first fault that is found in it.
//
// In a state an attribute has a value that some resource has as its id, ARN or the
// like. In a plan of what is yet to be made it has none: then Find follows the
// configuration's references through variables and outputs of modules. Locals are
// not part of a plan; where they hide the reference, Find takes the one candidate
// that stands nearest in the tree of modules.
type Plan struct {
	resources []*Resource
	configs   map[string]configured // by address without keys
	modules   map[string]*tfjson.ConfigModule
	calls     map[string]*tfjson.ModuleCall // by the called module's path
	err       error
}

type configured struct {
	module string
	*tfjson.ConfigResource
}

// Read decodes a plan (tofu show -json PLAN), a state (tofu show -json), or an
// extract of either in the same shape.
func Read(data []byte) (*Plan, error) {
	var head struct {
		PlannedValues json.RawMessage `json:"planned_values"`
		Values        json.RawMessage `json:"values"`
	}
	if err := json.Unmarshal(data, &head); err != nil {
		return nil, fmt.Errorf("read plan: %w", err)
	}
	switch {
	case head.PlannedValues != nil:
		plan := new(tfjson.Plan)
		if err := json.Unmarshal(data, plan); err != nil {
			return nil, fmt.Errorf("read plan: %w", err)
		}
		return newPlan(flatten(plan.PlannedValues), plan.Config), nil
	case head.Values != nil:
		state := new(tfjson.State)
		if err := json.Unmarshal(data, state); err != nil {
			return nil, fmt.Errorf("read state: %w", err)
		}
		return newPlan(flatten(state.Values), nil), nil
	}
	return nil, errors.New(`neither a plan nor a state: there is no "planned_values" and no "values" (make one with tofu show -json)`)
}

func newPlan(resources []*Resource, config *tfjson.Config) *Plan {
	p := &Plan{
		resources: resources,
		configs:   map[string]configured{},
		modules:   map[string]*tfjson.ConfigModule{},
		calls:     map[string]*tfjson.ModuleCall{},
	}
	if config != nil {
		p.index("", config.RootModule)
	}
	return p
}

// Err is the first fault that reading attributes has found, with the resource's address.
func (p *Plan) Err() error { return p.err }

// Attributes are those of one resource of the plan.
func (p *Plan) Attributes(r *Resource) Attributes { return Attributes{r.Address, r.Values, &p.err} }

// All returns the resources of one type in the order of the file.
func (p *Plan) All(kind string) []*Resource { return p.ofType(nil, []string{kind}) }
