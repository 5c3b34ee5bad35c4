package bootstrap_test

import (
	"fmt"
	"io"
	"os"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/aproorg/sluice/internal/testkit"
)

func TestInitErrorOfAppThatDies(t *testing.T) {
	w := start(t, goApp("dies"))
	w.wantEnd(5 * time.Second)
	errors := w.InitErrors()
	if len(errors) != 1 {
		t.Fatalf("%d init errors", len(errors))
	}
	if e := errors[0]; !strings.Contains(e.Message, "exit status 3") || !strings.Contains(strings.Join(e.Trace, "\n"), "cannot read librechat.yaml") {
		t.Errorf("init error %+v", e)
	}
	if !strings.Contains(w.stderr.String(), "app: cannot read librechat.yaml\n") {
		t.Error("the app's line did not pass through")
	}
}

func TestInitErrorOfAppThatIsSick(t *testing.T) {
	w := start(t, goApp("sick"), "SLUICE_READY_ATTEMPTS=30")
	w.wantEnd(5 * time.Second)
	if e := w.InitErrors(); len(e) != 1 || !strings.Contains(e[0].Message, "503") {
		t.Errorf("init errors %+v", e)
	}
}

func TestInitErrorOfCommandThatIsNotThere(t *testing.T) {
	w := start(t, []string{"/no/such/program"})
	w.wantEnd(5 * time.Second)
	if e := w.InitErrors(); len(e) != 1 || !strings.Contains(e[0].Message, "/no/such/program") {
		t.Errorf("init errors %+v", e)
	}
}

func TestInitErrorOfBadSetting(t *testing.T) {
	w := start(t, goApp("bin"), "SLUICE_HEARTBEAT=often")
	w.wantEnd(5 * time.Second)
	if e := w.InitErrors(); len(e) != 1 || !strings.Contains(e[0].Message, "SLUICE_HEARTBEAT") {
		t.Errorf("init errors %+v", e)
	}
}

func TestSlowStartGoesOnInFirstInvocation(t *testing.T) {
	w := start(t, goApp("slow"), "SLUICE_INIT_LIMIT=200ms")
	if got := w.do(get("/get")); got.status != 200 {
		t.Errorf("status %d", got.status)
	}
}

func TestSlowStartThatFailsAnswersFirstInvocation(t *testing.T) {
	w := start(t, goApp("slowdies"), "SLUICE_INIT_LIMIT=100ms")
	inv := w.invoke(get("/get"), 20*time.Second)
	if inv.Failure == nil || !strings.Contains(strings.Join(inv.Failure.Trace, " "), "no database") {
		t.Errorf("failure %+v", inv.Failure)
	}
	w.wantEnd(5 * time.Second)
	if len(w.InitErrors()) != 0 {
		t.Error("an init error after next")
	}
}

func TestReadinessOfAnAppWhosePathAnswers404(t *testing.T) {
	w := start(t, goApp("bin"), "SLUICE_READY_PATH=/status/404", "SLUICE_READY_ATTEMPTS=30")
	w.wantEnd(5 * time.Second)
	e := w.InitErrors()
	if len(e) != 1 {
		t.Fatalf("init errors %+v", e)
	}
	for _, want := range []string{"GET /status/404 answered 404 Not Found for 1", "(hint: ", "SLUICE_READY_STATUS", "SLUICE_READY_PATH=tcp"} {
		if !strings.Contains(e[0].Message, want) {
			t.Errorf("%q is not in %s", want, e[0].Message)
		}
	}
	w = start(t, goApp("bin"), "SLUICE_READY_PATH=/status/404", "SLUICE_READY_STATUS=200-399,404")
	w.do(get("/get"))
	w = start(t, goApp("sick"), "SLUICE_READY_PATH=tcp")
	w.do(get("/get"))
}

// An app that is not ready at the deadline of the first invocation leaves what its probes saw in the log.
func TestFirstInvocationOfAnAppThatIsNotReady(t *testing.T) {
	w := start(t, goApp("sick"), "SLUICE_INIT_LIMIT=200ms", "SLUICE_READY_ATTEMPTS=1000")
	if got := w.doFor(get("/get"), 2*time.Second); got.status != 504 {
		t.Errorf("status %d", got.status)
	}
	w.wantLogged("the app did not answer in time", 1)
	for _, line := range []string{"its start goes on in the first invocation", "the app did not answer in time"} {
		_, after, _ := strings.Cut(w.stderr.String(), line)
		after, _, _ = strings.Cut(after, "\n")
		if !strings.Contains(after, "GET /health answered 503") {
			t.Errorf("%s: %s", line, after)
		}
	}
}

func TestReadyLog(t *testing.T) {
	w := start(t, goApp("bin"), "SLUICE_READY_LOG=^app: never", "SLUICE_READY_ATTEMPTS=30")
	w.wantEnd(5 * time.Second)
	if e := w.InitErrors(); len(e) != 1 || !strings.Contains(e[0].Message, "ready pattern") {
		t.Errorf("init errors %+v", e)
	}
	w = start(t, goApp("bin"), "SLUICE_READY_LOG=^app: starting")
	w.do(get("/get"))
}

