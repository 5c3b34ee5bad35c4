package lambda_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awslambda "github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"

	"github.com/aproorg/sluice/internal/emulate/lambda"
	"github.com/aproorg/sluice/internal/testkit"
	"github.com/aproorg/sluice/internal/timeline"
)

func TestScaleOut(t *testing.T) {
	w := start(t, func(cfg *lambda.Config) { cfg.Concurrency = 3 })
	var served, throttled atomic.Int32
	var wg sync.WaitGroup
	for range 5 {
		wg.Go(func() {
			_, err := w.client.Invoke(t.Context(), &awslambda.InvokeInput{FunctionName: aws.String("chat"), Payload: payload(event{Do: "sleep", Millis: 500})})
			var many *types.TooManyRequestsException
			switch {
			case errors.As(err, &many):
				throttled.Add(1)
				if many.Reason != types.ThrottleReasonConcurrentInvocationLimitExceeded {
					t.Errorf("reason %s", many.Reason)
				}
			case err != nil:
				t.Error(err)
			default:
				served.Add(1)
			}
		})
	}
	wg.Wait()
	if served.Load() != 3 || throttled.Load() != 2 || len(w.em.Environments()) != 3 {
		t.Errorf("%d served, %d throttled, %d environments; want 3, 2, 3", served.Load(), throttled.Load(), len(w.em.Environments()))
	}
}

// TestQueue: with one environment all are served, one after the other, also by one that is made after its forerunner
// was killed; who has gone away is not.
func TestQueue(t *testing.T) {
	w := start(t, func(cfg *lambda.Config) { cfg.Concurrency, cfg.Queue = 1, true })
	w.invoke(event{})
	w.frozen()
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	var served, gone, failed atomic.Int32
	var wg sync.WaitGroup
	for i := range 6 {
		wg.Go(func() {
			ctx := ctx
			if i < 5 {
				ctx = t.Context()
				time.Sleep(time.Duration(i) * 20 * time.Millisecond) // they queue in this order
			} else {
				time.Sleep(150 * time.Millisecond) // the last in the queue
			}
			out, err := w.client.Invoke(ctx, &awslambda.InvokeInput{FunctionName: aws.String("chat"), Payload: payload(event{Do: "sleep", Millis: 300})})
			switch {
			case ctx.Err() != nil:
				gone.Add(1)
			case err != nil:
				t.Error(err)
			case out.FunctionError != nil:
				failed.Add(1)
			default:
				served.Add(1)
			}
		})
	}
	time.Sleep(450 * time.Millisecond) // into the second request's 300 ms
	w.em.KillAll()                     // it fails; the third waits for a new environment
	wg.Wait()
	if served.Load() != 4 || failed.Load() != 1 || gone.Load() != 1 || len(w.em.Environments()) != 1 {
		t.Errorf("%d served, %d failed, %d gone, %d environments; want 4, 1, 1, 1", served.Load(), failed.Load(), gone.Load(), len(w.em.Environments()))
	}
	w.frozen()
	if n := w.em.Environments()[0].Invocations; n != 3 {
		t.Errorf("the second environment has served %d, want 3: nobody waits for what comes of the one who left", n)
	}
}

// TestLongWaitIsReported: an invocation that waits in the queue is named within 5 s, with the one that holds the environment.
func TestLongWaitIsReported(t *testing.T) {
	w := start(t, func(cfg *lambda.Config) { cfg.Concurrency, cfg.Queue = 1, true })
	var wg sync.WaitGroup
	invoke := func(method string, millis int) {
		wg.Go(func() {
			event := fmt.Sprintf(`{"do":"sleep","ms":%d,"httpMethod":%q,"path":"/mcp"}`, millis, method)
			if _, err := w.client.Invoke(t.Context(), &awslambda.InvokeInput{FunctionName: aws.String("chat"), Payload: []byte(event)}); err != nil {
				t.Error(err)
			}
		})
	}
	waits := func() (notes []string) {
		for _, e := range w.all() {
			if e.Kind == timeline.RequestWait {
				notes = append(notes, e.Environment+": "+e.Note)
			}
		}
		return notes
	}
	invoke("GET", 6000)
	w.eventually("the stream is at work", func() bool {
		work, ok := w.em.Work("env-1")
		return ok && work.Method == "GET"
	})
	began := time.Now()
	invoke("POST", 1)
	w.eventually("the wait is reported", func() bool { return len(waits()) > 0 })
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("reported after %s, want at most 5 s", took)
	}
	wg.Wait()
	want := regexp.MustCompile(`^env-1: POST /mcp waits for env-1, the only environment: GET /mcp has held it for [34]s$`)
	if notes := waits(); len(notes) != 1 || !want.MatchString(notes[0]) {
		t.Errorf("reported: %q, want one that matches %s", notes, want)
	}
}

// TestClientGone: the invocation goes on.
func TestClientGone(t *testing.T) {
	var file string
	w := start(t, func(cfg *lambda.Config) { file = filepath.Join(shared(t, cfg), "x") })
	w.invoke(event{})
	w.frozen()
	ctx, cancel := context.WithTimeout(t.Context(), 150*time.Millisecond)
	defer cancel()
	req, _ := http.NewRequestWithContext(ctx, "POST", w.server.URL+"/2021-11-15/functions/chat/response-streaming-invocations",
		strings.NewReader(string(payload(event{Do: "stream", N: 10, Millis: 50, Text: strings.Repeat("y", 100_000)}))))
	if resp, err := http.DefaultClient.Do(req); err == nil {
		_, _ = io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
	}
	w.logged("status 202")
	w.frozen()
	if got, failure := w.invoke(event{Do: "write", Path: file}); got != `"<nil>"` {
		t.Errorf("%s %s", got, failure)
	}
	if n := len(w.em.Environments()); n != 1 {
		t.Errorf("%d environments", n)
	}
}

