package cost

import (
	"fmt"

	"github.com/aproorg/sluice/internal/stack"
)

const (
	// https://aws.amazon.com/cloudwatch/pricing/ a month, for one alarm of standard resolution, one metric that is not AWS's own, one dashboard.
	alarm, metric, dashboard = 0.10, 0.30, 3.00
	// https://aws.amazon.com/waf/pricing/ a month, for one web ACL and each of its rules, and for a million requests.
	webACL, webRule, webMillion = 5.00, 1.00, 0.60
)

func (e *Estimate) monitoring(m stack.Monitoring) {
	if m.Alarms+m.MetricFilters > 0 {
		e.add("CloudWatch", fmt.Sprintf("alarms: %d, metrics: %d (an account has 10 of each free)", m.Alarms, m.MetricFilters),
			float64(m.Alarms)*alarm+float64(m.MetricFilters)*metric)
	}
	if m.Dashboards > 0 {
		e.add("CloudWatch", fmt.Sprintf("dashboards: %d (an account has 3 free)", m.Dashboards), float64(m.Dashboards)*dashboard)
	}
}

// firewall is the web ACL that the distribution refers to: its rules are not in the plan.
func firewall(d stack.Distribution) []Line {
	if d.WebACLID == "" {
		return nil
	}
	return []Line{{"WAF", fmt.Sprintf("a web ACL, %.0f USD more for each rule and %.2f for a million requests", webRule, webMillion), webACL}}
}
