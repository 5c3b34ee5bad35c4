package cost

import (
	"fmt"

	"github.com/aproorg/sluice/internal/stack"
)

// ColdStartSeconds is how long a start takes that is billed, as a large Node app's on 2 GB; RestoreSeconds is what an environment of SnapStart works
// before its first invocation.
const (
	ColdStartSeconds = 10.0
	RestoreSeconds   = 1.0
)

// Start is a way in which environments of the function begin, and what it costs.
type Start struct {
	Name string `json:"name"` // on-demand, snapstart or provisioned
	// AtRest is USD a month: for a snapshot, or for one environment that is kept ready.
	AtRest float64 `json:"at_rest_usd_per_month"`
	// Each is USD for an environment that begins.
	Each float64 `json:"usd_per_environment"`
	// Until is how many environments may begin in a month before a way that costs more at rest costs less in all; 0 for the last.
	Until float64 `json:"until_environments_per_month,omitempty"`
}

// starts compares them. On-demand costs nothing at rest, so it is the cheapest until its starts cost more than a snapshot and its restores, or
// than one environment that is kept ready, where one is enough; and a snapshot until its restores do.
func (e *Estimate) starts(f stack.Function) {
	if f.MemorySize == 0 {
		return
	}
	second := gigabytes(f) * duration(f)
	demand := Start{Name: "on-demand", Each: second * ColdStartSeconds}
	snap := Start{Name: "snapstart", AtRest: snapshotPrice(f), Each: gigabytes(f)*restore + second*RestoreSeconds}
	ready := Start{Name: "provisioned", AtRest: readyPrice(f)}
	demand.Until = ready.AtRest / demand.Each
	if demand.Each > snap.Each {
		demand.Until = min(demand.Until, snap.AtRest/(demand.Each-snap.Each))
	}
	snap.Until = (ready.AtRest - snap.AtRest) / snap.Each
	e.Starts = []Start{demand, snap, ready}
}

// String is the line of a person's estimate.
func (s Start) String() string {
	switch s.Name {
	case "on-demand":
		return fmt.Sprintf("start on-demand: nothing at rest, about %.5f USD for each environment, whose first visitor waits about %.0f s; the cheapest up to %s a month",
			s.Each, ColdStartSeconds, thousands(s.Until))
	case "snapstart":
		return fmt.Sprintf("start snapstart: %.2f USD a month for each version kept, about %.5f USD for each environment; cheaper than one provisioned up to %s a month",
			s.AtRest, s.Each, thousands(s.Until))
	}
	return fmt.Sprintf("start provisioned: %.2f USD a month for each environment kept ready; for one that is busy most of the day", s.AtRest)
}

// thousands rounds to two digits or so, for the prices are no more exact.
func thousands(n float64) string {
	if n < 10_000 {
		return fmt.Sprintf("%.0f", n)
	}
	return fmt.Sprintf("%.0f,000", n/1000)
}
