package rehearse

import (
	"github.com/aproorg/sluice/internal/bootstrap/logline"
	"github.com/aproorg/sluice/internal/timeline"
)

// withSteps records an event of its own for each line in which the bootstrap says
// that a step of an environment's start is done.
func withSteps(record timeline.Record) timeline.Record {
	return func(e timeline.Event) {
		record(e)
		if step, ok := startStep(e); ok {
			record(step)
		}
	}
}

// startStep reads the bootstrap's lines of steps: those of a cold start, which run
// side by side, and those of the app's own start, which follow one another.
func startStep(e timeline.Event) (timeline.Event, bool) {
	if e.Kind != timeline.Log {
		return timeline.Event{}, false
	}
	line, ok := logline.ParseStep(e.Note)
	if !ok {
		return timeline.Event{}, false
	}
	step := timeline.Event{Time: e.Time, Kind: timeline.EnvironmentStep, Environment: e.Environment, Note: line.Name}
	if line.Parallel {
		step.Took = max(line.Took, 1) // 0 would be one that follows
	}
	return step, true
}
