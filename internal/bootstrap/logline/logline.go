// Package logline is the form of the bootstrap's log: lines of JSON as Lambda's log format has them, and among them those that
// say how long each step of a start took, which a rehearsal and the benches read back.
//
// What looks like a secret in a line, such as ?code= in a path, is not written (package redact). It leaves out the app's
// output, which passes through as it is.
package logline

import (
	"encoding/json"
	"io"
	"log/slog"
	"strings"
	"time"

	"github.com/aproorg/sluice/internal/redact"
)

// The messages of steps. Those of a cold start run side by side; those of the app follow one another, each counted from the
// end of the one before.
const (
	coldStart = "cold start"
	appStart  = "app start"
)

const timestamp = "timestamp"

// New makes a logger that writes such lines.
func New(w io.Writer, debug bool) *slog.Logger {
	level := slog.LevelInfo
	if debug {
		level = slog.LevelDebug
	}
	rename := func(_ []string, a slog.Attr) slog.Attr {
		switch a.Key {
		case slog.TimeKey:
			a.Key = timestamp
		case slog.MessageKey:
			a.Key = "message"
		}
		switch value := a.Value.Any().(type) {
		case string:
			a.Value = slog.StringValue(redact.Text(value))
		case error:
			a.Value = slog.StringValue(redact.Text(value.Error()))
		}
		return a
	}
	return slog.New(slog.NewJSONHandler(w, &slog.HandlerOptions{Level: level, ReplaceAttr: rename}))
}

// ColdStart logs a step of what is fetched before the app starts, and how many things it fetched.
func ColdStart(log *slog.Logger, step string, count int, took time.Duration) {
	log.Info(coldStart, "step", step, "count", count, "took", rounded(took))
}

// AppStart logs a step of the app's own start.
func AppStart(log *slog.Logger, step string, took time.Duration) {
	log.Info(appStart, "step", step, "took", rounded(took))
}

func rounded(d time.Duration) string { return d.Round(time.Millisecond).String() }

// Step is what a line says of a step.
type Step struct {
	Name string
	Took time.Duration
	// Parallel is set for the steps of a cold start, which run side by side.
	Parallel bool
}

// ParseStep reads a line that New's logger wrote by ColdStart or AppStart.
func ParseStep(line string) (Step, bool) {
	if !strings.HasPrefix(line, `{"`+timestamp+`"`) || !strings.Contains(line, coldStart) && !strings.Contains(line, appStart) {
		return Step{}, false // most lines, at little cost
	}
	var l struct{ Message, Step, Took string }
	if json.Unmarshal([]byte(line), &l) != nil || l.Step == "" || l.Message != coldStart && l.Message != appStart {
		return Step{}, false
	}
	took, err := time.ParseDuration(l.Took)
	return Step{l.Step, took, l.Message == coldStart}, err == nil
}
