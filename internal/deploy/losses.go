package deploy

import (
	"fmt"
	"strings"

	"github.com/aproorg/sluice/internal/infra"
	tfjson "github.com/hashicorp/terraform-json"
)

// Loss is data that goes with a resource and does not come back.
type Loss struct {
	Address string `json:"address"`
	Name    string `json:"name,omitempty"`
	What    string `json:"what"`
}

func (l Loss) String() string {
	if l.Name == "" {
		return fmt.Sprintf("%s (%s)", l.What, l.Address)
	}
	return fmt.Sprintf("%s %s (%s)", l.What, l.Name, l.Address)
}

// holders are the types of resources that hold data.
var holders = map[string]string{
	"aws_s3_bucket":                     "every object in bucket",
	"aws_ecr_repository":                "every image in repository",
	"aws_elasticache_replication_group": "sessions and running streams in",
	"aws_cloudwatch_log_group":          "the logs in",
	"aws_ssm_parameter":                 "the parameter",
}

// losses lists what the plan's deletions and replacements lose. The state, where
// given, knows the names that the plan's own record of a change leaves out.
func losses(plan *infra.Plan, state *tfjson.State) []Loss {
	names := namesIn(state)
	var all []Loss
	for _, c := range plan.Changes {
		what := holders[c.Type]
		if what == "" || (c.Action != infra.Delete && c.Action != infra.Replace) {
			continue
		}
		name := c.Before
		if name == "" {
			name = names[c.Address]
		}
		all = append(all, Loss{c.Address, name, what})
	}
	return all
}

func namesIn(state *tfjson.State) map[string]string {
	names := map[string]string{}
	if state == nil || state.Values == nil {
		return names
	}
	var walk func(m *tfjson.StateModule)
	walk = func(m *tfjson.StateModule) {
		if m == nil {
			return
		}
		for _, r := range m.Resources {
			if id, ok := r.AttributeValues["id"].(string); ok {
				names[r.Address] = id
			}
		}
		for _, child := range m.ChildModules {
			walk(child)
		}
	}
	walk(state.Values.RootModule)
	return names
}

// slow are the types that take minutes, and what they wait for.
var slow = []struct{ kind, creating, deleting string }{
	{"aws_cloudfront_distribution", "CloudFront brings the distribution to every edge: 3 to 10 minutes", "CloudFront takes the distribution from every edge: 5 to 15 minutes"},
	{"aws_elasticache_replication_group", "ElastiCache starts its node: 5 to 12 minutes", "ElastiCache stops its node: 3 to 8 minutes"},
	{"aws_lambda_function", "Lambda fetches and optimises the image: 1 to 2 minutes", "Lambda gives its network interfaces back: up to 20 minutes in a VPC"},
	{"aws_security_group", "", "the function's network interfaces must go first: up to 20 minutes"},
	{"aws_lambda_provisioned_concurrency_config", "Lambda starts the environments: 1 to 5 minutes", ""},
	{"sluice_image", "layers are copied to the registry", ""},
}

// waitsFor says why the resource at address takes long.
func waitsFor(address, action string) string {
	for _, s := range slow {
		if !strings.HasPrefix(address, s.kind+".") && !strings.Contains(address, "."+s.kind+".") {
			continue
		}
		if action == "delete" {
			return s.deleting
		}
		return s.creating
	}
	return ""
}
