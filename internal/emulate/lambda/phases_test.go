package lambda_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aproorg/sluice/internal/emulate/lambda"
	"github.com/aproorg/sluice/internal/testkit"
	"github.com/aproorg/sluice/internal/timeline"
)

// shared is a directory that the environments may write to.
func shared(t *testing.T, cfg *lambda.Config) string {
	dir := t.TempDir()
	cfg.Process.Writable = append(cfg.Process.Writable, dir)
	return dir
}

func setenv(cfg *lambda.Config, vars ...string) {
	cfg.Process.Env = append(cfg.Process.Env, vars...)
}

func size(path string) int64 {
	info, err := os.Stat(path)
	if err != nil {
		return 0
	}
	return info.Size()
}

// TestFreeze: a runtime that does not hold next back loses its clock; one that
// does keeps it until then.
func TestFreeze(t *testing.T) {
	for _, child := range []bool{false, true} {
		t.Run(fmt.Sprintf("child=%v", child), func(t *testing.T) {
			var file string
			w := start(t, func(cfg *lambda.Config) {
				file = filepath.Join(shared(t, cfg), "ticks")
				if !child {
					setenv(cfg, "TEST_TICKS="+file)
				}
			})
			if child {
				w.invoke(event{Do: "child", Path: file, After: 100})
			} else {
				w.invoke(event{After: 100})
			}
			w.frozen()
			before := size(file)
			if before == 0 {
				t.Fatal("nothing ticked while the runtime held next back")
			}
			time.Sleep(300 * time.Millisecond) // many ticks, if it ran
			if after := size(file); after != before {
				t.Errorf("the file grew by %d bytes while the environment was frozen", after-before)
			}
			w.invoke(event{Do: "sleep", Millis: 100})
			if size(file) == before {
				t.Error("nothing ticks after the thaw")
			}
		})
	}
}

func TestNoFreeze(t *testing.T) {
	var file string
	w := start(t, func(cfg *lambda.Config) {
		file = filepath.Join(shared(t, cfg), "ticks")
		setenv(cfg, "TEST_TICKS="+file)
		cfg.NoFreeze = true
	})
	w.invoke(event{})
	w.frozen()
	before := size(file)
	testkit.Wait(t, 10*time.Second, "a tick, for freezing is off", func() (string, bool) {
		return fmt.Sprintf("%d bytes, %d before", size(file), before), size(file) != before
	})
}

// TestDraining: the answer is there at once, the environment is not.
func TestDraining(t *testing.T) {
	w := start(t, nil)
	w.invoke(event{})
	begin := time.Now()
	w.invoke(event{After: 400})
	if took := time.Since(begin); took > 200*time.Millisecond {
		t.Errorf("the answer took %s", took)
	}
	w.eventually("draining", func() bool { return w.em.Environments()[0].State == timeline.Draining })
	w.invoke(event{}) // a new environment: the first is at work
	if n := len(w.em.Environments()); n != 2 {
		t.Errorf("%d environments, want 2", n)
	}
	w.frozen()
	if took := time.Since(begin); took < 400*time.Millisecond {
		t.Errorf("frozen after %s", took)
	}
}

func TestInitTooLong(t *testing.T) {
	w := start(t, func(cfg *lambda.Config) {
		setenv(cfg, "TEST_INIT=once 5s")
		cfg.Limits.Init = 300 * time.Millisecond
	})
	if got, failure := w.invoke(event{Text: "a"}); got == "" {
		t.Fatal(failure)
	}
	w.frozen()
	w.logged("Phase: init\tStatus: timeout")
	w.logged("Phase: invoke")
	want := []timeline.State{timeline.Init, timeline.Init, timeline.Busy, timeline.Draining, timeline.Frozen}
	if got := w.states("env-1"); !slices.Equal(got, want) {
		t.Errorf("states %v, want %v", got, want)
	}
}

// TestInitNeverReady: the repeated init is under the function's timeout.
func TestInitNeverReady(t *testing.T) {
	w := start(t, func(cfg *lambda.Config) {
		setenv(cfg, "TEST_INIT=sleep 30s")
		cfg.Limits.Init = 200 * time.Millisecond
		cfg.Function.Timeout = time.Second
	})
	begin := time.Now()
	_, failure := w.invoke(event{})
	if !strings.Contains(failure, "Task timed out after 1.00 seconds") || !strings.Contains(failure, "Sandbox.Timedout") {
		t.Errorf("failure %s", failure)
	}
	if took := time.Since(begin); took < 1200*time.Millisecond || took > 3*time.Second {
		t.Errorf("took %s", took)
	}
}

