package view

import (
	"bytes"
	"strings"
	"testing"

	"github.com/aproorg/sluice/internal/bootstrap/settings"
	"github.com/aproorg/sluice/internal/cli/command"
	"github.com/aproorg/sluice/internal/timeline"
)

// TestWaitsAndNoticesAreShown: to people and to machines.
func TestWaitsAndNoticesAreShown(t *testing.T) {
	events := []timeline.Event{
		{Kind: timeline.RequestWait, Request: "r-1", Environment: "env-1", Note: "POST /mcp waits for env-1, the only environment: GET /mcp has held it for 3s"},
		{Kind: timeline.Notice, Request: "r-2", Environment: "env-2", Note: "env-2 does not know the session (hint: be stateless)"},
	}
	for name, c := range map[string]struct {
		json bool
		want []string
	}{
		"people": {false, []string{
			"waiting: POST /mcp waits for env-1, the only environment: GET /mcp has held it for 3s; Lambda would start another environment",
			"note: env-2 does not know the session (hint: be stateless)",
		}},
		"json": {true, []string{
			`"event":"waiting","environment":"env-1","note":"POST /mcp waits for env-1, the only environment: GET /mcp has held it for 3s"`,
			`"event":"warning","note":"env-2 does not know the session (hint: be stateless)"`,
		}},
	} {
		shows(t, name, c.json, events, c.want)
	}
}

// shows looks for texts in what is printed of some events, for people or as JSON.
func shows(t *testing.T, name string, json bool, events []timeline.Event, wants []string) {
	t.Helper()
	var out bytes.Buffer
	v := New(&command.Program{Out: &out, Getenv: func(string) string { return "" }, JSON: json})
	for _, e := range events {
		v.show(e)
	}
	for _, want := range wants {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%s: no %q in\n%s", name, want, out.String())
		}
	}
}

// TestLinesOfOneEntryAreApart: an entry of several lines stays readable.
func TestLinesOfOneEntryAreApart(t *testing.T) {
	var out bytes.Buffer
	v := New(&command.Program{Out: &out, Getenv: func(string) string { return "" }})
	v.show(timeline.Event{Kind: timeline.Log, Environment: "env-1", Note: "[ERROR] ValueError: bad thing\rTraceback (most recent call last):\r\n  File \"/var/task/app.py\", line 2"})
	want := "env-1  │ [ERROR] ValueError: bad thing\nenv-1  │ Traceback (most recent call last):\nenv-1  │   File \"/var/task/app.py\", line 2\n"
	if got := out.String(); got != want {
		t.Errorf("got\n%s\nnot\n%s", got, want)
	}
}

// TestLateTimerIsShownOnce: whichever environments tell of it.
func TestLateTimerIsShownOnce(t *testing.T) {
	var out bytes.Buffer
	v := New(&command.Program{Out: &out, Getenv: func(string) string { return "" }})
	for _, id := range []string{"env-1", "env-2"} {
		v.show(timeline.Event{Kind: timeline.Log, Environment: id, Note: `{"timestamp":"2026-11-27T00:00:00Z","level":"INFO","message":"` + settings.TimerDue + `: one of 1h0m0s, set by sweep"}`})
	}
	if got := strings.Count(out.String(), "bootstrap: "+settings.TimerDue+": one of 1h0m0s, set by sweep"); got != 1 {
		t.Errorf("%d times, want once:\n%s", got, out.String())
	}
}

// TestTooLargeIsAdvisedOnce: what has no way past Lambda has one by S3.
func TestTooLargeIsAdvisedOnce(t *testing.T) {
	var out bytes.Buffer
	v := New(&command.Program{Out: &out, Getenv: func(string) string { return "" }})
	v.TooLarge = "--uploads PATH"
	for range 2 {
		v.show(timeline.Event{Kind: timeline.Limit, Environment: "env-1", Note: "init took long"})
		v.show(timeline.Event{Kind: timeline.Limit, Hop: timeline.Lambda, Note: "Request must be smaller than 6291456 bytes for the InvokeFunction operation"})
	}
	if n := strings.Count(out.String(), "hint:  --uploads PATH"); n != 1 {
		t.Errorf("%d times in\n%s", n, out.String())
	}
}
