package bench

import (
	"bufio"
	"context"
	"io"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aproorg/sluice/internal/app/librechat/facts"
	"github.com/aproorg/sluice/internal/app/librechat/rehearsal"
	"github.com/aproorg/sluice/internal/bootstrap/logline"
	"github.com/aproorg/sluice/internal/bootstrap/runtimeapi/runtimetest"
	"github.com/aproorg/sluice/internal/bootstrapbin"
	"github.com/aproorg/sluice/internal/rehearse"
)

// firstPath is the first call of a page.
const firstPath = "/api/config"

// BenchmarkLibreChatColdStart compares the bootstrap with LibreChat under it, between
// its own start and its first call of next, with `node server/index.js` alone until
// it is ready by the same signs. Both have the same environment and stores, the
// bootstrap fetches secrets, environment and configuration before, and no emulated
// hop or sandbox is in between. Runs alternate; medians are told, and the share of
// each step of the bootstrap's start.
func BenchmarkLibreChatColdStart(b *testing.B) {
	releases(b, func(b *testing.B, r facts.Release) {
		s := newStandby(b, r)
		var under, alone, answered, aloneAnswered, cpu []time.Duration
		shares := map[string][]time.Duration{}
		for b.Loop() {
			run := s.bootstrap(b, nil)
			under, answered, cpu = append(under, run.ready), append(answered, run.answered), append(cpu, run.cpu)
			for name, took := range run.steps {
				shares[name] = append(shares[name], took)
			}
			bare, first := s.alone(b, rehearsal.AloneConfig{})
			alone, aloneAnswered = append(alone, bare), append(aloneAnswered, first)
		}
		b.ReportMetric(median(under).Seconds(), "cold_s")
		b.ReportMetric(median(alone).Seconds(), "node_s")
		b.ReportMetric(ratio(median(under), median(alone)), "ratio")
		b.ReportMetric(ratio(slices.Min(under), slices.Min(alone)), "ratio_min")
		b.ReportMetric(ratio(median(answered), median(aloneAnswered)), "ratio_first_answer")
		b.ReportMetric(float64(median(cpu).Milliseconds()), "bootstrap_cpu_ms")
		own := time.Duration(0)
		for name, took := range shares {
			b.ReportMetric(100*ratio(median(took), median(under)), strings.ReplaceAll(name, " ", "_")+"_%")
			if name == "start" || name == "prepare" || name == "spawn" || name == "next" {
				own += median(took)
			}
		}
		b.ReportMetric(100*ratio(own, median(under)), "bootstrap_%")
		b.ReportMetric(0, "ns/op")
	})
}

// standby is a release with its stores, to be started under the bootstrap or alone.
type standby struct {
	*rehearsal.LibreChat
	command []string
	dir     string
	env     []string
	binary  string
}

// newStandby prepares one, with its database.
func newStandby(b *testing.B, r facts.Release) *standby {
	b.Helper()
	c, topology := startChat(b, r, "http://127.0.0.1:1")
	app := c.App
	prepared(b, c)
	env := maps.Clone(topology.Function.Environment)
	maps.Copy(env, app.Env)
	maps.Copy(env, map[string]string{
		"PATH": os.Getenv("PATH"), "AWS_REGION": rehearse.DefaultRegion, "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": strconv.Itoa(topology.Function.MemorySize),
		"AWS_ACCESS_KEY_ID": "bench", "AWS_SECRET_ACCESS_KEY": "bench", "AWS_SESSION_TOKEN": "bench",
	})
	delete(env, "SLUICE_ORIGIN_SECRET")
	s := &standby{LibreChat: c, command: app.Command, dir: app.Dir}
	for _, name := range slices.Sorted(maps.Keys(env)) {
		s.env = append(s.env, name+"="+env[name])
	}
	var err error
	if s.binary, err = bootstrapbin.Path(b.Context()); err != nil {
		b.Fatal(err)
	}
	return s
}

// alone returns the time until LibreChat was ready, and until its first answer after.
func (s *standby) alone(b *testing.B, cfg rehearsal.AloneConfig) (ready, answered time.Duration) {
	b.Helper()
	a, err := s.Alone(b.Context(), cfg)
	if err != nil {
		b.Fatal(err)
	}
	defer a.Close()
	get(b, a.URL+firstPath)
	return a.Ready, time.Since(a.Begun)
}