// TestNothingLeft: after Close no process, goroutine, socket or file remains.
func TestNothingLeft(t *testing.T) {
	before := runtime.NumGoroutine()
	dir := t.TempDir()
	file := filepath.Join(dir, "ticks")
	w := &world{t: t}
	self, _ := os.Executable()
	em, err := lambda.New(lambda.Config{
		Process: lambda.Process{Command: []string{self}, Env: []string{"TEST_RUNTIME=1", "PATH=" + os.Getenv("PATH")}, Writable: []string{dir}},
		Dir:     filepath.Join(dir, "envs"), Record: w.record,
	})
	if err != nil {
		t.Fatal(err)
	}
	w.em = em
	handler := func(e event) string {
		req, _ := http.NewRequest("POST", "/2015-03-31/functions/function/invocations", strings.NewReader(string(payload(e))))
		rec := &recorder{header: http.Header{}}
		em.ServeHTTP(rec, req)
		return rec.body.String()
	}
	apis := map[string]bool{}
	var pids []int
	for range 3 {
		var wg sync.WaitGroup
		for range 3 {
			wg.Go(func() { handler(event{Do: "sleep", Millis: 50}) })
		}
		wg.Wait()
	}
	handler(event{Do: "child", Path: file})
	for _, v := range strings.Split(handler(event{Do: "env"}), `"`) {
		if a, ok := strings.CutPrefix(v, "AWS_LAMBDA_RUNTIME_API="); ok {
			apis[a] = true
		}
	}
	for _, e := range em.Environments() {
		pids = append(pids, e.PID)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	if err := em.Close(ctx); err != nil {
		t.Fatal(err)
	}
	if len(pids) != 3 || len(apis) != 1 {
		t.Fatalf("%d processes, %d addresses were seen", len(pids), len(apis))
	}
	for _, pid := range pids {
		if _, err := os.Stat(fmt.Sprintf("/proc/%d", pid)); err == nil {
			t.Errorf("process %d lives", pid)
		}
	}
	for a := range apis {
		if c, err := net.Dial("tcp", a); err == nil {
			c.Close()
			t.Errorf("%s still listens", a)
		}
	}
	size1 := size(file)
	time.Sleep(100 * time.Millisecond) // some ticks of a child that is left
	if size(file) != size1 {
		t.Error("a child still ticks")
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "envs", "*")); len(left) > 0 {
		t.Errorf("files left: %v", left)
	}
	testkit.WaitForGoroutines(t, before)
}

type recorder struct {
	header http.Header
	body   strings.Builder
}

func (r *recorder) Header() http.Header         { return r.header }
func (r *recorder) WriteHeader(int)             {}
func (r *recorder) Write(b []byte) (int, error) { return r.body.Write(b) }

func TestConcurrent200(t *testing.T) {
	if testing.Short() {
		t.Skip("starts 40 processes; go test ./internal/emulate/lambda")
	}
	w := start(t, func(cfg *lambda.Config) { cfg.Concurrency = 40 })
	var ok, throttled atomic.Int32
	var wg sync.WaitGroup
	for i := range 200 {
		wg.Go(func() {
			for { // as a client that retries
				req, _ := http.NewRequest("POST", w.server.URL+"/2015-03-31/functions/chat/invocations", strings.NewReader(string(payload(event{Text: fmt.Sprint(i)}))))
				resp, err := http.DefaultClient.Do(req)
				if err != nil {
					t.Error(err)
					return
				}
				body, _ := io.ReadAll(resp.Body)
				resp.Body.Close()
				if resp.StatusCode == 429 {
					throttled.Add(1)
					time.Sleep(20 * time.Millisecond) // a client's pause before it tries again
					continue
				}
				if want := fmt.Sprintf(`{"text":"%d"}`, i); !strings.Contains(string(body), fmt.Sprintf(`"text":"%d"`, i)) {
					t.Errorf("got %s, want %s", body, want)
				}
				ok.Add(1)
				return
			}
		})
	}
	wg.Wait()
	t.Logf("%d answered, %d throttled, %d environments", ok.Load(), throttled.Load(), len(w.em.Environments()))
	if n := len(w.em.Environments()); ok.Load() != 200 || n > 40 {
		t.Errorf("%d answers, %d environments", ok.Load(), n)
	}
}

func TestSequential10000(t *testing.T) {
	if testing.Short() {
		t.Skip("10 s; go test ./internal/emulate/lambda")
	}
	w := start(t, nil)
	w.invoke(event{})
	w.frozen()
	begin := time.Now()
	for i := range 10_000 {
		req, _ := http.NewRequest("POST", w.server.URL+"/2021-11-15/functions/chat/response-streaming-invocations", strings.NewReader("{}"))
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
		if resp.StatusCode != 200 {
			t.Fatalf("request %d: %s", i, resp.Status)
		}
	}
	took := time.Since(begin)
	t.Logf("10,000 invocations in %s, %.0f per second, %d environments", took, 10_000/took.Seconds(), len(w.em.Environments()))
	if n := len(w.em.Environments()); n > 5 { // a machine under load may need a second one now and then
		t.Errorf("%d environments for sequential requests", n)
	}
}
