package deploy

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aproorg/sluice/internal/cli/command"
	"github.com/aproorg/sluice/internal/deploy"
	"github.com/aproorg/sluice/internal/infra"
	"github.com/aproorg/sluice/internal/ui"
)

// stepView shows a deployment: a line for each step and resource that is done, and
// a status line with what is under way and why it takes long.
type stepView struct {
	terminal *ui.Terminal
	json     *ui.JSON // nil for people
	underway []string // addresses, oldest first
	waits    map[string]string

	interrupted func() bool // whether Ctrl-C has come
}

func newStepView(p *command.Program, interrupted func() bool) *stepView {
	v := &stepView{terminal: p.Progress(), waits: map[string]string{}, interrupted: interrupted}
	if p.JSON {
		v.json = ui.NewJSON(p.Out)
	}
	return v
}

// stepEvent is one JSON line.
type stepEvent struct {
	Event    string       `json:"event"` // step or resource
	Step     deploy.Step  `json:"step"`
	Done     bool         `json:"done"`
	TookMS   int64        `json:"tookMs,omitempty"`
	Error    string       `json:"error,omitempty"`
	Resource *infra.Event `json:"resource,omitempty"`
	Waits    string       `json:"waits,omitempty"`
}

func (v *stepView) show(p deploy.Progress) {
	if v.json != nil {
		v.write(p)
		return
	}
	switch {
	case p.Event != nil:
		v.event(p)
	case !p.Done:
		v.terminal.Status(string(p.Step) + " …")
	case p.Err == nil:
		v.terminal.Status("")
		v.terminal.Line(fmt.Sprintf("%-8s done in %s", p.Step, ui.Duration(p.Took)))
	default:
		v.terminal.Status("") // the command reports the error itself
	}
}

func (v *stepView) write(p deploy.Progress) {
	e := stepEvent{Event: "step", Step: p.Step, Done: p.Done, TookMS: p.Took.Milliseconds(), Resource: p.Event, Waits: p.Waits}
	if p.Event != nil {
		e.Event = "resource"
	}
	if p.Err != nil {
		e.Error = p.Err.Error()
	}
	_ = v.json.Write(e) // a reader that went away ends the program by SIGPIPE
}

// slowRead is from when on a data source is worth a line: there are dozens.
const slowRead = 5 * time.Second

// event follows one resource on its way.
func (v *stepView) event(p deploy.Progress) {
	e := p.Event
	switch e.Type {
	case "apply_start":
		v.underway = append(v.underway, e.Address)
		v.waits[e.Address] = p.Waits
	case "apply_complete", "apply_errored":
		v.underway = slices.DeleteFunc(v.underway, func(a string) bool { return a == e.Address })
		word := "done"
		if e.Type == "apply_errored" {
			word = "FAILED"
			if v.interrupted() {
				word = "cut off"
			}
		}
		if e.Action != "read" || e.Elapsed >= slowRead || e.Type == "apply_errored" {
			v.terminal.Line(fmt.Sprintf("  %-7s %s %s after %s", e.Action, ui.Clean(e.Address), word, ui.Duration(e.Elapsed)))
		}
	case "diagnostic":
		if e.Severity == "warning" {
			v.terminal.Line("  warning: " + ui.Clean(e.Message))
		}
	}
	v.terminal.Status(v.status(p.Step, e.Elapsed))
}

// status names the oldest resource that is under way, and counts the others.
func (v *stepView) status(step deploy.Step, elapsed time.Duration) string {
	if len(v.underway) == 0 {
		return string(step) + " …"
	}
	oldest := v.underway[0]
	parts := []string{string(step) + ": " + ui.Clean(oldest)}
	if elapsed > 0 {
		parts = append(parts, ui.Duration(elapsed))
	}
	if why := v.waits[oldest]; why != "" {
		parts = append(parts, why)
	}
	if more := len(v.underway) - 1; more > 0 {
		parts = append(parts, fmt.Sprintf("%d more under way", more))
	}
	return strings.Join(parts, " · ")
}
