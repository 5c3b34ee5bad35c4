package supervise

import (
	"log/slog"
	"slices"
	"time"

	"github.com/aproorg/sluice/internal/bootstrap/logline"
)

// steps logs how long each part of a process's start took: spawn (the program
// runs), listen (its port is open), ready. Each counts from the one before. One
// goroutine may use it at a time.
type steps struct {
	log    *slog.Logger
	last   time.Time
	logged []string
}

func newSteps(log *slog.Logger) *steps { return &steps{log: log, last: time.Now()} }

// done ends a step; only the first end of each counts.
func (s *steps) done(step string) {
	if slices.Contains(s.logged, step) {
		return
	}
	now := time.Now()
	logline.AppStart(s.log, step, now.Sub(s.last))
	s.logged, s.last = append(s.logged, step), now
}
