package probe

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
)

// Status of a check.
type Status string

const (
	Pass Status = "pass"
	Fail Status = "fail"
	Skip Status = "skip" // the app offers nothing to check it by, or the run was too short
)

// Result is what one check found.
type Result struct {
	Name   string `json:"name"`
	Status Status `json:"status"`
	// Detail says what was seen, in a line.
	Detail string `json:"detail"`
	// Hint says what most likely mends a failure.
	Hint     string        `json:"hint,omitempty"`
	Duration time.Duration `json:"-"`
	// Numbers are what was measured. Each name ends in its unit: firstByteMs, bytes, largestBatchEvents.
	Numbers map[string]float64 `json:"numbers,omitempty"`
}

// MarshalJSON adds the duration as durationMs.
func (r Result) MarshalJSON() ([]byte, error) {
	type plain Result
	return json.Marshal(struct {
		plain
		DurationMs float64 `json:"durationMs"`
	}{plain(r), ms(r.Duration)})
}

// Report is the outcome of a run.
type Report struct {
	BaseURL  string        `json:"baseUrl"`
	App      string        `json:"app"`
	Started  time.Time     `json:"started"`
	Duration time.Duration `json:"-"`
	Results  []Result      `json:"results"`
}

// MarshalJSON adds ok, the counts and durationMs.
func (r Report) MarshalJSON() ([]byte, error) {
	type plain Report
	return json.Marshal(struct {
		plain
		OK         bool           `json:"ok"`
		Counts     map[Status]int `json:"counts"`
		DurationMs float64        `json:"durationMs"`
	}{plain(r), r.OK(), r.Counts(), ms(r.Duration)})
}

// OK reports whether no check failed.
func (r Report) OK() bool { return r.Counts()[Fail] == 0 }

// Counts returns the number of checks in each status.
func (r Report) Counts() map[Status]int {
	n := map[Status]int{}
	for _, x := range r.Results {
		n[x.Status]++
	}
	return n
}

// WriteTable writes the report for people: a line for each check, aligned, with the hint below a failure.
func (r Report) WriteTable(w io.Writer) error {
	wide := 0
	for _, x := range r.Results {
		wide = max(wide, len(x.Name))
	}
	var b strings.Builder
	for _, x := range r.Results {
		fmt.Fprintf(&b, "%-4s  %-*s  %7s  %s\n", x.Status, wide, x.Name, seconds(x.Duration), x.Detail)
		if x.Hint != "" {
			fmt.Fprintf(&b, "      %-*s           hint: %s\n", wide, "", x.Hint)
		}
	}
	n := r.Counts()
	fmt.Fprintf(&b, "\n%s (%s): %d passed, %d failed, %d skipped, in %s\n",
		r.BaseURL, r.App, n[Pass], n[Fail], n[Skip], seconds(r.Duration))
	_, err := io.WriteString(w, b.String())
	return err
}

// finding is what a check saw when all was well.
type finding struct {
	detail  string
	numbers map[string]float64
}

func found(format string, args ...any) finding { return finding{detail: fmt.Sprintf(format, args...)} }

func (f finding) with(name string, v float64) finding {
	if f.numbers == nil {
		f.numbers = map[string]float64{}
	}
	f.numbers[name] = v
	return f
}

// problem is a failed check: what was seen, and what most likely mends it.
type problem struct{ what, hint string }

func (p problem) Error() string { return p.what }

func failed(hint, format string, args ...any) error {
	return problem{fmt.Sprintf(format, args...), hint}
}

// skipped is a check that could not be made.
type skipped string

func (s skipped) Error() string { return string(s) }

func resultOf(name string, f finding, err error, took time.Duration) Result {
	r := Result{Name: name, Status: Pass, Detail: f.detail, Numbers: f.numbers, Duration: took}
	if err == nil {
		return r
	}
	var s skipped
	if errors.As(err, &s) {
		r.Status, r.Detail = Skip, string(s)
		return r
	}
	r.Status, r.Detail = Fail, err.Error()
	var p problem
	if errors.As(err, &p) {
		r.Hint = p.hint
	}
	if r.Hint == "" {
		r.Hint = "see what the hop in front of the app logs for this request"
	}
	return r
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// seconds writes a duration with three digits at most.
func seconds(d time.Duration) string {
	switch {
	case d < time.Second:
		return fmt.Sprintf("%.0f ms", ms(d))
	default:
		return fmt.Sprintf("%.1f s", d.Seconds())
	}
}
