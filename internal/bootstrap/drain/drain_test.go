package drain

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/aproorg/sluice/internal/bootstrap/settings"
	"github.com/aproorg/sluice/internal/testdeps"
	"github.com/aproorg/sluice/internal/testkit"
)

// node runs testdata/app.cjs under the script.
type node struct {
	*Drain
	t       *testing.T
	base    string
	output  *lines
	log     *lines // of the drain itself
	process *os.Process
	web     *httptest.Server
	db      int
	redis   int
	limit   time.Duration // of a wait; 0 is 8 s
}

func startNode(t *testing.T) *node {
	t.Helper()
	n := startingNode(t, "", "")
	n.Forget(t.Context())
	return n
}

// startingNode is a node that is ready, and whose start goes on with the work of that name, for an upstream's path.
func startingNode(t *testing.T, start, upstreamPath string) *node {
	t.Helper()
	program, log := testdeps.Node(t), &lines{}
	d := New(Config{Preload: true, TimerLimit: 2 * time.Second, StartLimit: 1500 * time.Millisecond, LongTimer: time.Second, Logger: slog.New(slog.NewTextHandler(io.MultiWriter(t.Output(), log), nil))})
	n := &node{Drain: d, t: t, output: &lines{}, log: log, web: httptest.NewServer(http.HandlerFunc(upstream)), db: database(t), redis: redisOf(t)}
	t.Cleanup(n.web.Close)
	t.Cleanup(func() { n.web.CloseClientConnections() })
	t.Cleanup(d.Close)
	n.base = "http://" + freeAddress(t)
	cmd := exec.Command(program, "testdata/app.cjs")
	cmd.Env = d.AddTo(append(os.Environ(), "PORT="+n.base[strings.LastIndex(n.base, ":")+1:], "NODE_OPTIONS=--no-warnings", "START="+start, "START_URL="+n.web.URL+upstreamPath))
	cmd.Stdout, cmd.Stderr = n.output, n.output
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	n.process = cmd.Process
	n.output.await(t, "listening")
	return n
}

// TestNodeLateTimer: a long timer of the background is told of once if a freeze has delayed it.
func TestNodeLateTimer(t *testing.T) {
	n := startingNode(t, "", "")
	n.Forget(t.Context())
	freeze := func() {
		_ = n.process.Signal(syscall.SIGSTOP)
		time.Sleep(2500 * time.Millisecond) // of the timer's second and what it may be late
		_ = n.process.Signal(syscall.SIGCONT)
		n.get("none", "")
		time.Sleep(100 * time.Millisecond) // the line's way here
	}
	freeze()
	freeze()
	lines := n.log.count(settings.TimerDue)
	if lines != 1 || n.log.count("one of 1s, set by Object.<anonymous>") != 1 || n.log.count("app.cjs:") == 0 {
		t.Errorf("%d lines about the timer, want 1 with its length and place", lines)
	}
}

