package report

import (
	"errors"
	"fmt"
	"time"
)

// Finding is what a check saw when all was well.
type Finding struct {
	Detail  string
	Numbers map[string]float64
}

// Found is a finding whose detail is formatted.
func Found(format string, args ...any) Finding { return Finding{Detail: fmt.Sprintf(format, args...)} }

// With adds a number. The name ends in its unit, as [Result.Numbers] asks for.
func (f Finding) With(name string, v float64) Finding {
	if f.Numbers == nil {
		f.Numbers = map[string]float64{}
	}
	f.Numbers[name] = v
	return f
}

// Problem is a failed check: what was seen, and what most likely mends it.
type Problem struct{ What, Hint string }

func (p Problem) Error() string { return p.What }

// Failed is a [Problem] whose text is formatted.
func Failed(hint, format string, args ...any) error {
	return Problem{fmt.Sprintf(format, args...), hint}
}

// Skipped is a check that could not be made.
type Skipped string

func (s Skipped) Error() string { return string(s) }

// ResultOf is the result of a check that took this long and returned f and err: a failure unless err is nil or [Skipped].
func ResultOf(name string, f Finding, err error, took time.Duration) Result {
	r := Result{Name: name, Status: Pass, Detail: f.Detail, Numbers: f.Numbers, Duration: took}
	if err == nil {
		return r
	}
	var s Skipped
	if errors.As(err, &s) {
		r.Status, r.Detail = Skip, string(s)
		return r
	}
	r.Status, r.Detail = Fail, err.Error()
	var p Problem
	if errors.As(err, &p) {
		r.Hint = p.Hint
	}
	if r.Hint == "" {
		r.Hint = "see what the hop in front of the app logs for this request"
	}
	return r
}

// Millis is a duration as a [Finding]'s numbers have it, in milliseconds.
func Millis(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// Seconds writes a duration with three digits at most.
func Seconds(d time.Duration) string {
	switch {
	case d < time.Second:
		return fmt.Sprintf("%.0f ms", Millis(d))
	default:
		return fmt.Sprintf("%.1f s", d.Seconds())
	}
}
