package supervise

import (
	"log/slog"
	"slices"
	"time"
)

// steps tells the log how long each part of a process's start took, in lines
// `app start` with step and took: spawn (the program runs), listen (its port is
// open), ready. Each counts from the one before. One goroutine may use it at a time.
type steps struct {
	log  *slog.Logger
	last time.Time
	told []string
}

func newSteps(log *slog.Logger) *steps { return &steps{log: log, last: time.Now()} }

// done ends a step; only the first end of each counts.
func (s *steps) done(step string) {
	if slices.Contains(s.told, step) {
		return
	}
	now := time.Now()
	s.log.Info("app start", "step", step, "took", now.Sub(s.last).Round(time.Millisecond).String())
	s.told, s.last = append(s.told, step), now
}
