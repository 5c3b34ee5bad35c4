package rehearse_test

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/aproorg/sluice/internal/hint"
	"github.com/aproorg/sluice/internal/rehearse"
	"github.com/aproorg/sluice/internal/stack"
	"github.com/aproorg/sluice/internal/testkit"
	"github.com/aproorg/sluice/internal/timeline"
)

// An event that the app writes every 100 ms is read within 50 ms of its write,
// through all hops.
func TestStreamKeepsItsCadence(t *testing.T) {
	const events, interval, bound = 20, 100 * time.Millisecond, 50 * time.Millisecond
	w := start(t, demoConfig(t))
	c := visitor(t)
	get(t, c, w.ViewerURL+"/health") // the environment is warm
	begin := time.Now()
	res, err := c.Get(w.ViewerURL + "/api/probe/sse?events=20&interval=100")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	var late []time.Duration
	lines := bufio.NewScanner(res.Body)
	for lines.Scan() {
		var tick struct{ At int64 }
		data, ok := strings.CutPrefix(lines.Text(), "data: ")
		if !ok || json.Unmarshal([]byte(data), &tick) != nil || tick.At == 0 {
			continue
		}
		if delay := time.Since(time.UnixMicro(tick.At)); delay > bound {
			late = append(late, delay)
		}
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	if len(late) > 0 {
		t.Errorf("%d of %d events were late: %v", len(late), events, late)
	}
	if took := time.Since(begin); took < (events-1)*interval {
		t.Errorf("the stream took %v: it was not written live", took)
	}
	request := lastRequest(t, w, "/api/probe/sse?events=20&interval=100")
	if request.Chunks < events {
		t.Errorf("the timeline saw %d chunks of %d events", request.Chunks, events)
	}
}

// lastRequest waits until the timeline has a request's end.
func lastRequest(t *testing.T, w *rehearse.World, path string) timeline.Request {
	t.Helper()
	var found timeline.Request
	testkit.Wait(t, 10*time.Second, "a request of "+path+" in the timeline", func() (saw string, ok bool) {
		var tally timeline.Tally
		events, _ := w.Recorder.Since(0)
		for _, e := range events {
			if r, ended := tally.Add(e); ended {
				saw += r.Path + " "
				if r.Path == path {
					found, ok = r, true
				}
			}
		}
		return saw, ok
	})
	return found
}

func TestFirstRequestIsAColdStart(t *testing.T) {
	w := start(t, demoConfig(t))
	c := visitor(t)
	get(t, c, w.ViewerURL+"/health?first")
	get(t, c, w.ViewerURL+"/health?second")
	first, second := lastRequest(t, w, "/health?first"), lastRequest(t, w, "/health?second")
	if first.Cold == 0 || first.Cold > first.Total || first.Environment != "env-1" {
		t.Errorf("first: %+v", first)
	}
	if second.Cold != 0 || second.Environment != "env-1" || second.Status != http.StatusOK || second.FirstByte == 0 {
		t.Errorf("second: %+v", second)
	}
}

func TestBodiesArriveWhole(t *testing.T) {
	w := start(t, demoConfig(t))
	c := visitor(t)
	_, body := get(t, c, w.ViewerURL+"/api/probe/binary")
	for i := range 256 {
		if len(body) != 256 || body[i] != byte(i) {
			t.Fatalf("256 bytes became %d: %x", len(body), body)
		}
	}
	upload := bytes.Repeat([]byte("\x00\xff sluice"), 400_000) // 3.6 MB, 4.8 as base64
	res, err := c.Post(w.ViewerURL+"/api/upload", "application/octet-stream", bytes.NewReader(upload))
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	var answer struct {
		Parts []struct{ SHA256 string }
	}
	if err := json.NewDecoder(res.Body).Decode(&answer); err != nil || len(answer.Parts) != 1 {
		t.Fatalf("%s: %+v, %v", res.Status, answer, err)
	}
	if want := sha256.Sum256(upload); answer.Parts[0].SHA256 != hexString(want[:]) {
		t.Error("the upload arrived changed")
	}
}

func hexString(b []byte) string {
	const digits = "0123456789abcdef"
	out := make([]byte, 0, 2*len(b))
	for _, c := range b {
		out = append(out, digits[c>>4], digits[c&15])
	}
	return string(out)
}

func TestCrashAndHangOfTheApp(t *testing.T) {
	cfg := demoConfig(t)
	cfg.Timeout = 2 * time.Second
	w := start(t, cfg)
	c := visitor(t)
	for _, test := range []struct {
		path   string
		status int
	}{{"/api/crash", http.StatusBadGateway}, {"/api/hang", http.StatusGatewayTimeout}} {
		res, err := c.Post(w.ViewerURL+test.path, "", nil)
		if err != nil {
			t.Fatal(err)
		}
		io.Copy(io.Discard, res.Body)
		res.Body.Close()
		if res.StatusCode != test.status {
			t.Errorf("POST %s: %s, want %d", test.path, res.Status, test.status)
		}
		if res, _ := get(t, c, w.ViewerURL+"/health"); res.StatusCode != http.StatusOK {
			t.Errorf("after %s: %s", test.path, res.Status)
		}
	}
}

// An app without a site gets every path, the root included.
func TestAppWithoutASite(t *testing.T) {
	cfg := clockConfig(t)
	w := start(t, cfg)
	c := visitor(t)
	for path, want := range map[string]string{"/": "/", "/a": "/a", "/a/b%20c": "/a/b c", "/index.html": "/index.html"} {
		if res, body := get(t, c, w.ViewerURL+path); res.StatusCode != http.StatusOK || body != strings.Repeat(want, 10) {
			t.Errorf("GET %s: %s, %.80s, want %s", path, res.Status, body, want)
		}
	}
}

// A plan whose only way to the API is the default behavior is the path of every request.
func TestDefaultBehaviorLeadsToTheAPI(t *testing.T) {
	cfg := clockConfig(t)
	s, err := stack.Default()
	if err != nil {
		t.Fatal(err)
	}
	toAPI := s.Distribution.OrderedCacheBehaviors[0]
	toAPI.PathPattern = ""
	s.Distribution.DefaultCacheBehavior, s.Distribution.OrderedCacheBehaviors = toAPI, nil
	s.Distribution.Origins = slices.DeleteFunc(s.Distribution.Origins, func(o stack.Origin) bool { return o.Bucket })
	cfg.Stack = s
	w := start(t, cfg)
	if res, body := get(t, visitor(t), w.ViewerURL+"/a"); res.StatusCode != http.StatusOK || body != strings.Repeat("/a", 10) {
		t.Errorf("%s, %.80s", res.Status, body)
	}
}

// A bootstrap that streams to a buffered integration, or the reverse, is refused before anything starts.
func TestModeOfTheIntegrationIsTheBootstraps(t *testing.T) {
	for transfer, mode := range map[string]string{stack.TransferBuffered: "", stack.TransferStream: "buffered"} {
		cfg := clockConfig(t)
		s, err := stack.Default()
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range s.RestAPI.Resources {
			for i := range r.Methods {
				r.Methods[i].Integration.ResponseTransferMode = transfer
				r.Methods[i].Integration.Timeout = 29 * time.Second
			}
		}
		cfg.Stack = s
		cfg.App.Env = map[string]string{"SLUICE_RESPONSE_MODE": mode}
		w, err := rehearse.Start(t.Context(), cfg)
		if err == nil {
			w.Close(t.Context())
			t.Fatalf("%s with %q was taken", transfer, mode)
		}
		if text := err.Error() + hint.Text(err); !strings.Contains(text, "SLUICE_RESPONSE_MODE=") || !strings.Contains(text, transfer) {
			t.Errorf("%s with %q: %s", transfer, mode, text)
		}
	}
}

func TestRoutes(t *testing.T) {
	cfg := clockConfig(t)
	cfg.Site = demoConfig(t).Site
	cfg.Routes = []string{"/service/*", "/exact"}
	w := start(t, cfg)
	c := visitor(t)
	for path, prefix := range map[string]string{"/service/x": "/service/x", "/exact": "/exact", "/api/x": "<!", "/": "<!"} {
		if _, body := get(t, c, w.ViewerURL+path); !strings.HasPrefix(strings.ToLower(strings.TrimSpace(body)), prefix) {
			t.Errorf("GET %s: %.80s, want %s…", path, body, prefix)
		}
	}
	for _, route := range []string{"api/*", "/a*", "/a/*/b", "/?"} {
		cfg.Routes = []string{route}
		if w, err := rehearse.Start(t.Context(), cfg); err == nil {
			w.Close(t.Context())
			t.Errorf("route %q was taken", route)
		} else if !strings.Contains(err.Error(), route) {
			t.Errorf("route %q: %v", route, err)
		}
	}
}

// What the caller asks for reaches the function.
func TestSettingsReachTheFunction(t *testing.T) {
	cfg := clockConfig(t)
	cfg.MemorySize, cfg.Speed, cfg.App.Port = 512, 10, freePort(t)
	cfg.App.Env = map[string]string{"NAME": "value with = and spaces"}
	w := start(t, cfg)
	c := visitor(t)
	for name, want := range map[string]string{
		"AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "512",
		"PORT":                            strconv.Itoa(cfg.App.Port),
		"NAME":                            "value with = and spaces",
		"SLUICE_INIT_LIMIT":               "900ms",
		"SLUICE_ORIGIN_SECRET":            "", // the app does not get it
		"HOME":                            "", // nor anything of this machine's user
	} {
		if _, got := get(t, c, w.ViewerURL+"/env/"+name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
}

// A setting that the bootstrap would refuse at the first request is refused at once.
func TestBadSettingIsRefusedAtOnce(t *testing.T) {
	cfg := clockConfig(t)
	cfg.App.Env = map[string]string{"SLUICE_HEARTBEAT": "soon"}
	w, err := rehearse.Start(t.Context(), cfg)
	if err == nil {
		w.Close(t.Context())
		t.Fatal("the rehearsal started")
	}
	if !strings.Contains(err.Error(), `SLUICE_HEARTBEAT="soon"`) {
		t.Error(err)
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

// An app that takes longer than the init phase still answers its first request.
func TestStartLongerThanTheInitPhase(t *testing.T) {
	cfg := clockConfig(t)
	cfg.Speed = 20 // an init phase of 500 ms
	cfg.App.Env = map[string]string{"CLOCK_SLOW": "1500ms"}
	w := start(t, cfg)
	res, body := get(t, visitor(t), w.ViewerURL+"/slow")
	if res.StatusCode != http.StatusOK || !strings.HasPrefix(body, "/slow") {
		t.Errorf("%s: %.80s", res.Status, body)
	}
	if r := lastRequest(t, w, "/slow"); r.Total < 1500*time.Millisecond || r.Total > 5*time.Second {
		t.Errorf("it took %v", r.Total)
	}
}

// The distribution's secret goes before whatever a viewer sends by that name.
func TestOriginSecretIsTheDistributions(t *testing.T) {
	w := start(t, clockConfig(t))
	req, err := http.NewRequest(http.MethodGet, w.ViewerURL+"/env/NAME", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("X-Origin-Verify", "a guess of the viewer")
	res, err := visitor(t).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if res.StatusCode != http.StatusOK {
		t.Errorf("a viewer's own X-Origin-Verify was not replaced by the distribution's: %s", res.Status)
	}
}

// The app learns the site's host and port, whatever the API's own host is and whatever the stack was planned for: of it an app
// makes links, and Next.js refuses a form that was sent from another.
func TestForwardedHostIsTheSites(t *testing.T) {
	cfg := clockConfig(t)
	topology, err := stack.Default()
	if err != nil {
		t.Fatal(err)
	}
	topology.Function.Environment = map[string]string{"SLUICE_PUBLIC_HOST": "chat.example.com"}
	cfg.Stack = topology
	w := start(t, cfg)
	if _, host := get(t, visitor(t), w.ViewerURL+"/forwarded-host"); "http://"+host != w.ViewerURL {
		t.Errorf("the app of %s is told the host %q", w.ViewerURL, host)
	}
}

func TestPortTaken(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	for _, server := range []string{rehearse.Viewer, rehearse.TimelinePage} {
		cfg := demoConfig(t)
		if server == rehearse.Viewer {
			cfg.Listen = taken.Addr().String()
		} else {
			cfg.TimelineListen = taken.Addr().String()
		}
		_, err := rehearse.Start(t.Context(), cfg)
		var failed *rehearse.ListenError
		if !errors.As(err, &failed) || !strings.Contains(err.Error(), taken.Addr().String()) || failed.Server != server || !errors.Is(err, syscall.EADDRINUSE) {
			t.Errorf("%s: %v", server, err)
		}
	}
}

func TestTwoHundredConcurrentRequests(t *testing.T) {
	const requests, environments = 200, 20
	cfg := clockConfig(t)
	cfg.Concurrency = environments
	w := start(t, cfg)
	c := visitor(t)
	var mu sync.Mutex
	statuses := map[int]int{}
	var wg sync.WaitGroup
	for range requests {
		wg.Go(func() {
			res, err := c.Get(w.ViewerURL + "/api/x")
			if err != nil {
				t.Error(err)
				return
			}
			io.Copy(io.Discard, res.Body)
			res.Body.Close()
			mu.Lock()
			defer mu.Unlock()
			statuses[res.StatusCode]++
		})
	}
	wg.Wait()
	if statuses[http.StatusOK] < environments || statuses[http.StatusOK] == requests {
		t.Errorf("statuses %v: want %d environments to answer, and Lambda to throttle the rest", statuses, environments)
	}
	if n := len(w.Lambda.Environments()); n > environments {
		t.Errorf("%d environments, the limit is %d", n, environments)
	}
	// Another path: the edge holds an error for ten seconds.
	if res, _ := get(t, c, w.ViewerURL+"/api/afterwards"); res.StatusCode != http.StatusOK {
		t.Errorf("afterwards: %s", res.Status)
	}
	t.Logf("statuses %v", statuses)
}

// clockConfig is a rehearsal of the clock app.
func clockConfig(t testing.TB) rehearse.Config {
	t.Helper()
	executable, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return rehearse.Config{
		App:    rehearse.App{Name: "clock", Command: []string{executable, "clock-app"}, ReadyPath: "/health", State: "CLOCK_DIR"},
		Listen: "127.0.0.1:0",
	}
}

// Ten thousand requests one after the other leave no connection, goroutine,
// process or memory that grows with them. A request that comes before the
// environment of the one before it is free again starts another, as on Lambda.
func TestManySequentialRequests(t *testing.T) {
	requests := 10_000
	if testing.Short() {
		requests = 1000
	}
	cfg := demoConfig(t)
	cfg.Recorder = timeline.NewRecorder(1000)
	w := start(t, cfg)
	c := visitor(t)
	ask := func(n int) {
		for range n {
			if res, _ := get(t, c, w.ViewerURL+"/health"); res.StatusCode != http.StatusOK {
				t.Fatal(res.Status)
			}
		}
	}
	ask(requests / 10)
	before, environments, heap := census(t), len(w.Lambda.Environments()), heapInUse()
	ask(requests)
	after, grown := census(t), heapInUse()-heap
	more := len(w.Lambda.Environments()) - environments
	if more > 5 {
		t.Errorf("%d more environments for one request at a time", more)
	}
	each := before.processes / environments
	if after.goroutines > before.goroutines+5+15*more || after.sockets > before.sockets+5+5*more || after.processes != before.processes+each*more {
		t.Errorf("%d requests and %d more environments went from %+v to %+v", requests, more, before, after)
	}
	if perRequest := grown / float64(requests); perRequest > 200 {
		t.Errorf("each request leaves %.0f bytes", perRequest)
	}
}

func heapInUse() float64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return float64(m.HeapAlloc)
}
