package bootstrap_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/aproorg/sluice/internal/bootstrap/runtimeapi/runtimetest"
	"github.com/aproorg/sluice/internal/chromiumtest"
	"github.com/aproorg/sluice/internal/testdeps"
)

// heard is what a client made of one stream.
type heard struct {
	Client, Form, Case string
	Got, Error         string
}

// forms are the values of SLUICE_HEARTBEAT_FORM.
var forms = []string{"event", "comment", "auto"}

// limits of an invocation: below /deadline/ no answer comes to its end.
const (
	longLimit  = 30 * time.Second
	shortLimit = 2 * time.Second
)

// gateway is what clients reach in place of API Gateway, before one bootstrap.
func gateway(t *testing.T, w *world) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(w.pass))
	t.Cleanup(func() { server.CloseClientConnections(); server.Close() })
	return server.URL
}

// pass makes an invocation of a request and streams the answer back, as it comes.
func (w *world) pass(rw http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	header := map[string]string{}
	for name := range r.Header {
		header[name] = r.Header.Get(name)
	}
	limit := longLimit
	if strings.HasPrefix(r.URL.Path, "/deadline/") {
		limit = shortLimit
	}
	inv := w.Invoke(request{method: r.Method, path: r.URL.RequestURI(), body: string(body), header: header}.event(), limit)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), longLimit) // Lambda hears nothing of a client that has gone
	defer cancel()
	if err := inv.Answered(ctx); err != nil || inv.Failure != nil {
		http.Error(rw, "Internal server error", http.StatusBadGateway)
		return
	}
	defer func() { _, _ = io.Copy(io.Discard, inv.Body) }()
	head, err := runtimetest.ReadHead(inv.Body)
	if err != nil {
		panic(err)
	}
	maps.Copy(rw.Header(), head.HTTPHeader())
	rw.Header().Set("Access-Control-Allow-Origin", "*")
	rw.WriteHeader(head.StatusCode)
	control := http.NewResponseController(rw)
	for piece := make([]byte, 4096); ; {
		_ = control.Flush()
		n, err := inv.Body.Read(piece)
		if _, gone := rw.Write(piece[:n]); gone != nil {
			return // the invocation goes on, and has no trailer yet
		}
		if err == io.EOF {
			break
		} else if err != nil {
			panic(http.ErrAbortHandler)
		}
	}
	if inv.Trailer.Get("Lambda-Runtime-Function-Error-Type") != "" {
		panic(http.ErrAbortHandler) // the connection breaks
	}
}

// TestStreamClients holds heartbeats and the end at the deadline against published clients as they are: none of them may stumble over
// `auto`, and each hears of the deadline. The other forms show why auto is what it is.
func TestStreamClients(t *testing.T) {
	urls := map[string]string{}
	for _, form := range forms {
		urls[form] = gateway(t, start(t, goApp("talks"), "AWS_LAMBDA_MAX_CONCURRENCY=64", "SLUICE_HEARTBEAT=100ms", "SLUICE_HEARTBEAT_FORM="+form, "SLUICE_DEADLINE_MARGIN=300ms"))
	}
	var all table
	t.Run("clients", func(t *testing.T) {
		for language, run := range map[string]func(*testing.T, map[string]string) []heard{"Python": inPython, "Node": inNode, "Go": inGo, "Chromium": inChromium} {
			t.Run(language, func(t *testing.T) {
				t.Parallel()
				lines := run(t, urls)
				all.add(lines)
				judge(t, lines)
			})
		}
	})
	t.Log("\n" + all.markdown())
}

// stumbles are the clients that take an event `ping` for one of the stream's own.
var stumbles = []string{"openai (Python), chat", "openai (Node), chat", "ai with openai-compatible (Node)"}

func judge(t *testing.T, lines []heard) {
	t.Helper()
	seen := map[string]int{}
	for _, line := range lines {
		seen[line.Client]++
		whole := line.Got == "ab" && line.Error == ""
		switch {
		case line.Form == "event" && slices.Contains(stumbles, line.Client):
			if whole || strings.Contains(line.Error, "time limit") {
				t.Errorf("%+v: it bears the event by now", line)
			}
		case line.Case == "silence" || strings.HasSuffix(line.Client, "with ids"): // that is resumed
			if !whole {
				t.Errorf("%+v, want the whole stream", line)
			}
		case !strings.Contains(line.Error, "time limit of this request"):
			t.Errorf("%+v, want an error that speaks of the time limit", line)
		}
	}
	for client, n := range seen {
		if n != 2*len(forms) {
			t.Errorf("%s: %d streams, want %d", client, n, 2*len(forms))
		}
	}
	if len(seen) == 0 {
		t.Error("no client said anything")
	}
}

func arguments(urls map[string]string) []string {
	var out []string
	for _, form := range forms {
		out = append(out, form+"="+urls[form])
	}
	return out
}

