package infra

import (
	"encoding/json"
	"fmt"

	tfjson "github.com/hashicorp/terraform-json"
)

// Action is what a plan does to a resource.
type Action string

// Actions, as a plan's summary names them.
const (
	Create  Action = "create"
	Update  Action = "update"
	Replace Action = "replace"
	Delete  Action = "delete"
)

// Change is one resource that a plan changes.
type Change struct {
	Address string `json:"address"`
	Type    string `json:"type"`
	Action  Action `json:"action"`
	// Before is the resource's name in AWS (bucket, function_name, id), where it has one.
	Before string `json:"before,omitempty"`
}

// Plan is a saved plan file and what it says.
type Plan struct {
	File    string
	Changes []Change // in the order of the plan; what stays as it is is left out
	JSON    *tfjson.Plan

	vars []string // -var of the command line
}

// Count returns how many resources the plan gives the action.
func (p *Plan) Count(a Action) int {
	n := 0
	for _, c := range p.Changes {
		if c.Action == a {
			n++
		}
	}
	return n
}

// Empty tells that applying the plan would change no resource.
func (p *Plan) Empty() bool { return len(p.Changes) == 0 }

// String is the plan's one-line summary.
func (p *Plan) String() string {
	if p.Empty() {
		return "no changes"
	}
	return fmt.Sprintf("%d to create, %d to change, %d to replace, %d to destroy",
		p.Count(Create), p.Count(Update), p.Count(Replace), p.Count(Delete))
}

// Bytes is the plan as `tofu show -json` prints it, which stack.Parse reads.
func (p *Plan) Bytes() ([]byte, error) { return json.Marshal(p.JSON) }

func newPlan(file string, plan *tfjson.Plan) *Plan {
	p := &Plan{File: file, JSON: plan}
	for _, rc := range plan.ResourceChanges {
		if action, ok := action(rc); ok {
			p.Changes = append(p.Changes, Change{Address: rc.Address, Type: rc.Type, Action: action, Before: nameOf(rc.Change.Before)})
		}
	}
	return p
}

func action(rc *tfjson.ResourceChange) (Action, bool) {
	if rc.Mode == tfjson.DataResourceMode || rc.Change == nil {
		return "", false
	}
	switch a := rc.Change.Actions; {
	case a.Replace():
		return Replace, true
	case a.Create():
		return Create, true
	case a.Update():
		return Update, true
	case a.Delete():
		return Delete, true
	}
	return "", false
}

func nameOf(before any) string {
	values, _ := before.(map[string]any)
	for _, name := range []string{"bucket", "function_name", "replication_group_id", "name", "id"} {
		if s, ok := values[name].(string); ok && s != "" {
			return s
		}
	}
	return ""
}