func TestInitFailures(t *testing.T) {
	for mode, want := range map[string]string{
		"error": `{"errorType":"Runtime.NoSuchThing","errorMessage":"the app did not start"}`,
		"exit":  "Runtime exited with error: exit status 7",
	} {
		w := start(t, func(cfg *lambda.Config) { setenv(cfg, "TEST_INIT="+mode) })
		for range 2 {
			if _, failure := w.invoke(event{}); !strings.Contains(failure, want) {
				t.Errorf("%s: failure %s", mode, failure)
			}
			w.frozen()
		}
		starts := 0
		for _, l := range w.logs() {
			if l == "runtime starts" {
				starts++
			}
		}
		if n := len(w.em.Environments()); n != 1 || starts != 3 {
			t.Errorf("%s: %d environments, %d starts; want 1 and 3", mode, n, starts)
		}
	}
}

func TestCrash(t *testing.T) {
	w := start(t, nil)
	w.invoke(event{Do: "write", Path: "/tmp/kept"})
	for _, c := range []struct {
		event event
		want  string
	}{
		{event{Do: "exit", N: 0}, "Runtime exited without providing a reason"},
		{event{Do: "exit", N: 4}, "Runtime exited with error: exit status 4"},
		{event{Do: "signal"}, "Runtime exited with error: signal: killed"},
	} {
		if _, failure := w.invoke(c.event); !strings.Contains(failure, c.want) || !strings.Contains(failure, "Runtime.ExitError") {
			t.Errorf("%v: %s", c.event, failure)
		}
		w.frozen() // the reset is done
	}
	if got, failure := w.invoke(event{Do: "answer-exit", N: 5}); got != `"done"` {
		t.Errorf("an answer that was complete before the crash: %s %s", got, failure)
	}
	w.logged("exit status 5")
	w.frozen()
	if got, _ := w.invoke(event{Do: "read", Path: "/tmp/kept"}); got != `"1 false"` {
		t.Errorf("/tmp after the resets: %s", got)
	}
	if n := len(w.em.Environments()); n != 1 {
		t.Errorf("%d environments", n)
	}
}

func TestTimeout(t *testing.T) {
	w := start(t, func(cfg *lambda.Config) { cfg.Function.Timeout = time.Second })
	if _, failure := w.invoke(event{Do: "sleep", Millis: 5000}); !strings.Contains(failure, "Task timed out after 1.00 seconds") {
		t.Errorf("failure %s", failure)
	}
	w.logged(" Task timed out after 1.00 seconds")
	w.logged("Status: timeout")
	chunks, end := w.stream(event{Do: "stream-hang", N: 2, Millis: 30})
	if len(chunks) != 2 || *end.ErrorCode != "Sandbox.Timedout" {
		t.Errorf("%d chunks, then %s", len(chunks), *end.ErrorCode)
	}
	// The time after the response counts too.
	if got, _ := w.invoke(event{After: 3000}); got == "" {
		t.Error("no answer")
	}
	w.frozen()
	if got, failure := w.invoke(event{Text: "again"}); got == "" {
		t.Error(failure)
	}
}

// TestTruncated: a runtime whose answer broke off may go on.
func TestTruncated(t *testing.T) {
	w := start(t, nil)
	if got, failure := w.invoke(event{Do: "truncated", Text: "half"}); got != "" || !strings.Contains(failure, "Runtime.TruncatedResponse") {
		t.Errorf("buffered: %s %s", got, failure)
	}
	w.logged(`status 400 {"errorMessage":"HTTP request detected as truncated","errorType":"TruncatedHTTPRequest"}`)
	chunks, end := w.stream(event{Do: "truncated", Text: "half"})
	if len(chunks) != 1 || chunks[0].text != "half" || *end.ErrorCode != "Runtime.TruncatedResponse" {
		t.Errorf("streamed: %v, then %s", chunks, *end.ErrorCode)
	}
	if got, failure := w.invoke(event{Text: "again"}); got == "" {
		t.Error(failure)
	}
	starts := 0
	for _, l := range w.logs() {
		if l == "runtime starts" {
			starts++
		}
	}
	if starts != 1 {
		t.Errorf("the runtime started %d times", starts)
	}
}