// linesOf runs a program that prints a line for each stream.
func linesOf(t *testing.T, command *exec.Cmd) []heard {
	t.Helper()
	var stderr bytes.Buffer
	command.Stderr = &stderr
	out, err := command.Output()
	if err != nil {
		t.Fatalf("%v\n%s%s", err, out, stderr.Bytes())
	}
	var lines []heard
	for decoder := json.NewDecoder(bytes.NewReader(out)); decoder.More(); {
		var line heard
		if err := decoder.Decode(&line); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		lines = append(lines, line)
	}
	return lines
}

func inPython(t *testing.T, urls map[string]string) []heard {
	python, packages := testdeps.Python(t, "mcp", "openai", "anthropic")
	command := exec.CommandContext(t.Context(), python, append([]string{"testdata/clients/clients.py"}, arguments(urls)...)...)
	command.Env = append(command.Environ(), "PYTHONPATH="+packages)
	return linesOf(t, command)
}

func inNode(t *testing.T, urls map[string]string) []heard {
	node, modules := testdeps.Node(t), testdeps.NodeModules(t, "openai", "@anthropic-ai/sdk", "ai", "@ai-sdk/anthropic", "@ai-sdk/openai-compatible")
	dir := t.TempDir()
	script := filepath.Join(dir, "clients.mjs")
	text, err := os.ReadFile("testdata/clients/clients.mjs")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(script, text, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(modules, filepath.Join(dir, "node_modules")); err != nil {
		t.Fatal(err)
	}
	return linesOf(t, exec.CommandContext(t.Context(), node, append([]string{script}, arguments(urls)...)...))
}

func inGo(t *testing.T, urls map[string]string) []heard {
	module, dir := testdeps.GoClient(t), t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(module)); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile("testdata/clients/client.go.txt")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "main.go"), text, 0o600); err != nil {
		t.Fatal(err)
	}
	command := exec.CommandContext(t.Context(), "go", append([]string{"run", "."}, arguments(urls)...)...)
	command.Dir, command.Env = dir, append(os.Environ(), "GOFLAGS=-mod=readonly", "GOPROXY=off")
	return linesOf(t, command)
}

// pages serves page.mjs, and the packages that it imports.
func pages(t *testing.T) string {
	t.Helper()
	modules := testdeps.NodeModules(t, "sse.js", "@microsoft/fetch-event-source")
	mux := http.NewServeMux()
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `<!doctype html><script type="module" src="/page.mjs"></script>`)
	})
	mux.Handle("/page.mjs", http.FileServer(http.Dir("testdata/clients")))
	mux.HandleFunc("/modules/{file...}", func(w http.ResponseWriter, r *http.Request) {
		file := filepath.Join(modules, filepath.FromSlash(r.PathValue("file")))
		if filepath.Ext(file) == "" { // as packers resolve it
			file += ".js"
		}
		http.ServeFile(w, r, file)
	})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return server.URL
}

func inChromium(t *testing.T, urls map[string]string) []heard {
	page := pages(t)
	tab := chromiumtest.Start(t, time.Minute)
	chromiumtest.Do(t, tab, chromedp.Navigate(page), func(ctx context.Context, target *chromedp.Target) (v chromedp.Void, err error) {
		_, err = chromedp.Poll[bool]("globalThis.ready")(ctx, target)
		return v, err
	})
	args, err := json.Marshal(urls)
	if err != nil {
		t.Fatal(err)
	}
	lines, err := chromedp.Run(tab, chromedp.Evaluate[[]heard](fmt.Sprintf("read(%s)", args), chromedp.EvalAwaitPromise))
	if err != nil {
		t.Fatal(err)
	}
	return lines
}

// table are the clients' lines, of all languages.
type table struct {
	mu    sync.Mutex
	lines []heard
}

func (r *table) add(lines []heard) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.lines = append(r.lines, lines...)
}

// markdown has a row for each client, and the cases by forms as its columns.
func (r *table) markdown() string {
	cells := map[string]string{}
	var clients []string
	for _, line := range r.lines {
		clients = append(clients, line.Client)
		text := "whole"
		if line.Error != "" || line.Got != "ab" {
			first, _, _ := strings.Cut(line.Error, "\n")
			text = fmt.Sprintf("%.80s", first)
		}
		cells[line.Client+line.Form+line.Case] = text
	}
	slices.Sort(clients)
	var b strings.Builder
	for _, client := range slices.Compact(clients) {
		fmt.Fprintf(&b, "| %s", client)
		for _, scene := range []string{"silence", "deadline"} {
			for _, form := range forms {
				fmt.Fprintf(&b, " | %s %s: %s", scene, form, cells[client+form+scene])
			}
		}
		b.WriteString(" |\n")
	}
	return b.String()
}
