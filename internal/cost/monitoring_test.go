package cost

import (
	"math"
	"strings"
	"testing"

	"github.com/aproorg/sluice/internal/stack"
)

// TestProductionAtRest: what environments/prod adds to dev. The prices are those that Infracost finds in AWS's price list for the
// same resources: 0.10 an alarm, 3.00 a dashboard, 0.085 a GB of snapshots, the first of which is free.
func TestProductionAtRest(t *testing.T) {
	s := &stack.Stack{
		Cache:        stack.Cache{Address: "a.b", NodeType: "cache.t4g.small", NumCacheClusters: 2, SnapshotRetentionLimit: 7},
		Monitoring:   stack.Monitoring{Alarms: 9, MetricFilters: 1, Dashboards: 1},
		Distribution: stack.Distribution{WebACLID: "arn:aws:wafv2:us-east-1:123456789012:global/webacl/x/y"},
	}
	e := Of(s, App{Stores: []Line{{Item: "DocumentDB", Why: "one instance", USD: 55}}})
	// 2 × 0.032 × 730 = 46.72; 6 × 1.37 × 0.085 = 0.70; 9 × 0.10 + 0.30 = 1.20; 3.00.
	if math.Abs(e.Total-51.62) > 0.01 {
		t.Errorf("a month at rest is %.2f, want 51.62:\n%s", e.Total, e)
	}
	for _, part := range []string{
		"0.70 USD  6 snapshots besides the free one, of at most 1.4 GB",
		"1.20 USD  alarms: 9, metrics: 1 (an account has 10 of each free)",
		"3.00 USD  dashboards: 1 (an account has 3 free)",
		"not in it, for it exists already: WAF, a web ACL, 1 USD more for each rule and 0.60 for a million requests, about 5 USD a month",
		"not in it, for it exists already: DocumentDB",
	} {
		if !strings.Contains(e.String(), part) {
			t.Errorf("%q is not in\n%s", part, e)
		}
	}
}

func TestOneSnapshotIsFree(t *testing.T) {
	for _, days := range []int{0, 1} {
		e := Of(&stack.Stack{Cache: stack.Cache{Address: "a.b", NodeType: "cache.t4g.micro", NumCacheClusters: 1, SnapshotRetentionLimit: days}}, App{})
		if len(e.AtRest) != 1 {
			t.Errorf("snapshots of %d days cost %+v", days, e.AtRest)
		}
	}
}
