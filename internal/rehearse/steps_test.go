package rehearse

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/aproorg/sluice/internal/timeline"
)

func TestStepsOfLines(t *testing.T) {
	at := time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)
	var got []timeline.Event
	record := withSteps(func(e timeline.Event) {
		if e.Kind == timeline.EnvironmentStep {
			got = append(got, e)
		}
	})
	for _, line := range []string{
		`{"timestamp":"2026-11-01T12:00:00Z","level":"INFO","message":"cold start","step":"secrets","count":6,"took":"12ms"}`,
		`{"timestamp":"2026-11-01T12:00:00Z","level":"INFO","message":"cold start","step":"writable paths","count":4,"took":"0s"}`,
		`{"timestamp":"2026-11-01T12:00:00Z","level":"INFO","message":"app start","step":"spawn","took":"2ms"}`,
		`{"timestamp":"2026-11-01T12:00:00Z","level":"INFO","message":"cold start","step":"secrets","took":"soon"}`,
		`{"timestamp":"2026-11-01T12:00:00Z","level":"INFO","message":"another start","step":"spawn","took":"2ms"}`,
		`{"timestamp" start","step":`,
		`{"message":"app start","step":"spawn","took":"2ms"}`,
		`app start`,
	} {
		record(timeline.Event{Time: at, Kind: timeline.Log, Environment: "env-1", Note: line})
	}
	step := func(name string, took time.Duration) timeline.Event {
		return timeline.Event{Time: at, Kind: timeline.EnvironmentStep, Environment: "env-1", Note: name, Took: took}
	}
	if diff := cmp.Diff([]timeline.Event{step("secrets", 12*time.Millisecond), step("writable paths", 1), step("spawn", 0)}, got); diff != "" {
		t.Errorf("steps (-want +got):\n%s", diff)
	}
}
