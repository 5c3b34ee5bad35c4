package report_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/aproorg/sluice/internal/probe/report"
)

func TestReportForPeopleAndMachines(t *testing.T) {
	r := report.Report{BaseURL: "http://x", App: "demo", Duration: 1500 * time.Millisecond, Results: []report.Result{
		{Name: "site", Status: report.Pass, Detail: "fine", Duration: 12 * time.Millisecond},
		{Name: "stream cadence", Status: report.Fail, Detail: "buffered", Hint: "stream", Duration: 1200 * time.Millisecond, Numbers: map[string]float64{"events": 3}},
	}}
	var table strings.Builder
	if err := r.WriteTable(&table); err != nil {
		t.Fatal(err)
	}
	want := "pass  site              12 ms  fine\n" +
		"fail  stream cadence    1.2 s  buffered\n" +
		"                               hint: stream\n" +
		"\nhttp://x (demo): 1 passed, 1 failed, 0 skipped, in 1.5 s\n"
	if diff := cmp.Diff(want, table.String()); diff != "" {
		t.Errorf("table (-want +got):\n%s", diff)
	}
	data, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	var back struct {
		OK         bool
		DurationMs float64
		Counts     map[string]int
		Results    []struct {
			Name, Status string
			DurationMs   float64
			Numbers      map[string]float64
		}
	}
	if err := json.Unmarshal(data, &back); err != nil {
		t.Fatal(err)
	}
	if back.OK || back.DurationMs != 1500 || back.Counts["fail"] != 1 || back.Results[1].DurationMs != 1200 || back.Results[1].Numbers["events"] != 3 {
		t.Errorf("%s", data)
	}
}
