package facts_test

import (
	"testing"

	"github.com/aproorg/sluice/internal/app/librechat/facts"
)

func TestRoutineLines(t *testing.T) {
	var l facts.Lines
	for _, tc := range []struct {
		process, line string
		want          bool
	}{
		{"env-1", "a line before the first entry", false},
		{"env-1", "2026-11-23 18:32:01 info: {", true},
		{"env-1", `  "maxPoolSize": 5`, true},
		{"env-2", "  at Object.<anonymous>", false},
		{"env-1", "2026-11-23 18:32:01 warn: RAG API is either not running or not reachable", true},
		{"env-1", "2026-11-23 18:32:01 error: MongoServerSelectionError", false},
		{"env-1", "    at connect (mongo.js:1)", false},
		{"env-1", "2026-11-23 18:32:02 info: ready", true},
	} {
		if got := l.Routine(tc.process, tc.line); got != tc.want {
			t.Errorf("%s %q: got %v", tc.process, tc.line, got)
		}
	}
}