// TestNodeStart: what the start has begun counts once the app is ready, and not for ever.
func TestNodeStart(t *testing.T) {
	for _, test := range []struct {
		start, upstream string
		atLeast, atMost time.Duration // that the first invocations are held
	}{
		{"child", "", 300 * time.Millisecond, 0},
		{"retry", "", 300 * time.Millisecond, 0},
		{"fetch", "/", 200 * time.Millisecond, 0},
		{"fetch", "/silent", 1200 * time.Millisecond, 7500 * time.Millisecond}, // its connection may be younger than the start's end, and counts for 5 s more
		{"silent", "", 1200 * time.Millisecond, 5 * time.Second},
	} {
		t.Run(test.start+test.upstream, func(t *testing.T) {
			n := startingNode(t, test.start, test.upstream)
			n.Started(t.Context())
			held, work := n.get("none", "")
			t.Logf("held %v (%s)", held.Round(time.Millisecond), work)
			if held < test.atLeast || test.atMost > 0 && held > test.atMost {
				t.Errorf("held %v (%s), want %v to %v", held, work, test.atLeast, test.atMost)
			}
			if test.atMost == 0 {
				n.output.awaitCount(t, "done start "+test.start, 1)
			}
			held, _ = n.get("none", "")
			n.wantIdle("none", "", held)
		})
	}
}

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// upstream is a slow model: its body takes half a second. /events is a stream that stands.
func upstream(w http.ResponseWriter, r *http.Request) {
	if strings.HasSuffix(r.URL.Path, "/chat/completions") {
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprint(w, `{"id":"c","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"finish_reason":"stop","message":{"role":"assistant","content":"hi"}}],"usage":{"prompt_tokens":1,"completion_tokens":1,"total_tokens":2}}`)
		return
	}
	n := 5
	if r.URL.Path == "/events" {
		w.Header().Set("Content-Type", "text/event-stream")
		n = 1000
	}
	if r.URL.Path == "/silent" {
		time.Sleep(12 * time.Second) // a model that thinks, for longer than anything else is waited for
	}
	if r.URL.Path == "/slow" {
		n = 100
	}
	for range n {
		fmt.Fprintf(w, "data: %d\n\n", n)
		_ = http.NewResponseController(w).Flush()
		select {
		case <-time.After(100 * time.Millisecond):
		case <-r.Context().Done():
			return
		}
	}
}

// database answers each line after 20 ms, "soon" after 10 ms, "slow" after 400 ms, "slower" after 2 s, "never" not at all.
func database(t *testing.T) int {
	t.Helper()
	return testkit.Accept(t, func(conn net.Conn) {
		for in := bufio.NewScanner(conn); in.Scan(); {
			took := 20 * time.Millisecond
			switch in.Text() {
			case "never":
				continue
			case "soon":
				took = 10 * time.Millisecond
			case "slower":
				took = 2 * time.Second
			case "late":
				took = 6 * time.Second
			case "slow":
				took = 400 * time.Millisecond
			}
			time.Sleep(took) // the query's time in the database
			_, _ = conn.Write([]byte("ok\n"))
		}
	}).Port
}

// redisOf answers GET of any key with it: "soon" at once, in two pieces, "slow" after 900 ms, as an error.
func redisOf(t *testing.T) int {
	t.Helper()
	return testkit.Accept(t, func(conn net.Conn) {
		for in := bufio.NewScanner(conn); in.Scan(); {
			switch in.Text() {
			case "soon":
				_, _ = conn.Write([]byte("$4\r\nso"))
				time.Sleep(5 * time.Millisecond) // apart from the rest
				_, _ = conn.Write([]byte("on\r\n"))
			case "slow":
				time.Sleep(900 * time.Millisecond) // the command's time in Redis
				_, _ = conn.Write([]byte("-slow\r\n"))
			}
		}
	}).Port
}

// get asks the app for a job, reads the response to its end, and returns how long Wait held.
func (n *node) get(job, upstreamPath string) (held time.Duration, work string) {
	n.t.Helper()
	query := url.Values{"url": {n.web.URL + upstreamPath}, "db": {strconv.Itoa(n.db)}, "redis": {strconv.Itoa(n.redis)}}
	resp, err := http.Get(n.base + "/" + job + "?" + query.Encode())
	if err != nil {
		n.t.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, resp.Body)
	resp.Body.Close()
	begun := time.Now()
	ctx, cancel := context.WithTimeout(n.t.Context(), cmp.Or(n.limit, 8*time.Second))
	defer cancel()
	work, err = n.Wait(ctx)
	if err != nil {
		n.t.Errorf("%s: still %s: %v", job, work, err)
	}
	return time.Since(begun), work
}

