package facts

import (
	_ "embed"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/aproorg/sluice/internal/testdeps"
)

//go:embed testdata/hooks.cjs
var hooksProgram string

//go:embed testdata/hooks_api.cjs
var hooksModule string

// TestHooks runs the hooks of each design around a program with LibreChat's seams.
func TestHooks(t *testing.T) {
	for name, r := range map[string]Release{
		"streams named by the conversation": {Design: GeneratesAfterPost},
		"streams across processes":          {Design: GeneratesAfterPost, AcrossProcesses: true, KeepsJobs: true},
	} {
		t.Run(name, func(t *testing.T) { t.Parallel(); hooked(t, r) })
	}
}

type aStop struct {
	ID, User, Agent string
	Right           bool
	At              int // ms after the question
}

func hooked(t *testing.T, r Release) {
	var got struct {
		Passed struct {
			Configure, Create []any
			Job, Result, Done string
			Abort             struct {
				ID      string
				Options []string
			}
			Saved     []string
			Subscribe int
			Options   map[string]int
			Complete  []any
		}
		Late, Last, Own     []map[string]any
		Resumed             [][]map[string]any
		Dead, Alive, Missed string
		Saving              string
		Replaced            []map[string]any
		Asks                struct {
			Paused, Resumed, Gone, Lives bool
			Handed                       []string
			Waits, GoesOn                string
			Stops                        int
		}
		Changing struct {
			How     string
			Stops   int
			Aborted bool
		}
		Stops, Deadline []aStop
		Life            struct {
			First, GoesOn bool
			Written       map[string]string
		}
	}
	runHooks(t, r, hooksModule, hooksProgram, &got)

	passed := got.Passed
	service := map[string]any{"isRedis": true, "extra": 1.0}
	if !r.AcrossProcesses {
		service["cleanupOnComplete"] = false
	}
	for _, c := range []struct{ got, want any }{
		{passed.Configure, []any{service, "more"}},
		{passed.Create, []any{"one", "user-1", "conversation", map[string]any{"options": 1.0}}},
		{passed.Job + ", " + passed.Result + ", " + passed.Done, "the job, of the result, done"},
		{passed.Abort.Options, []string{"expectedCreatedAt", "beforePublish"}},
		{passed.Saved, []string{"a part"}},
		{passed.Subscribe, 5},
		{passed.Options, map[string]int{"signal": 4, "expectedCreatedAt": 7}},
		{passed.Complete, []any{"one", "an error", 7.0}},
	} {
		if diff := cmp.Diff(c.want, c.got); diff != "" {
			t.Errorf("what the hooks hand on (-want +got):\n%s", diff)
		}
	}

	n := func(n float64) map[string]any {
		return map[string]any{"event": "on_message_delta", "data": map[string]any{"n": n}}
	}
	late := []map[string]any{{"created": true, "from": "live"}, n(1), n(2), n(2), n(4), n(2), n(6), {"final": true}}
	if diff := cmp.Diff(late, got.Late); diff != "" {
		t.Errorf("a late reader's events (-want +got):\n%s", diff)
	}

	if diff := cmp.Diff([]map[string]any{n(1), n(2)}, got.Last); diff != "" {
		t.Errorf("the events of a reader who heard the last one after the snapshot (-want +got):\n%s", diff)
	}

	if diff := cmp.Diff([]map[string]any{n(1), n(2), n(2), n(3)}, got.Own); diff != "" {
		t.Errorf("the events of a reader beside the generation (-want +got):\n%s", diff)
	}

	sync := []map[string]any{{"sync": true, "resumeState": map[string]any{"content": []any{1.0, 2.0, 3.0, 4.0, 5.0}}, "pendingEvents": []any{}}}
	if diff := cmp.Diff([][]map[string]any{sync, sync}, got.Resumed); diff != "" {
		t.Errorf("the events of readers who resume (-want +got):\n%s", diff)
	}

	if got.Dead != "ended" || got.Alive != "open" || len(got.Stops) != 1 {
		t.Fatalf("the stream of a killed generation %s, that of a living one is %s: %+v", got.Dead, got.Alive, got.Stops)
	}
	if s := got.Stops[0]; s.ID != "dead" || s.User != "user-2" || !s.Right || s.Agent != "Mozilla/5.0 test" || s.At < 18000 || s.At > 30000 {
		t.Errorf("the killed generation was stopped by %+v", s)
	}
	if got.Missed != "broke off" {
		t.Errorf("the reader of a job that has ended: %s", got.Missed)
	}
	if got.Saving != "open" {
		t.Errorf("the reader of an answer that is being saved: %s", got.Saving)
	}
	if len(got.Replaced) > 0 {
		t.Errorf("the reader of an answer that was replaced got %v", got.Replaced)
	}
	if a := got.Asks; !a.Paused || !a.Resumed || !a.Gone || !a.Lives || a.Waits != "open" || a.GoesOn != "open" || a.Stops != 0 {
		t.Errorf("an answer that waited for an approval: %+v", a)
	}
	if diff := cmp.Diff([]string{"the action", "the decision"}, got.Asks.Handed); diff != "" {
		t.Errorf("what the hooks hand to an approval (-want +got):\n%s", diff)
	}
	if c := got.Changing; c.How != "ended" || c.Stops != 3 || c.Aborted {
		t.Errorf("an answer in a change of its state: %+v", c)
	}
	if s := got.Deadline; len(s) != 1 || s[0].ID != "long" || s[0].User != "user-1" || !s[0].Right || s[0].At > 60000 || s[0].At < 50000 {
		t.Errorf("at the deadline came %+v", s)
	}
	if !got.Life.First || !got.Life.GoesOn || got.Life.Written["userId"] != "user-1" {
		t.Errorf("a generation said of its life %+v", got.Life)
	}
}

// runHooks runs a program beside a module in the place of LibreChat's, with the hooks of a
// release, and reads the JSON that it prints.
func runHooks(t *testing.T, r Release, module, program string, out any) {
	t.Helper()
	node := testdeps.Node(t)
	dir := t.TempDir()
	api := filepath.Join(dir, "node_modules", "@librechat", "api")
	if err := os.MkdirAll(api, 0o755); err != nil {
		t.Fatal(err)
	}
	for path, text := range map[string]string{filepath.Join(api, "index.js"): module, filepath.Join(dir, "main.cjs"): program} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.CommandContext(t.Context(), node, filepath.Join(dir, "main.cjs"))
	cmd.Env = append(os.Environ(), "NODE_OPTIONS="+r.nodeOptions(), "JWT_SECRET=secret")
	cmd.Stderr = os.Stderr
	text, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, out); err != nil {
		t.Fatalf("%v in %q", err, text)
	}
}
