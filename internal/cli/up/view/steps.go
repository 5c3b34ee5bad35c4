package view

import (
	"strings"
	"time"

	"github.com/aproorg/sluice/internal/timeline"
	"github.com/aproorg/sluice/internal/ui"
)

// step is a step of a cold start in JSON.
type step struct {
	Name string  `json:"name"`
	Took float64 `json:"tookMs"`
}

func steps(r timeline.Request) []step {
	var all []step
	for _, s := range r.Steps {
		all = append(all, step{s.Name, milliseconds(s.Took)})
	}
	return all
}

// shownStep is the least that a person is told of.
const shownStep = 10 * time.Millisecond

// stepsOf tells what a cold start was spent on; it is empty where little is known.
func stepsOf(r timeline.Request) string {
	var parts []string
	for _, s := range r.Steps {
		if s.Took >= shownStep {
			parts = append(parts, ui.Clean(s.Name)+" "+ui.Duration(s.Took))
		}
	}
	if len(parts) == 0 {
		return ""
	}
	return " (" + strings.Join(parts, ", ") + ")"
}
