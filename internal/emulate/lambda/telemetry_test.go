package lambda_test

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aproorg/sluice/internal/emulate/lambda"
)

// telemetryWorld runs a function beside an extension that subscribes by the request.
func telemetryWorld(t *testing.T, request string) *world {
	t.Helper()
	self, _ := os.Executable()
	return start(t, func(cfg *lambda.Config) {
		cfg.Process.Command = []string{self, "runtime"}
		cfg.Process.Env = slices.DeleteFunc(cfg.Process.Env, func(v string) bool { return v == "TEST_RUNTIME=1" })
		setenv(cfg, "TEST_TELEMETRY="+request)
		cfg.Extensions = []lambda.Extension{{Name: "outside", Command: []string{self, "extension"}}}
	})
}

const everything = `{"schemaVersion":"2022-12-13","types":["platform","function"],"buffering":{"timeoutMs":25},"destination":{"protocol":"HTTP","URI":"http://sandbox.localdomain:4243"}}`

// TestTelemetry: an extension hears of what was before it subscribed, of each
// invocation, and at its end of what was still to come.
func TestTelemetry(t *testing.T) {
	w := telemetryWorld(t, everything)
	if slices.ContainsFunc(w.em.Missing(), func(m string) bool { return strings.Contains(m, "/tmp of its own") }) {
		t.Skip("no mount namespaces here, and so no name sandbox.localdomain; run as root, or allow user namespaces")
	}
	w.invoke(event{Text: "hello"})
	w.frozen()
	w.invoke(event{Do: "error"})
	w.frozen()
	w.logged(`telemetry 200 "OK"`)
	w.em.Recycle("env-1")
	w.eventually("gone", func() bool { return len(w.em.Environments()) == 0 })
	var kinds []string
	records := map[string]map[string]any{}
	for _, line := range w.logs() {
		text, ok := strings.CutPrefix(line, "telemetry event ")
		if !ok {
			continue
		}
		var e struct {
			Time   time.Time
			Type   string
			Record any
		}
		if err := json.Unmarshal([]byte(text), &e); err != nil || e.Time.IsZero() {
			t.Errorf("%s: %v", text, err)
		}
		kinds = append(kinds, e.Type)
		if e.Type == "function" {
			kinds[len(kinds)-1] += fmt.Sprintf(" %v", e.Record)
		}
		if r, ok := e.Record.(map[string]any); ok {
			records[e.Type] = r // the last
		}
	}
	want := []string{
		"platform.initStart", "platform.telemetrySubscription", "function runtime starts",
		"platform.initRuntimeDone", "platform.extension", "platform.initReport",
		"platform.start", "function status 202", "platform.runtimeDone", "platform.report",
		"platform.start", "platform.runtimeDone", "platform.report",
	}
	// The line that the function writes after its response comes before or after that of the platform.
	sorted := func(s []string) []string { return slices.Sorted(slices.Values(s)) }
	if !slices.Equal(sorted(kinds), sorted(want)) || kinds[0] != want[0] {
		t.Errorf("events %q\nwant %q", kinds, want)
	}
	for kind, part := range map[string]string{
		"platform.initStart":             "functionName:chat",
		"platform.initRuntimeDone":       "phase:init status:success",
		"platform.telemetrySubscription": "name:outside state:Subscribed types:[platform function]",
		"platform.extension":             "events:[INVOKE SHUTDOWN] name:outside state:Ready",
		"platform.start":                 "version:$LATEST",
		"platform.runtimeDone":           "status:error",
		"platform.report":                "errorType:Function.Bad",
	} {
		if got := fmt.Sprint(records[kind]); !strings.Contains(got, part) {
			t.Errorf("%s: %s, want %s in it", kind, got, part)
		}
	}
	if metrics, _ := records["platform.report"]["metrics"].(map[string]any); metrics["memorySizeMB"] != 512.0 || metrics["billedDurationMs"] == nil {
		t.Errorf("metrics %v", metrics)
	}
}

func TestTelemetryRefusals(t *testing.T) {
	for change, want := range map[[2]string]string{
		{"2022-12-13", "2020-01-01"}:              "schemaVersion",
		{`["platform","function"]`, `[]`}:         "types should not be empty",
		{`"function"`, `"other"`}:                 `type \"other\"`,
		{`"timeoutMs":25`, `"timeoutMs":24`}:      "buffering.timeoutMs is 24: from 25 to 30000",
		{`"HTTP"`, `"TCP"`}:                       "is not rehearsed",
		{"sandbox.localdomain:", "127.0.0.1:"}:    "host must be sandbox.localdomain",
		{"sandbox.localdomain:4243", "sandbox"}:   "port is not provided",
		{`{"schemaVersion"`, `{{"schemaVersion"`}: "invalid character",
	} {
		w := telemetryWorld(t, strings.Replace(everything, change[0], change[1], 1))
		w.invoke(event{})
		w.logged("telemetry 400 ")
		if !slices.ContainsFunc(w.logs(), func(l string) bool { return strings.Contains(l, "ValidationError") && strings.Contains(l, want) }) {
			t.Errorf("%s: no %q", change[1], want)
		}
	}
}
