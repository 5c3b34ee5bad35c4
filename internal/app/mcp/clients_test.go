package mcp_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aproorg/sluice/internal/app"
	"github.com/aproorg/sluice/internal/app/mcp"
	"github.com/aproorg/sluice/internal/probe/report"
	"github.com/aproorg/sluice/internal/rehearse"
	"github.com/aproorg/sluice/internal/testdeps"
	"github.com/aproorg/sluice/internal/timeline"
)

// everything is the official test server, which keeps sessions in its process.
const (
	everything     = "node node_modules/@modelcontextprotocol/server-everything/dist/index.js streamableHttp"
	everythingLong = "trigger-long-running-operation"
)

// workshop is a folder with the scripts of testdata beside the npm packages, as a server's own folder has them. It does
// not lie below /tmp, which an environment sees as its own.
func workshop(t *testing.T) string {
	t.Helper()
	modules := testdeps.NodeModules(t)
	dir, err := os.MkdirTemp(filepath.Dir(modules), "mcp-test-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := errors.Join(os.CopyFS(dir, os.DirFS("testdata")), os.Symlink(modules, filepath.Join(dir, "node_modules"))); err != nil {
		t.Fatal(err)
	}
	return dir
}

// world is a rehearsal of the preset.
type world struct {
	*rehearse.World
	prepared app.Prepared
}

// noticed is what the preset has said of the server's answers.
func (w *world) noticed() []string {
	var notes []string
	events, _ := w.Recorder.Since(0)
	for _, e := range events {
		if e.Kind == timeline.Notice {
			notes = append(notes, e.Note)
		}
	}
	return notes
}

func (w *world) url() string { return w.ViewerURL + "/mcp" }

// served are the environments that took requests.
func (w *world) served() []string {
	seen := map[string]bool{}
	events, _ := w.Recorder.Since(0)
	for _, e := range events {
		if e.Kind == timeline.Invoke {
			seen[e.Environment] = true
		}
	}
	return slices.Sorted(maps.Keys(seen))
}

