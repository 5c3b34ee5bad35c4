package view

import (
	"bytes"
	"strings"
	"testing"

	"github.com/aproorg/sluice/internal/cli/command"
	"github.com/aproorg/sluice/internal/emulate/mongo/guard"
)

func TestFindingsAreSummedUp(t *testing.T) {
	found := []guard.Finding{{
		Command: "aggregate", Database: "chat", Collection: "agents", Feature: "$facet", Effect: guard.Refused, Why: "the stage is not supported",
		Page: "https://docs.aws.amazon.com/x", Count: 3, Callers: []guard.Caller{{What: "GET /api/agents"}, {What: "the app's start"}},
	}}
	for _, c := range []struct {
		name  string
		json  bool
		found []guard.Finding
		want  []string
	}{
		{"people", false, found, []string{"in 1 case:", "refused   aggregate on agents: $facet, 3 times", "from GET /api/agents", "from the app's start", "the stage is not supported; https://docs.aws.amazon.com/x"}},
		{"none", false, nil, []string{"DocumentDB 5.0 would have done all"}},
		{"json", true, found, []string{`"event":"finding"`, `"callers":["GET /api/agents","the app's start"]`, `"effect":"refused"`, `"count":3`}},
	} {
		var out bytes.Buffer
		v := New(&command.Program{Out: &out, Getenv: func(string) string { return "" }, JSON: c.json})
		v.findings(c.found)
		for _, want := range c.want {
			if !strings.Contains(out.String(), want) {
				t.Errorf("%s: no %q in\n%s", c.name, want, out.String())
			}
		}
	}
}
