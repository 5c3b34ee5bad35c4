package view

import (
	"bytes"
	"strings"
	"testing"

	"github.com/aproorg/sluice/internal/cli/command"
	"github.com/aproorg/sluice/internal/timeline"
)

// TestWaitsAndNoticesAreShown: to people and to machines.
func TestWaitsAndNoticesAreShown(t *testing.T) {
	events := []timeline.Event{
		{Kind: timeline.RequestWait, Request: "r-1", Environment: "env-1", Note: "POST /mcp waits for env-1, the only environment: GET /mcp has held it for 3s"},
		{Kind: timeline.Notice, Request: "r-2", Environment: "env-2", Note: "env-2 does not know the session (hint: be stateless)"},
	}
	for name, c := range map[string]struct {
		json bool
		want []string
	}{
		"people": {false, []string{
			"waiting: POST /mcp waits for env-1, the only environment: GET /mcp has held it for 3s; Lambda would start another environment",
			"note: env-2 does not know the session (hint: be stateless)",
		}},
		"json": {true, []string{
			`"event":"waiting","environment":"env-1","note":"POST /mcp waits for env-1, the only environment: GET /mcp has held it for 3s"`,
			`"event":"warning","note":"env-2 does not know the session (hint: be stateless)"`,
		}},
	} {
		var out bytes.Buffer
		v := New(&command.Program{Out: &out, Getenv: func(string) string { return "" }, JSON: c.json})
		for _, e := range events {
			v.show(e)
		}
		for _, want := range c.want {
			if !strings.Contains(out.String(), want) {
				t.Errorf("%s: no %q in\n%s", name, want, out.String())
			}
		}
	}
}
