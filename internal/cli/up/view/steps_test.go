package view

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/aproorg/sluice/internal/timeline"
)

func TestStepsOfAColdStart(t *testing.T) {
	r := timeline.Request{Steps: []timeline.Step{
		{Name: "secrets", Took: 24 * time.Millisecond}, {Name: "spawn", Took: 2 * time.Millisecond}, {Name: "listen\x1b[2J", Took: 3100 * time.Millisecond},
	}}
	if got, want := stepsOf(r), " (secrets 24 ms, listen[2J 3.10 s)"; got != want {
		t.Errorf("for people: %q, want %q", got, want)
	}
	if got := stepsOf(timeline.Request{}); got != "" {
		t.Errorf("without steps: %q", got)
	}
	if diff := cmp.Diff([]step{{"secrets", 24}, {"spawn", 2}, {"listen\x1b[2J", 3100}}, steps(r)); diff != "" {
		t.Errorf("as JSON (-want +got):\n%s", diff)
	}
}
