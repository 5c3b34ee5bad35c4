package rehearse_test

import (
	"encoding/json"
	"os"
	"testing"

	"github.com/aproorg/sluice/internal/rehearse"
	"github.com/aproorg/sluice/internal/stack"
)

// snapStartPlan is the embedded plan, whose function has SnapStart.
func snapStartPlan(t *testing.T) *stack.Stack {
	t.Helper()
	data, err := os.ReadFile("../stack/default.json")
	if err != nil {
		t.Fatal(err)
	}
	var plan map[string]any
	if err := json.Unmarshal(data, &plan); err != nil {
		t.Fatal(err)
	}
	found := 0
	var find func(v any)
	find = func(v any) {
		switch v := v.(type) {
		case map[string]any:
			if values, ok := v["values"].(map[string]any); ok && v["type"] == "aws_lambda_function" {
				values["snap_start"] = []any{map[string]any{"apply_on": "PublishedVersions"}}
				values["publish"] = true
				found++
			}
			for _, x := range v {
				find(x)
			}
		case []any:
			for _, x := range v {
				find(x)
			}
		}
	}
	find(plan["planned_values"])
	data, err = json.Marshal(plan)
	if err != nil || found != 1 {
		t.Fatalf("%d functions, %v", found, err)
	}
	s, err := stack.Parse(data)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestStartOfThePlan: a plan with SnapStart is rehearsed with it, unless another start is asked for.
func TestStartOfThePlan(t *testing.T) {
	for mode, want := range map[string]bool{"": true, rehearse.StartSnapStart: true, rehearse.StartOnDemand: false} {
		cfg := demoConfig(t)
		cfg.Stack, cfg.Start = snapStartPlan(t), mode
		cfg.Stack.Function.Environment, cfg.Stack.Function.ImageEnvironment = nil, nil // LibreChat's
		w := start(t, cfg)
		if got := w.Snapshot != nil; got != want {
			t.Errorf("start %q: a snapshot: %v", mode, got)
		}
		if res, body := get(t, visitor(t), w.ViewerURL+"/api/me"); res.StatusCode != 200 {
			t.Errorf("start %q: %s %s", mode, res.Status, body)
		}
	}
}