func TestNodeWork(t *testing.T) {
	n := startNode(t)
	n.get("none", "")
	for _, test := range []struct {
		job, upstream string
		atLeast       time.Duration // 0: no work is left, and nothing is held
	}{
		{"none", "", 0},
		{"fetch", "/", 450 * time.Millisecond},
		{"none", "", 0},
		{"http", "/", 450 * time.Millisecond},
		{"chain", "/", 600 * time.Millisecond},
		{"save", "", 350 * time.Millisecond},
		{"none", "", 0},
		{"piped", "", 40 * time.Millisecond},
		{"busy", "", 750 * time.Millisecond},
		{"redis", "", 880 * time.Millisecond},
		{"none", "", 0},
		{"retry", "", 250 * time.Millisecond},
		{"sleep", "", 250 * time.Millisecond},
		{"files", "", time.Microsecond},
		{"close", "", 30 * time.Millisecond},
		{"compute", "", 250 * time.Millisecond},
		{"child", "", 350 * time.Millisecond},
		{"none", "", 0},
		{"long", "", 0},
		{"interval", "", 0},
		{"standing", "/events", 0},
		{"none", "", 0},
		{"standinghttp", "/events", 0},
		{"none", "", 0},
	} {
		before := n.output.count("done " + test.job)
		held, work := n.get(test.job, test.upstream)
		t.Logf("%-12s held %v (%s)", test.job, held.Round(10*time.Microsecond), work)
		if test.atLeast == 0 {
			n.wantIdle(test.job, test.upstream, held)
			continue
		}
		if held < test.atLeast {
			t.Errorf("%s: held %v, want at least %v", test.job, held, test.atLeast)
		}
		n.output.awaitCount(t, "done "+test.job, before+1)
	}
}

// wantIdle allows a loaded machine some tries: one that holds little shows that nothing was waited for.
func (n *node) wantIdle(job, upstreamPath string, held time.Duration) {
	n.t.Helper()
	for range 5 {
		if held < 30*time.Millisecond {
			return
		}
		held, _ = n.get(job, upstreamPath)
	}
	n.t.Errorf("%s: held %v though no work was left", job, held)
}

func TestNodeWorkerThread(t *testing.T) {
	n := startNode(t)
	for range 2 { // the first time, the thread has still to start
		if held, _ := n.get("worker", "/"); held < 400*time.Millisecond {
			t.Errorf("held %v for the work of a thread", held)
		}
	}
	n.output.awaitCount(t, "done worker", 2)
}

// TestNodeBlockedThread: a worker thread that is blocked, as idle ones of pools are, has no work, whether it was blocked before it turned to its
// loop or not.
func TestNodeBlockedThread(t *testing.T) {
	n := startNode(t)
	n.get("blocked", "") // the thread has still to start
	held, _ := n.get("none", "")
	n.wantIdle("none", "", held)
}

// A database that talks and then takes long, as while it fails over, is waited for.
func TestNodeDatabaseThatIsSlowForOnce(t *testing.T) {
	n := startNode(t)
	if held, _ := n.get("late", ""); held < 5900*time.Millisecond {
		t.Errorf("held %v for a database that answers after 6 s", held)
	}
	n.output.await(t, "done late")
}

// A chain of timers without an end, which a request has begun, is no work for ever, nor that of the next request.
func TestNodeLoopOfTimers(t *testing.T) {
	n := startNode(t)
	n.limit = 20 * time.Second
	if held, work := n.get("loop", ""); held < 9900*time.Millisecond {
		t.Errorf("held %v (%s) for a chain of timers, want 10 s", held, work)
	}
	n.log.await(t, "timers, each set by the one before")
	held, _ := n.get("none", "")
	n.wantIdle("none", "", held)
}

// A question behind one that took long may never have an answer, such as a subscription's: it is waited for, but not long.
func TestNodeQuestionBehindASlowOne(t *testing.T) {
	n := startNode(t)
	if held, _ := n.get("behind", ""); held < 2400*time.Millisecond {
		t.Errorf("held %v for a question behind an answer of 2 s, want half a second more", held)
	}
	n.output.await(t, "done behind")
}

