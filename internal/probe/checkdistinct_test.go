package probe_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aproorg/sluice/internal/probe/description"
	"github.com/aproorg/sluice/internal/probe/report"
)

// environments answers as a rehearsal of so many environments would, in turn.
func environments(n int64, start string, answer func(environment, request int64) string) http.Handler {
	var calls atomic.Int64
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		i := calls.Add(1) - 1
		if n > 0 {
			w.Header().Set("X-Sluice-Environment", fmt.Sprintf("env-%d; %s", i%n, start))
		}
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprint(w, answer(i%max(n, 1), i/max(n, 1)))
	})
}

func TestDistinct(t *testing.T) {
	id := func(a, b int64) string {
		return fmt.Sprintf(`{"id":"5f0c21aa90ab%08x%04x","build":"2f1d8c7e90ab4c55","at":"2026-11-27","n":%d}`, a, b, b)
	}
	for name, c := range map[string]struct {
		environments int64
		start        string
		text         string
		asked        int
		answer       func(environment, request int64) string
		status       report.Status
		detail       string
	}{
		"ids of their own":            {4, "clone", "/ids", 0, id, report.Pass, "12 answers of 4 environments have no id in common; never changed, as a build's: build"},
		"a place of ids of their own": {4, "clone", "/ids#id", 0, id, report.Pass, "6 answers of 4 environments have no id in common"},
		"cloned ids":                  {4, "clone", "/ids", 0, func(_, request int64) string { return id(0, request) }, report.Fail, `/ids: id is "5f0c21aa…" in the answers of env-`},
		"a build's id by its place":   {4, "clone", "/ids#build", 0, id, report.Fail, `build is "2f1d8c7e…" in the answers of`},
		"an environment's own id":     {4, "clone", "/ids", 0, func(environment, _ int64) string { return id(environment, 0) }, report.Pass, "no id in common"},
		"held":                        {4, "held", "/ids", 0, id, report.Pass, "cannot show what clones have in common"},
		"on demand":                   {4, "on-demand", "/ids", 0, id, report.Skip, "nothing was asked for"},
		"on demand, asked":            {4, "on-demand", "/ids", 3, id, report.Pass, "6 answers of"},
		"one environment":             {1, "clone", "/ids", 0, id, report.Skip, "env-0 answered all 12 requests"},
		"AWS":                         {0, "", "/ids", 0, id, report.Skip, "nothing was asked for"},
		"AWS, asked":                  {0, "", "/ids", 3, id, report.Skip, "name the places"},
		"AWS, by place":               {0, "", "/ids#id", 3, id, report.Pass, "3 answers have no id in common"},
		"AWS, cloned":                 {0, "", "/ids#build", 3, id, report.Fail, `in the answers of answer 1, answer 2, answer 3`},
		"no such field":               {4, "clone", "/ids#ID", 0, id, report.Fail, `has no field "ID"`},
	} {
		t.Run(name, func(t *testing.T) {
			d, err := description.ParseDistinct(c.text)
			if err != nil {
				t.Fatal(err)
			}
			o := short()
			o.Environments, o.Timeout = c.asked, 10*time.Second
			all := description.Description{App: "x", Distinct: []description.Distinct{d}}
			x := result(t, verify(t, serve(t, environments(c.environments, c.start, c.answer)), all, o), "ids of /ids")
			if x.Status != c.status || !strings.Contains(x.Detail, c.detail) {
				t.Errorf("%+v, want %s, %q", x, c.status, c.detail)
			}
		})
	}
}