func TestMemory(t *testing.T) {
	w := start(t, func(cfg *lambda.Config) { cfg.Function.MemorySize = 128 })
	_, failure := w.invoke(event{Do: "memory", N: 200})
	if !strings.Contains(failure, "signal: killed") || !strings.Contains(failure, "Runtime.OutOfMemory") {
		t.Errorf("failure %s", failure)
	}
	w.logged("Error Type: Runtime.OutOfMemory")
	if got, failure := w.invoke(event{}); got == "" {
		t.Error(failure)
	}
}

func TestSizes(t *testing.T) {
	w := start(t, func(cfg *lambda.Config) {
		cfg.Limits.Request, cfg.Limits.BufferedResponse, cfg.Limits.StreamedResponse = 1000, 1000, 5000
	})
	if got, failure := w.invoke(event{Do: "big", N: 1000}); len(got) != 1000 {
		t.Error(failure)
	}
	if _, failure := w.invoke(event{Do: "big", N: 1001}); !strings.Contains(failure, "Function.ResponseSizeTooLarge") {
		t.Errorf("failure %s", failure)
	}
	w.logged("status 413")
	if _, failure := w.invoke(event{Do: "stream", N: 3, Text: strings.Repeat("x", 500)}); !strings.Contains(failure, "Function.ResponseSizeTooLarge") {
		t.Errorf("streamed into a buffer: %s", failure)
	}
	chunks, end := w.stream(event{Do: "stream", N: 100, Text: strings.Repeat("x", 500), Millis: 1})
	if end.ErrorCode == nil || *end.ErrorCode != "Function.ResponseSizeTooLarge" || len(chunks) == 0 || len(chunks) > 10 {
		t.Errorf("%d chunks, %v", len(chunks), end.ErrorCode)
	}
}

func TestBandwidth(t *testing.T) {
	w := start(t, func(cfg *lambda.Config) { cfg.Limits.Burst, cfg.Limits.Rate = 10_000, 20_000 })
	w.invoke(event{})
	begin := time.Now()
	chunks, _ := w.stream(event{Do: "stream", N: 18, Text: strings.Repeat("x", 998), Millis: 1})
	took := time.Since(begin)
	bytes := 0
	for _, c := range chunks { // which may arrive joined
		bytes += len(c.text)
		if quick := c.at.Sub(begin); bytes <= 9*1000 && quick > 200*time.Millisecond {
			t.Errorf("the first %d bytes took %s", bytes, quick)
		}
	}
	if took < 300*time.Millisecond || took > 900*time.Millisecond {
		t.Errorf("18 kB took %s, want about 400 ms", took)
	}
}

func TestRuntimeAPI(t *testing.T) {
	w := start(t, nil)
	for _, c := range []struct{ request, want string }{
		{"POST 2018-06-01/runtime/invocation/nobody/response", `400 {"errorMessage":"Invalid request ID","errorType":"InvalidRequestID"}`},
		{"POST 2018-06-01/runtime/init/error", `403 {"errorMessage":"State transition from Running to InitError failed for runtime. Error: State transition is not allowed","errorType":"InvalidStateTransition"}`},
		{"GET 2018-06-01/runtime/restore/next", "404"},                // of SnapStart alone
		{"GET 2018-06-01/runtime/invocation/next", `200 {"do":"raw"`}, // the same one again
		{"GET 2018-06-01/ping", "200 pong"},
		{"GET 2020-01-01/extension/event/next", "403"},
		{"POST 2020-01-01/extension/register", "403"},
		{"PUT 2020-08-15/logs", `202 {"errorMessage":"Logs API is not supported","errorType":"Logs.NotSupported"}`},
		{"PUT 2022-07-01/telemetry", `403 {"errorMessage":"Missing Lambda-Extension-Identifier header"`},
		{"DELETE 2018-06-01/runtime/invocation/next", "405"},
		{"HEAD 2018-06-01/runtime/invocation/next", "405"},
		{"POST 2018-06-01/runtime/invocation/ID/error", ""},
	} {
		got, failure := w.invoke(event{Do: "raw", Text: c.request})
		if !strings.HasPrefix(got, c.want) || (c.want == "") != (failure == "" && got == "") {
			t.Errorf("%s: %s %s", c.request, got, failure)
		}
	}
	if got, _ := w.invoke(event{Do: "twice"}); got != "1" {
		t.Errorf("two responses: %s", got)
	}
	w.logged("status 403")
}