// started is one start under the bootstrap.
type started struct {
	ready    time.Duration // until it asked for the first invocation
	answered time.Duration // until that was answered
	cpu      time.Duration // the bootstrap's own
	memory   memory
	// steps: start (of the bootstrap), prepare (all that is fetched), spawn, require
	// (until the first connection to Mongo), connect (until it listens), ready, and
	// next (until the invocation was asked for).
	steps map[string]time.Duration
}

// bootstrap starts LibreChat under the bootstrap, with further environment.
func (s *standby) bootstrap(b *testing.B, env map[string]string) started {
	b.Helper()
	api, err := runtimetest.Start()
	if err != nil {
		b.Fatal(err)
	}
	defer api.Close()
	cmd := exec.Command(s.binary, append([]string{"--"}, s.command...)...)
	cmd.Dir = s.dir
	cmd.Env = append(slices.Clone(s.env), "AWS_LAMBDA_RUNTIME_API="+api.Addr())
	for _, name := range slices.Sorted(maps.Keys(env)) {
		cmd.Env = append(cmd.Env, name+"="+env[name])
	}
	output, err := cmd.StderrPipe()
	if err != nil {
		b.Fatal(err)
	}
	connected, stop := s.firstConnection()
	_, next := api.Nexts()
	begun := time.Now()
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	marks := make(chan map[string]time.Duration, 1)
	go func() { marks <- stepLines(output, begun) }()
	inv := api.Invoke(restEvent(firstPath, nil), time.Minute)
	var out started
	select {
	case <-next:
		out.ready = time.Since(begun)
	case <-time.After(2 * time.Minute):
		b.Error("the bootstrap does not ask for an invocation")
	}
	out.answered = s.firstAnswer(b, inv, begun)
	out.cpu, out.memory = cpuOf(cmd.Process.Pid), memoryOf(cmd.Process.Pid)
	_ = cmd.Process.Kill() // and the kernel ends its child
	mark := <-marks
	_ = cmd.Wait()
	stop()
	if at := <-connected; !at.IsZero() {
		mark["require"] = at.Sub(begun)
	}
	out.steps = durations(mark, out.ready)
	return out
}

func (s *standby) firstAnswer(b *testing.B, inv *runtimetest.Invocation, begun time.Time) time.Duration {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.Context(), time.Minute)
	defer cancel()
	if err := inv.Answered(ctx); err != nil || inv.Failure != nil {
		b.Fatalf("first invocation: %v %+v", err, inv.Failure)
	}
	head, err := runtimetest.ReadHead(inv.Body)
	if err != nil || head.StatusCode != http.StatusOK {
		b.Fatalf("first invocation: %+v, %v", head, err)
	}
	_, _ = io.Copy(io.Discard, inv.Body)
	return time.Since(begun)
}

// firstConnection watches Mongo for a connection more than there have been.
func (s *standby) firstConnection() (at <-chan time.Time, stop func()) {
	total := func() (n int) {
		for _, c := range s.Stores.Mongo.Clients() {
			n += c.Total
		}
		return n
	}
	before, seen, done := total(), make(chan time.Time, 1), make(chan struct{})
	go func() {
		for {
			select {
			case <-done:
				seen <- time.Time{}
				return
			case <-time.After(5 * time.Millisecond):
			}
			if total() > before {
				seen <- time.Now()
				return
			}
		}
	}()
	return seen, sync.OnceFunc(func() { close(done) })
}

// stepLines reads the bootstrap's lines of steps: when each was done. Those that
// run side by side before the app starts count as one, prepare.
func stepLines(output io.Reader, begun time.Time) map[string]time.Duration {
	marks := map[string]time.Duration{}
	lines := bufio.NewScanner(output)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		step, ok := logline.ParseStep(lines.Text())
		if !ok {
			continue
		}
		at := time.Since(begun)
		if !step.Parallel {
			marks[step.Name] = at
			continue
		}
		if began := at - step.Took; marks["start"] == 0 || began < marks["start"] {
			marks["start"] = began
		}
		marks["prepare"] = at
	}
	return marks
}

// durations turns the ends of steps into what each took.
func durations(marks map[string]time.Duration, next time.Duration) map[string]time.Duration {
	marks["connect"], marks["next"] = marks["listen"], next
	last, out := time.Duration(0), map[string]time.Duration{}
	for _, name := range []string{"start", "prepare", "spawn", "require", "connect", "ready", "next"} {
		if at, ok := marks[name]; ok && at >= last {
			out[name], last = at-last, at
		}
	}
	return out
}
