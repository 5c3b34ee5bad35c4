// Package cost prices a stack before money is spent: what a month costs while
// nobody chats, and what one answer adds. It knows list prices of one region and
// says so, beside the stores that the app needs and the stack refers to without owning.
// It leaves out taxes, discounts, free tiers and what is paid by use beside the function (docs/production.md lists it),
// the VPC and the LLM.
package cost

import (
	"fmt"
	"slices"
	"strings"

	"github.com/aproorg/sluice/internal/stack"
)

// Region whose list prices are used; others differ by up to about 20 %.
const Region = "us-east-1"

// Line is one thing that is paid for.
type Line struct {
	Item string  `json:"item"`
	Why  string  `json:"why"`
	USD  float64 `json:"usd_per_month"`
}

// Estimate is a month at rest, and a price of use.
type Estimate struct {
	Region    string   `json:"region"`
	AtRest    []Line   `json:"at_rest"`
	Total     float64  `json:"at_rest_usd_per_month"`
	PerAnswer float64  `json:"usd_per_answer"`      // one streamed answer of AnswerSeconds
	Starts    []Start  `json:"starts,omitempty"`    // the ways in which the function can start
	Elsewhere []Line   `json:"elsewhere,omitempty"` // what the app needs and the stack does not own
	Unknown   []string `json:"unknown,omitempty"`   // parts whose price is not in the table
}

const (
	hours = 730.0          // in a month
	month = hours * 3600.0 // seconds

	// https://aws.amazon.com/lambda/pricing/ per GB-second: duration and provisioned concurrency.
	durationX86, durationArm       = 0.0000166667, 0.0000133334
	provisionedX86, provisionedArm = 0.0000041667, 0.0000033334
	request                        = 0.20 / 1e6
	// SnapStart outside of Java: per GB-second while a version exists, and per GB of each restore.
	snapshot, restore = 0.0000015046, 0.0001397998
	// https://aws.amazon.com/ecr/pricing/ per GB-month.
	registry = 0.10
	// https://aws.amazon.com/elasticache/pricing/ per GB-month of snapshots.
	backup = 0.085
	// AnswerSeconds is how long one streamed answer keeps its environment.
	AnswerSeconds = 20.0
)

// node is what a node costs on demand per hour, and how many GB of data it holds, as many as a snapshot of it has at most.
type node struct{ hour, gb float64 }

// nodes are by their types. https://aws.amazon.com/elasticache/pricing/
var nodes = map[string]node{
	"cache.t4g.micro": {0.016, 0.5}, "cache.t4g.small": {0.032, 1.37}, "cache.t4g.medium": {0.065, 3.09},
	"cache.t3.micro": {0.017, 0.5}, "cache.t3.small": {0.034, 1.37}, "cache.t3.medium": {0.068, 3.09},
	"cache.m7g.large": {0.158, 6.38}, "cache.r7g.large": {0.219, 13.07},
}

// App is what the price depends on beside the stack.
type App struct {
	ImageGB float64 // of its image in the registry, compressed
	Stores  []Line  // that it needs and the stack refers to
}

// Of prices a stack with the app that runs on it.
func Of(s *stack.Stack, app App) Estimate {
	e := Estimate{Region: Region}
	e.cache(s.Cache)
	e.provisioned(s.Function)
	e.snapshots(s.Function)
	e.starts(s.Function)
	if app.ImageGB > 0 {
		e.add("ECR", fmt.Sprintf("one image of about %.1f GB", app.ImageGB), app.ImageGB*registry)
	}
	e.monitoring(s.Monitoring)
	e.Elsewhere = append(app.Stores[:len(app.Stores):len(app.Stores)], firewall(s.Distribution)...)
	for _, l := range e.AtRest {
		e.Total += l.USD
	}
	e.PerAnswer = request + gigabytes(s.Function)*AnswerSeconds*duration(s.Function)
	return e
}

func (e *Estimate) add(item, why string, usd float64) {
	e.AtRest = append(e.AtRest, Line{item, why, usd})
}

func (e *Estimate) cache(c stack.Cache) {
	if c.Address == "" {
		return
	}
	n, ok := nodes[c.NodeType]
	if !ok {
		e.Unknown = append(e.Unknown, fmt.Sprintf("%s (%s)", c.NodeType, c.Address))
		return
	}
	e.add("ElastiCache", fmt.Sprintf("%d × %s, always on", c.NumCacheClusters, c.NodeType), float64(c.NumCacheClusters)*n.hour*hours)
	if more := c.SnapshotRetentionLimit - 1; more > 0 { // one of an active group is free
		e.add("ElastiCache", fmt.Sprintf("%d snapshots besides the free one, of at most %.1f GB", more, n.gb), float64(more)*n.gb*backup)
	}
}

func (e *Estimate) provisioned(f stack.Function) {
	if f.ProvisionedConcurrency == 0 {
		return
	}
	e.add("Lambda", fmt.Sprintf("provisioned concurrency of %d", f.ProvisionedConcurrency), float64(f.ProvisionedConcurrency)*readyPrice(f))
}

// snapshots prices one version; each that is kept beside it costs the same.
func (e *Estimate) snapshots(f stack.Function) {
	if f.SnapStart == stack.SnapStartVersions {
		e.add("Lambda", "a snapshot of one version; each that is kept costs as much", snapshotPrice(f))
	}
}

// readyPrice is that of one environment that is kept ready, and snapshotPrice that of one snapshot, for a month.
func readyPrice(f stack.Function) float64 {
	if f.Architecture == "arm64" {
		return gigabytes(f) * month * provisionedArm
	}
	return gigabytes(f) * month * provisionedX86
}

func snapshotPrice(f stack.Function) float64 { return gigabytes(f) * month * snapshot }

func gigabytes(f stack.Function) float64 { return float64(f.MemorySize) / 1024 }

func duration(f stack.Function) float64 {
	if f.Architecture == "arm64" {
		return durationArm
	}
	return durationX86
}

// String is the estimate as a person reads it.
func (e Estimate) String() string {
	var b strings.Builder
	for _, l := range slices.SortedFunc(slices.Values(e.AtRest), func(a, b Line) int { return int(b.USD*100 - a.USD*100) }) {
		fmt.Fprintf(&b, "  %-12s %7.2f USD  %s\n", l.Item, l.USD, l.Why)
	}
	fmt.Fprintf(&b, "  %-12s %7.2f USD a month at rest (%s list prices), about %.4f USD per answer of %.0f s",
		"total", e.Total, e.Region, e.PerAnswer, AnswerSeconds)
	for _, s := range e.Starts {
		b.WriteString("\n  " + s.String())
	}
	for _, l := range e.Elsewhere {
		fmt.Fprintf(&b, "\n  not in it, for it exists already: %s, %s, about %.0f USD a month", l.Item, l.Why, l.USD)
	}
	for _, u := range e.Unknown {
		fmt.Fprintf(&b, "\n  not priced: %s", u)
	}
	return b.String()
}
