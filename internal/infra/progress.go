package infra

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/aproorg/sluice/internal/hint"
)

// Event is a line of the program's machine-readable output that is worth showing.
// https://developer.hashicorp.com/terraform/internals/machine-readable-ui
type Event struct {
	Type     string        `json:"type"` // apply_start, apply_progress, apply_complete, apply_errored, refresh_complete, planned_change, change_summary, diagnostic, …
	Address  string        `json:"address,omitempty"`
	Action   string        `json:"action,omitempty"`
	Elapsed  time.Duration `json:"elapsed_ns,omitempty"`
	ID       string        `json:"id,omitempty"`
	Severity string        `json:"severity,omitempty"` // of a diagnostic: warning or error
	Message  string        `json:"message"`
}

// stream is an io.Writer that cuts the program's output into lines and each line
// into an Event. It keeps the errors among the diagnostics, for they say more
// than the program's exit status.
type stream struct {
	progress func(Event)
	rest     []byte
	errors   []string
}

// longestLine bounds what is kept of a line that never ends.
const longestLine = 4 << 20

func newStream(progress func(Event)) *stream {
	if progress == nil {
		progress = func(Event) {}
	}
	return &stream{progress: progress}
}

func (s *stream) Write(p []byte) (int, error) {
	s.rest = append(s.rest, p...)
	for {
		line, rest, found := bytes.Cut(s.rest, []byte("\n"))
		if !found {
			break
		}
		s.line(line)
		s.rest = rest
	}
	if len(s.rest) > longestLine {
		s.rest = nil
	}
	return len(p), nil
}

func (s *stream) line(line []byte) {
	e, ok := parseEvent(line)
	if !ok {
		return
	}
	if e.Type == "diagnostic" && e.Severity == "error" {
		s.errors = append(s.errors, e.Message)
	}
	s.progress(e)
}

// failure joins what the program said with what became of it.
func (s *stream) failure(what string, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, context.Canceled):
		return fmt.Errorf("%s: %w: %w", what, errInterrupted, err)
	case len(s.errors) > 0:
		return advise(fmt.Errorf("%s: %s", what, strings.Join(s.errors, "\n")), s.errors)
	}
	return fmt.Errorf("%s: %w", what, err)
}

// advise adds what to do about faults that have one known way out.
func advise(err error, faults []string) error {
	all := strings.Join(faults, "\n")
	switch {
	case strings.Contains(all, "No valid credential sources"), strings.Contains(all, "ExpiredToken"):
		return hint.With(err, "sign in first: aws sso login, or set AWS_PROFILE")
	}
	return err
}

var lockID = regexp.MustCompile(`Error acquiring the state lock[\s\S]*?\bID:\s+([0-9A-Za-z-]+)`)

// lock is the id of the lock that was found on the state, if one was.
func (s *stream) lock() string {
	if found := lockID.FindStringSubmatch(strings.Join(s.errors, "\n")); found != nil {
		return found[1]
	}
	return ""
}

type uiLine struct {
	Message string `json:"@message"`
	Type    string `json:"type"`
	Hook    struct {
		Resource struct {
			Addr string `json:"addr"`
		} `json:"resource"`
		Action  string  `json:"action"`
		Elapsed float64 `json:"elapsed_seconds"`
		ID      string  `json:"id_value"`
	} `json:"hook"`
	Change struct {
		Resource struct {
			Addr string `json:"addr"`
		} `json:"resource"`
		Action string `json:"action"`
	} `json:"change"`
	Diagnostic struct {
		Severity string `json:"severity"`
		Summary  string `json:"summary"`
		Detail   string `json:"detail"`
		Address  string `json:"address"`
		Range    *struct {
			Filename string `json:"filename"`
			Start    struct {
				Line int `json:"line"`
			} `json:"start"`
		} `json:"range"`
		Snippet *struct {
			Code string `json:"code"` // of the range, such as bucket = var.config.bucket: it names the variable
		} `json:"snippet"`
	} `json:"diagnostic"`
}

// parseEvent reads one line; lines that are no JSON object with a type are not events.
func parseEvent(line []byte) (Event, bool) {
	var l uiLine
	if err := json.Unmarshal(line, &l); err != nil || l.Type == "" {
		return Event{}, false
	}
	e := Event{
		Type:    l.Type,
		Address: l.Hook.Resource.Addr,
		Action:  l.Hook.Action,
		Elapsed: time.Duration(l.Hook.Elapsed * float64(time.Second)),
		ID:      l.Hook.ID,
		Message: l.Message,
	}
	if l.Change.Resource.Addr != "" {
		e.Address, e.Action = l.Change.Resource.Addr, l.Change.Action
	}
	if l.Type == "diagnostic" {
		e.Severity, e.Address, e.Message = l.Diagnostic.Severity, l.Diagnostic.Address, diagnosticText(l)
	}
	return e, true
}

// diagnosticText is the summary, the detail, and where it stands.
func diagnosticText(l uiLine) string {
	d := l.Diagnostic
	text := d.Summary
	if d.Detail != "" {
		text += ": " + d.Detail
	}
	if d.Range != nil {
		at := fmt.Sprintf("%s:%d", d.Range.Filename, d.Range.Start.Line)
		if d.Snippet != nil && strings.Contains(d.Snippet.Code, "var.") && !strings.Contains(d.Snippet.Code, "\n") {
			at += ": " + strings.TrimSpace(d.Snippet.Code)
		}
		text += " (" + at + ")"
	}
	if text == "" {
		return l.Message
	}
	return text
}
