package mcp_test

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aproorg/sluice/internal/app"
	"github.com/aproorg/sluice/internal/app/mcp"
	"github.com/aproorg/sluice/internal/probe"
	"github.com/aproorg/sluice/internal/probe/description"
	"github.com/aproorg/sluice/internal/probe/report"
)

func newFlags(t *testing.T) *flag.FlagSet {
	t.Helper()
	f := flag.NewFlagSet("test", flag.ContinueOnError)
	f.SetOutput(io.Discard)
	return f
}

// verify does what `sluice verify --app mcp` does.
func verify(t *testing.T, url string, args ...string) report.Report {
	t.Helper()
	d, vars, err := describe(t, url, args...)
	if err != nil {
		t.Fatal(err)
	}
	r, err := probe.Run(t.Context(), url, d, probe.Options{Quick: true, Timeout: 30 * time.Second, Vars: vars})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func describe(t *testing.T, url string, args ...string) (description.Description, map[string]string, error) {
	t.Helper()
	check := mcp.Preset().Probe()
	f := newFlags(t)
	check.Flags(f)
	if err := f.Parse(args); err != nil {
		t.Fatal(err)
	}
	vars := map[string]string{}
	d, err := check.Describe(t.Context(), app.Question{URL: url, Vars: vars, Note: func(err error) { t.Log(err) }})
	return d, vars, err
}

func result(r report.Report, name string) report.Result {
	i := slices.IndexFunc(r.Results, func(x report.Result) bool { return x.Name == name })
	if i < 0 {
		return report.Result{Name: name, Detail: "not made"}
	}
	return r.Results[i]
}

// server answers each method of JSON-RPC with a result of its own.
func server(t *testing.T, tools string) string {
	t.Helper()
	mux := http.NewServeMux()
	mux.HandleFunc("POST /mcp", func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.Header().Set("Content-Type", "application/json")
		for method, result := range map[string]string{
			"initialize": `{"protocolVersion":"2025-03-26","capabilities":{"tools":{}},"serverInfo":{"name":"x","version":"1"}}`,
			"tools/list": `{"tools":` + tools + `}`, "tools/call": `{"content":[]}`, "ping": `{}`,
		} {
			if strings.Contains(string(body), `"method":"`+method+`"`) {
				fmt.Fprintf(w, `{"jsonrpc":"2.0","id":1,"result":%s}`, result)
				return
			}
		}
		w.WriteHeader(http.StatusAccepted)
	})
	s := httptest.NewServer(mux)
	t.Cleanup(s.Close)
	return s.URL
}

const readOnly = `"annotations":{"readOnlyHint":true}`

// TestToolIsChosen: one that is marked as read-only and can be called without knowing it, the one that reaches nothing
// else first; none is called on a guess.
func TestToolIsChosen(t *testing.T) {
	for name, c := range map[string]struct{ tools, calls string }{
		"none is read-only":      {`[{"name":"drop","inputSchema":{"type":"object"}}]`, ""},
		"arguments are unknown":  {`[{"name":"read","inputSchema":{"required":["rows"],"properties":{"rows":{"type":"array"}}},` + readOnly + `}]`, ""},
		"arguments are made up":  {`[{"name":"read","inputSchema":{"required":["n","s","b","e"],"properties":{"n":{"type":"integer"},"s":{"type":"string"},"b":{"type":"boolean"},"e":{"enum":["x"]}}},` + readOnly + `}]`, `"params":{"arguments":{"b":false,"e":"x","n":1,"s":"sluice verify"},"name":"read"}`},
		"one that stays at home": {`[{"name":"search","inputSchema":{},` + readOnly + `},{"name":"count","inputSchema":{},"annotations":{"readOnlyHint":true,"openWorldHint":false}}]`, `"params":{"arguments":{},"name":"count"}`},
	} {
		t.Run(name, func(t *testing.T) {
			d, _, err := describe(t, server(t, c.tools))
			if err != nil {
				t.Fatal(err)
			}
			called := ""
			for _, call := range d.Conversation {
				if strings.HasPrefix(call.Name, "MCP tool ") {
					called = call.Body
				}
			}
			if !strings.Contains(called, c.calls) || (called == "") != (c.calls == "") {
				t.Errorf("calls %q, want %s", called, c.calls)
			}
		})
	}
}

func TestToolIsNamed(t *testing.T) {
	url := server(t, `[]`)
	r := verify(t, url, "-mcp-tool", "drop", "-mcp-arguments", `{"table":"x"}`)
	if x := result(r, "MCP tool drop"); x.Status != report.Pass || !r.OK() {
		t.Errorf("%+v", r.Results)
	}
	var usage *app.UsageError
	if _, _, err := describe(t, url, "-mcp-arguments", "[]"); !errors.As(err, &usage) {
		t.Errorf("arguments that are no object: %v", err)
	}
}

func TestDetect(t *testing.T) {
	plain := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(plain.Close)
	login := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("WWW-Authenticate", `Bearer resource_metadata="https://example.com/.well-known/oauth-protected-resource"`)
		w.WriteHeader(http.StatusUnauthorized)
	}))
	t.Cleanup(login.Close)
	for url, want := range map[string]bool{server(t, "[]"): true, login.URL: true, plain.URL: false} {
		if got := mcp.Preset().Probe().Detect(t.Context(), app.NewVisit(url)); got != want {
			t.Errorf("%s: %v, want %v", url, got, want)
		}
	}
}