func TestNodeUnansweredSocketStopsCounting(t *testing.T) {
	n := startNode(t)
	if held, _ := n.get("unanswered", ""); held < 4*time.Second || held > 7900*time.Millisecond {
		t.Errorf("held %v for a socket without an answer, want the limit of 5 s", held)
	}
	held, _ := n.get("unanswered", "")
	n.wantIdle("unanswered", "", held)
}

// undici replaces the connection of a request that was aborted by one that nothing is written to.
func TestNodeSpareConnectionIsNoWork(t *testing.T) {
	n := startNode(t)
	for job, atLeast := range map[string]time.Duration{"stopped": 250 * time.Millisecond, "spare": 0} {
		var held time.Duration
		for range 3 { // the machine may be at work
			if held, _ = n.get(job, "/slow"); held < 2*time.Second {
				break
			}
		}
		if held < atLeast || held > 2*time.Second {
			t.Errorf("%s: held %v, want %v to 2 s", job, held, atLeast)
		}
	}
	n.output.await(t, "done stopped")
}

func TestNodeLimit(t *testing.T) {
	n := startNode(t)
	resp, err := http.Get(n.base + "/fetch?url=" + n.web.URL + "/slow")
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	if work, err := n.Wait(ctx); err == nil || !strings.Contains(work, "requests=1") {
		t.Errorf("work %q, error %v; want a request and the end of the time", work, err)
	}
	held, _ := n.get("none", "")
	n.wantIdle("none", "", held)
}

func TestBusyPath(t *testing.T) {
	var asked int
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if asked++; asked < 4 {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	}))
	defer app.Close()
	d := New(Config{BusyURL: app.URL, Logger: slog.New(slog.DiscardHandler)})
	defer d.Close()
	if work, err := d.Wait(t.Context()); err != nil || work == "" || asked < 4 {
		t.Errorf("work %q, error %v after %d questions", work, err, asked)
	}
}

func TestEnvironmentKeepsOptions(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir()+"/a b")
	if err := os.MkdirAll(os.Getenv("TMPDIR"), 0o755); err != nil {
		t.Fatal(err)
	}
	d := New(Config{Preload: true, Logger: slog.New(slog.DiscardHandler)})
	defer d.Close()
	env := strings.Join(d.AddTo([]string{"A=1", "NODE_OPTIONS=--max-old-space-size=512"}), "\n")
	if !strings.Contains(env, `NODE_OPTIONS=--require "`) || !strings.Contains(env, " --max-old-space-size=512") {
		t.Error(env)
	}
}

// lines is a program's output as it grows.
type lines struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lines) count(what string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Count(l.b.String(), what)
}

func (l *lines) await(t *testing.T, what string) { l.awaitCount(t, what, 1) }

// awaitCount allows the pipe, and a Node that starts, some time.
func (l *lines) awaitCount(t *testing.T, what string, n int) {
	t.Helper()
	testkit.Wait(t, 30*time.Second, fmt.Sprintf("%d times %q in the output", n, what), func() (string, bool) {
		l.mu.Lock()
		defer l.mu.Unlock()
		return l.b.String(), strings.Count(l.b.String(), what) >= n
	})
}

// TestLineWithoutEnd: a process of the app that never ends its line is not listened to, and holds nothing.
func TestLineWithoutEnd(t *testing.T) {
	d := New(Config{Preload: true, Logger: slog.New(slog.DiscardHandler)})
	defer d.Close()
	conn, err := net.Dial("unix", d.scripts.Path(socket))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	written := 0
	for n := 0; err == nil && written < 64<<20; written += n {
		n, err = conn.Write(bytes.Repeat([]byte("busy"), 10_000))
	}
	if written >= 64<<20 {
		t.Errorf("%d bytes of a line were read", written)
	}
	if work, err := d.Wait(t.Context()); work != "" || err != nil {
		t.Errorf("it is waited for: %q, %v", work, err)
	}
}