func up(t *testing.T, dir string, launch app.Launch, change func(*rehearse.App)) *world {
	t.Helper()
	w := &world{}
	recorder := timeline.NewRecorder(0)
	rehearsal := mcp.Preset().Rehearsal()
	flags := newFlags(t)
	rehearsal.Flags(flags)
	if err := flags.Parse([]string{"-app-dir", dir}); err != nil {
		t.Fatal(err)
	}
	err := rehearsal.Check(t.Context(), app.Request{Name: "mcp", Launch: launch, Env: map[string]string{"GREETING": "hello"}, Recorder: recorder, Getenv: os.Getenv})
	if err != nil {
		t.Fatal(err)
	}
	if w.prepared, err = rehearsal.Start(t.Context(), ""); err != nil {
		t.Fatal(err)
	}
	if got := w.prepared.App.Env["GREETING"]; got != "hello" {
		t.Errorf("the server's environment has %q, want what the user set", got)
	}
	if change != nil {
		change(&w.prepared.App)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	w.World, err = rehearse.Start(ctx, rehearse.Config{App: w.prepared.App, Listen: "127.0.0.1:0", Recorder: recorder})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.Close(context.Background()); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return w
}

// line is what a client says of one operation.
type line struct {
	Operation string
	OK        bool
	Error     string
	Session   bool
	Status    any
	Tools     int
	Text      string
	Progress  []int // ms
	Took      int   // ms
}

// clients are the official ones, by language.
var clients = map[string]func(t *testing.T, dir string) *exec.Cmd{
	"TypeScript": func(t *testing.T, dir string) *exec.Cmd {
		return exec.CommandContext(t.Context(), testdeps.Node(t), filepath.Join(dir, "client.mjs"))
	},
	"Python": func(t *testing.T, dir string) *exec.Cmd {
		python, packages := testdeps.Python(t)
		command := exec.CommandContext(t.Context(), python, filepath.Join(dir, "client.py"))
		command.Env = append(command.Environ(), "PYTHONPATH="+packages)
		return command
	},
}

// use runs a client to its end.
func use(command *exec.Cmd, url, tool string) (map[string]line, error) {
	var stderr bytes.Buffer
	command.Args = append(command.Args, url, tool)
	command.Stderr = &stderr
	out, err := command.Output()
	lines := map[string]line{}
	for scanner := bufio.NewScanner(bytes.NewReader(out)); scanner.Scan(); {
		var l line
		if err := json.Unmarshal(scanner.Bytes(), &l); err != nil {
			return nil, fmt.Errorf("%s: %w", scanner.Text(), err)
		}
		lines[l.Operation] = l
	}
	if err != nil {
		err = fmt.Errorf("%w\n%s%s", err, out, stderr.Bytes())
	}
	return lines, err
}

// TestStatelessServer: both clients, two of each at once, do all that they can through many environments.
func TestStatelessServer(t *testing.T) {
	dir := workshop(t)
	w := up(t, dir, app.Launch{Command: "node stateless.mjs"}, func(a *rehearse.App) { a.State = "EVENTS" })
	var wg sync.WaitGroup
	for language, client := range clients {
		for i := range 2 {
			command := client(t, dir)
			wg.Go(func() {
				lines, err := use(command, w.url(), "long")
				if err != nil {
					t.Errorf("%s %d: %v", language, i, err)
				}
				for _, name := range []string{"initialize", "list", "call", "ping", "resume", "delete"} {
					if l, ok := lines[name]; !ok || !l.OK {
						t.Errorf("%s %d, %s: %+v", language, i, name, l)
					}
				}
				if l := lines["initialize"]; l.Session {
					t.Errorf("%s %d: a stateless server opened a session", language, i)
				}
				if l := lines["stream"]; language == "TypeScript" && l.Status != 405.0 {
					t.Errorf("%s %d: GET got %v, want 405", language, i, l.Status)
				}
				if l := lines["call"]; l.Text != "done" || len(l.Progress) != 4 || l.Took-l.Progress[0] < 300 { // 1.5 s on a machine that is idle, 0 of an answer that was held back
					t.Errorf("%s %d: progress did not come as it was made: %+v", language, i, l)
				}
				if l := lines["resume"]; l.Text != "done" {
					t.Errorf("%s %d: resumed to %+v", language, i, l)
				}
			})
		}
	}
	wg.Wait()
	if served := w.served(); len(served) < 3 {
		t.Errorf("served by %v, want three environments at least", served)
	}
	if notes := w.noticed(); len(notes) > 0 {
		t.Errorf("said %q", notes)
	}
	if text := w.prepared.Summary(3, 25); text != "" {
		t.Errorf("summary %q", text)
	}
	r := verify(t, w.ViewerURL)
	if !r.OK() {
		t.Errorf("verify: %+v", r.Results)
	}
	for name, want := range map[string]string{"MCP initialize": "200 in an event stream", "MCP tool echo": "200 in an event stream", "MCP across environments": "8 at the same time"} {
		if x := result(r, name); x.Status != report.Pass || !strings.HasPrefix(x.Detail, want) {
			t.Errorf("%s: %+v, want %q", name, x, want)
		}
	}
}

// TestSessionsOfOneProcess: a server that keeps sessions fails for both clients as soon as there are several
// environments, and the terminal says why, and what helps.
func TestSessionsOfOneProcess(t *testing.T) {
	dir := workshop(t)
	for language, client := range clients {
		t.Run(language, func(t *testing.T) {
			w := up(t, dir, app.Launch{Command: everything}, nil)
			lines, err := use(client(t, dir), w.url(), everythingLong)
			if err != nil {
				t.Error(err)
			}
			if l := lines["initialize"]; !l.OK || !l.Session {
				t.Errorf("initialize: %+v", l)
			}
			if l := lines["list"]; l.OK || language == "TypeScript" && !strings.Contains(l.Error, "No valid session ID provided") {
				t.Errorf("list: %+v", l)
			}
			said := strings.Join(w.noticed(), "\n")
			for _, part := range []string{"does not know the MCP session that env-1 opened", `got 400 "Bad Request: No valid session ID provided"`, "any environment", "make the server stateless"} {
				if !strings.Contains(said, part) {
					t.Errorf("no %q in:\n%s", part, said)
				}
			}
			if text := w.prepared.Summary(3, 25); !strings.Contains(text, "did not know") {
				t.Errorf("summary %q", text)
			}
		})
	}
	t.Run("verify", func(t *testing.T) {
		w := up(t, dir, app.Launch{Command: everything}, nil)
		r := verify(t, w.ViewerURL)
		if x := result(r, "MCP initialize"); x.Status != report.Pass {
			t.Errorf("%+v", x)
		}
		// Which call is the first to reach another environment is chance; the last are eight at once.
		i := slices.IndexFunc(r.Results, func(x report.Result) bool { return x.Status == report.Fail })
		if i < 0 {
			t.Fatalf("all passed: %+v", r.Results)
		}
		if x := r.Results[i]; !strings.Contains(x.Detail, "No valid session ID provided") || !strings.Contains(x.Hint, "make the server stateless") {
			t.Errorf("%+v", x)
		}
	})
}

// TestOnlyEnvironment: a stream that a client keeps open holds the only environment, and the calls that wait for it
// are reported within 5 s, with the stream.
func TestOnlyEnvironment(t *testing.T) {
	dir := workshop(t)
	for language, client := range clients {
		t.Run(language, func(t *testing.T) {
			w := up(t, dir, app.Launch{Command: everything, Port: freePort(t)}, nil)
			command := client(t, dir)
			command.Args = append(command.Args, w.url(), everythingLong)
			if err := command.Start(); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = command.Process.Kill(); _ = command.Wait() })
			held, waited := waiting(t, w.Recorder)
			if took := waited.Time.Sub(held.Time); took > 5*time.Second {
				t.Errorf("reported %s after the stream began, want at most 5 s", took)
			}
			if want := "POST /mcp waits for env-1, the only environment: GET /mcp has held it for "; !strings.HasPrefix(waited.Note, want) {
				t.Errorf("reported %q, want %q…", waited.Note, want)
			}
			if said := strings.Join(w.noticed(), "\n"); !strings.Contains(said, "GET /mcp is a stream without an end: it keeps env-1 busy") {
				t.Errorf("said %q", said)
			}
		})
	}
}

// waiting follows the timeline to the first request that waits for long, and to the stream's start before it.
func waiting(t *testing.T, recorder *timeline.Recorder) (held, waited timeline.Event) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	subscription := recorder.Subscribe(0)
	defer subscription.Close()
	for {
		events, _, err := subscription.Next(ctx)
		if err != nil {
			t.Fatalf("no request was reported to wait: %v", err)
		}
		for _, e := range events {
			switch {
			case e.Kind == timeline.RequestStart && e.Hop == timeline.CloudFront && e.Method == "GET":
				held = e
			case e.Kind == timeline.RequestWait:
				return held, e
			}
		}
	}
}

func freePort(t *testing.T) int {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().(*net.TCPAddr).Port
}