func TestEnvironmentVariables(t *testing.T) {
	t.Setenv("SECRET_OF_THE_SHELL", "yes")
	w := start(t, func(cfg *lambda.Config) {
		cfg.Function.Environment = map[string]string{"NODE_ENV": "production"}
		cfg.Function.MemorySize = 1024
	})
	got, _ := w.invoke(event{Do: "env"})
	for _, part := range []string{
		`"NODE_ENV=production"`, `"AWS_LAMBDA_FUNCTION_NAME=chat"`, `"AWS_LAMBDA_FUNCTION_MEMORY_SIZE=1024"`,
		`"AWS_LAMBDA_FUNCTION_VERSION=$LATEST"`, `"AWS_LAMBDA_INITIALIZATION_TYPE=on-demand"`, `"AWS_REGION=eu-west-1"`,
		`"AWS_LAMBDA_LOG_GROUP_NAME=/aws/lambda/chat"`, `"LAMBDA_TASK_ROOT=/var/task"`, `"TZ=:UTC"`, `"AWS_SESSION_TOKEN=`, `"_HANDLER=`,
	} {
		if !strings.Contains(got, part) {
			t.Errorf("no %s in %s", part, got)
		}
	}
	if strings.Contains(got, "SECRET_OF_THE_SHELL") || strings.Contains(got, "AWS_EXECUTION_ENV") {
		t.Errorf("too much: %s", got)
	}
}

func TestConfiguration(t *testing.T) {
	self, _ := os.Executable()
	for name, c := range map[string]struct {
		change func(*lambda.Config)
		part   string
	}{
		"no command":  {func(c *lambda.Config) { c.Process.Command = nil }, "no command"},
		"no program":  {func(c *lambda.Config) { c.Process.Command = []string{"/no/such/program"} }, "/no/such/program"},
		"reserved":    {func(c *lambda.Config) { c.Function.Environment = map[string]string{"AWS_REGION": "x"} }, "reserves the name AWS_REGION"},
		"bad name":    {func(c *lambda.Config) { c.Function.Environment = map[string]string{"A-B": "x"} }, `"A-B"`},
		"4 KB":        {func(c *lambda.Config) { c.Function.Environment = map[string]string{"AB": strings.Repeat("x", 4090)} }, "4099 bytes"},
		"directory":   {func(c *lambda.Config) { c.Process.Dir = "/no/such/dir" }, "working directory: stat /no/such/dir"},
		"writable":    {func(c *lambda.Config) { c.Process.Writable = []string{"relative"} }, "writable path relative is not an absolute path"},
		"timeout":     {func(c *lambda.Config) { c.Function.Timeout = time.Hour }, "900 s"},
		"memory size": {func(c *lambda.Config) { c.Function.MemorySize = 64 }, "64 MB"},
	} {
		cfg := lambda.Config{Process: lambda.Process{Command: []string{self}}}
		c.change(&cfg)
		if _, err := lambda.New(cfg); err == nil || !strings.Contains(err.Error(), c.part) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestFileSystem(t *testing.T) {
	w := start(t, nil)
	if slices.ContainsFunc(w.em.Missing(), func(m string) bool { return strings.Contains(m, "/tmp of its own") }) {
		t.Skip("no mount namespaces here; run as root, or: sudo sysctl kernel.unprivileged_userns_clone=1")
	}
	if got, _ := w.invoke(event{Do: "write", Path: "/tmp/x"}); got != `"<nil>"` {
		t.Errorf("/tmp: %s", got)
	}
	if _, err := os.Stat("/tmp/x"); err == nil {
		t.Error("the environment wrote to the machine's /tmp")
	}
	if got, _ := w.invoke(event{Do: "write", Path: "/etc/sluice-test"}); !strings.Contains(got, "read-only file system") {
		t.Errorf("/etc: %s", got)
	}
}
