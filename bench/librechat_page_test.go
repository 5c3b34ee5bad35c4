package bench

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aproorg/sluice/internal/app/librechat/facts"
	"github.com/aproorg/sluice/internal/app/librechat/rehearsal"
	"github.com/aproorg/sluice/internal/emulate/lambda"
	"github.com/aproorg/sluice/internal/rehearse"
	"github.com/aproorg/sluice/internal/testkit"
	"github.com/aproorg/sluice/internal/timeline"
)

// pageCalls are what LibreChat's page asks for after a login, as Chromium was seen to
// (TestBuiltLoginStartsEnvironments), of both releases; all at once, which is the
// worst that a page can do to an idle function.
var pageCalls = []string{
	"/api/config", "/api/banner", "/api/user", "/api/endpoints", "/api/models", "/api/convos", "/api/files", "/api/files/config",
	"/api/search/enable", "/api/roles/user", "/api/agents?requiredPermission=1", "/api/agents/tools/execute_code/auth",
	"/api/agents/tools/web_search/auth", "/api/permissions/mcpServer/effective/all", "/api/keys?name=Rehearsal", "/api/presets",
	"/api/prompts/groups?limit=10", "/api/prompts/all", "/api/tags", "/health",
}

// BenchmarkLibreChatPage is what a page asks for after a login, answered by 20 cold
// environments behind the whole path, by the same ones once they are warm, and by one warm
// `node server/index.js` that the page talks to itself.
func BenchmarkLibreChatPage(b *testing.B) {
	releases(b, func(b *testing.B, r facts.Release) {
		w, c := rehearseChat(b, r, rehearse.StartOnDemand)
		server, err := c.Alone(b.Context(), rehearsal.AloneConfig{})
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(server.Close)
		token := logIn(b, server.URL)
		page(b, server.URL, token) // it is warm now
		var cold, warm, plain []time.Duration
		var environments, resident, own []int64
		var budget rehearsal.Budget
		for b.Loop() {
			plain = append(plain, page(b, server.URL, token))
			noneLeft(b, w)
			before := c.Budget(0)
			cold = append(cold, page(b, w.ViewerURL, token))
			explain(b, w)
			settled(b, w)
			warm = append(warm, page(b, w.ViewerURL, token))
			n := len(w.Lambda.Environments())
			environments = append(environments, int64(n))
			budget = c.Budget(n)
			budget.Mongo, budget.Redis = budget.Mongo-before.Mongo, budget.Redis-before.Redis
			for _, m := range memories(w) {
				resident, own = append(resident, m.App+m.Bootstrap), append(own, m.Own)
			}
		}
		b.ReportMetric(median(cold).Seconds(), "cold_s")
		b.ReportMetric(median(warm).Seconds(), "warm_s")
		b.ReportMetric(median(plain).Seconds(), "one_server_s")
		b.ReportMetric(ratio(median(cold), median(plain)), "cold/one_server")
		b.ReportMetric(ratio(median(warm), median(plain)), "warm/one_server")
		b.ReportMetric(float64(median(environments)), "environments")
		b.ReportMetric(float64(median(resident))/(1<<20), "RSS_MB/environment")
		b.ReportMetric(float64(median(own))/(1<<20), "private_MB/environment")
		b.ReportMetric(float64(budget.Mongo)/float64(budget.Environments), "Mongo/environment")
		b.ReportMetric(float64(budget.Redis)/float64(budget.Environments), "Redis/environment")
		b.ReportMetric(0, "ns/op")
	})
}

// explain tells of a page that failed what the environments said.
func explain(b *testing.B, w *rehearse.World) {
	if !b.Failed() {
		return
	}
	events, _ := w.Recorder.Since(0)
	for _, e := range events {
		if e.Kind == timeline.Limit || e.Kind == timeline.Log && strings.Contains(e.Note, "rror") {
			b.Logf("%s %s %s: %.400s", e.Time.Format("15:04:05.000"), e.Environment, e.Kind, e.Note)
		}
	}
	b.FailNow()
}

// settled waits until no environment is at work, so that each call finds one.
func settled(b *testing.B, w *rehearse.World) {
	b.Helper()
	atWork := func(e lambda.EnvironmentInfo) bool { return e.State != timeline.Frozen }
	testkit.Wait(b, time.Minute, "all environments to come to rest", func() (string, bool) {
		all := w.Lambda.Environments()
		return fmt.Sprintf("%+v", all), !slices.ContainsFunc(all, atWork)
	})
}

// memories looks at each environment's bootstrap and app.
func memories(w *rehearse.World) []memory {
	var all []memory
	for _, e := range w.Lambda.Environments() {
		if pid := bootstrapOf(e.PID); pid != 0 {
			all = append(all, memoryOf(pid))
		}
	}
	return all
}

// bootstrapOf finds it below the process that an emulated environment began with,
// which may be a wrapper of the sandbox.
func bootstrapOf(pid int) int {
	for range 5 {
		below := children(pid)
		if len(below) == 0 || command(below[0]) == "node" {
			return pid
		}
		pid = below[0]
	}
	return 0
}

func page(b *testing.B, base, token string) time.Duration {
	b.Helper()
	begun := time.Now()
	var all sync.WaitGroup
	for _, path := range pageCalls {
		all.Go(func() { call(b, base, token, path) })
	}
	all.Wait()
	return time.Since(begun)
}

// patient is a browser's limit of six connections to a server less.
var patient = &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}, Timeout: 3 * time.Minute}

func call(b *testing.B, base, token, path string) {
	b.Helper()
	request, err := http.NewRequestWithContext(b.Context(), http.MethodGet, base+path, nil)
	if err != nil {
		b.Error(err)
		return
	}
	request.Header.Set("User-Agent", browserAgent)
	request.Header.Set("Authorization", "Bearer "+token)
	response, err := patient.Do(request)
	if err != nil {
		b.Error(err)
		return
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	known := []int{http.StatusOK, http.StatusNotFound} // a route that this release has not
	if err != nil || !slices.Contains(known, response.StatusCode) {
		b.Errorf("%s: status %d, %v: %.200s", path, response.StatusCode, err, body)
	}
}

// browserAgent is a browser's: LibreChat refuses others.
const browserAgent = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Safari/537.36"

// logIn returns a token of the rehearsal's user.
func logIn(b *testing.B, base string) string {
	b.Helper()
	body, _ := json.Marshal(map[string]string{"email": facts.UserEmail, "password": facts.UserPassword})
	request, err := http.NewRequestWithContext(b.Context(), http.MethodPost, base+"/api/auth/login", bytes.NewReader(body))
	if err != nil {
		b.Fatal(err)
	}
	request.Header.Set("User-Agent", browserAgent)
	request.Header.Set("Content-Type", "application/json")
	response, err := patient.Do(request)
	if err != nil {
		b.Fatal(err)
	}
	defer response.Body.Close()
	var got struct{ Token string }
	if err := json.NewDecoder(response.Body).Decode(&got); err != nil || !strings.Contains(got.Token, ".") {
		b.Fatalf("log in: %s, %v", response.Status, err)
	}
	return got.Token
}
