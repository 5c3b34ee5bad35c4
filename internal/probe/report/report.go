// Package report is what a run of checks came to: the outcome that each check returns, and the report of all of them for
// people (a table) and for machines (JSON). It leaves out the checks, and what the command line makes of a failure.
package report

import (
	"encoding/json"
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
	}{plain(r), Millis(r.Duration)})
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
	}{plain(r), r.OK(), r.Counts(), Millis(r.Duration)})
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
		fmt.Fprintf(&b, "%-4s  %-*s  %7s  %s\n", x.Status, wide, x.Name, Seconds(x.Duration), x.Detail)
		if x.Hint != "" {
			fmt.Fprintf(&b, "      %-*s           hint: %s\n", wide, "", x.Hint)
		}
	}
	n := r.Counts()
	fmt.Fprintf(&b, "\n%s (%s): %d passed, %d failed, %d skipped, in %s\n",
		r.BaseURL, r.App, n[Pass], n[Fail], n[Skip], Seconds(r.Duration))
	_, err := io.WriteString(w, b.String())
	return err
}
