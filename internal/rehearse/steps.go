package rehearse

import (
	"encoding/json"
	"strings"
	"time"

	"github.com/aproorg/sluice/internal/timeline"
)

// withSteps records an event of its own for each line in which the bootstrap tells
// that a step of an environment's start is done.
func withSteps(record timeline.Record) timeline.Record {
	return func(e timeline.Event) {
		record(e)
		if step, ok := startStep(e); ok {
			record(step)
		}
	}
}

// startStep reads the bootstrap's lines `cold start`, of steps that run side by
// side, and `app start`, of those that follow one another.
func startStep(e timeline.Event) (timeline.Event, bool) {
	if e.Kind != timeline.Log || !strings.HasPrefix(e.Note, `{"timestamp"`) || !strings.Contains(e.Note, ` start","step":`) {
		return timeline.Event{}, false
	}
	var line struct{ Message, Step, Took string }
	if json.Unmarshal([]byte(e.Note), &line) != nil || line.Step == "" {
		return timeline.Event{}, false
	}
	step := timeline.Event{Time: e.Time, Kind: timeline.EnvironmentStep, Environment: e.Environment, Note: line.Step}
	switch line.Message {
	case "cold start":
		took, err := time.ParseDuration(line.Took)
		if err != nil {
			return timeline.Event{}, false
		}
		step.Took = max(took, 1) // 0 would be one that follows
	case "app start":
	default:
		return timeline.Event{}, false
	}
	return step, true
}