func TestAppThatCrashesIsRestarted(t *testing.T) {
	w := start(t, goApp("bin"))
	first := w.do(get("/pid")).body
	if got := w.do(get("/crash")); got.status != 502 {
		t.Errorf("the request at hand: status %d, want 502", got.status)
	}
	if got := w.do(get("/pid")); got.status != 200 || got.body == first {
		t.Errorf("the next request: status %d, pid %s after %s", got.status, got.body, first)
	}
	got := w.do(get("/crash-late"))
	if got.status != 200 || got.broken() != "Sluice.AppBroke" {
		t.Errorf("a response that broke: status %d, trailers %v", got.status, got.trailer)
	}
	if got := w.do(get("/get")); got.status != 200 {
		t.Errorf("the request after that: status %d", got.status)
	}
}

func TestShutdown(t *testing.T) {
	w := start(t, goApp("forks"))
	app, _ := strconv.Atoi(w.do(get("/pid")).body)
	child := w.childPID()
	if names := w.Extensions(); len(names) != 1 {
		t.Errorf("extensions %v", names)
	}
	_ = w.cmd.Process.Signal(syscall.SIGTERM)
	w.wantEnd(3 * time.Second)
	if w.err != nil {
		t.Error(w.err)
	}
	for _, pid := range []int{app, child} {
		if alive(pid) {
			t.Errorf("process %d is left", pid)
		}
	}
}

func TestShutdownInMidRequest(t *testing.T) {
	w := start(t, goApp("bin"), "SLUICE_STOP_GRACE=300ms")
	w.Invoke(get("/hang"), time.Minute)
	time.Sleep(100 * time.Millisecond) // the request reaches the app, which does not say so
	_ = w.cmd.Process.Signal(syscall.SIGTERM)
	w.wantEnd(3 * time.Second)
}

func TestAppDiesWithBootstrap(t *testing.T) {
	w := start(t, goApp("bin"))
	app, _ := strconv.Atoi(w.do(get("/pid")).body)
	_ = w.cmd.Process.Kill()
	<-w.ended
	testkit.Wait(t, 3*time.Second, "the app's end", func() (string, bool) { return fmt.Sprintf("process %d lives", app), !alive(app) })
}

func TestConcurrency(t *testing.T) {
	w := start(t, goApp("bin"), "AWS_LAMBDA_MAX_CONCURRENCY=4")
	begun := time.Now()
	done := make(chan int)
	for range 4 {
		inv := w.Invoke(get("/delay/0.5"), 30*time.Second)
		go func() {
			if err := inv.Answered(t.Context()); err != nil {
				done <- 0
				return
			}
			_, _ = io.Copy(io.Discard, inv.Body)
			done <- 1
		}()
	}
	for range 4 {
		if <-done == 0 {
			t.Fatal("no answer")
		}
	}
	if took := time.Since(begun); took > 1500*time.Millisecond {
		t.Errorf("four requests of 0.5 s took %v", took)
	}
}

func TestManyRequestsLeaveNothing(t *testing.T) {
	w := start(t, goApp("bin"), "SLUICE_LOG_LEVEL=info")
	event := get("/status/200")
	w.do(event)
	before := openFiles(t, w.cmd.Process.Pid)
	n := 10_000
	if testing.Short() {
		n = 500
	}
	for range n {
		if got := w.do(event); got.status != 200 {
			t.Fatalf("status %d", got.status)
		}
	}
	if after := openFiles(t, w.cmd.Process.Pid); after > before+2 {
		t.Errorf("%d open files after %d requests, %d before", after, n, before)
	}
	status, err := os.ReadFile("/proc/" + strconv.Itoa(w.cmd.Process.Pid) + "/status")
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%s", regexp.MustCompile(`(?m)^(VmRSS|Threads):.*$`).FindAll(status, -1))
}

func openFiles(t *testing.T, pid int) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/" + strconv.Itoa(pid) + "/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}

// wantLogged waits until text is in the log n times: a line comes through a pipe, an answer may be there before.
func (w *world) wantLogged(text string, n int) {
	w.t.Helper()
	testkit.Wait(w.t, 5*time.Second, text, func() (string, bool) {
		log := w.stderr.String()
		return log, strings.Count(log, text) == n && strings.HasSuffix(log, "\n")
	})
}

// wantEnd waits for the bootstrap's own end.
func (w *world) wantEnd(within time.Duration) {
	w.t.Helper()
	select {
	case <-w.ended:
	case <-time.After(within):
		w.t.Fatalf("the bootstrap did not end within %v", within)
	}
}

var childLine = regexp.MustCompile(`app: child (\d+)`)

func (w *world) childPID() int {
	w.t.Helper()
	m := childLine.FindStringSubmatch(w.stdout.String())
	if m == nil {
		w.t.Fatal("the app has not printed its child")
	}
	pid, _ := strconv.Atoi(m[1])
	return pid
}

// alive says whether pid runs; a zombie does not.
func alive(pid int) bool {
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	return err == nil && !strings.Contains(string(stat), ") Z ")
}
