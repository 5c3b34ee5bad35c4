package terraform

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// variant is an environment, what it is applied with, and what is changed then.
type variant struct {
	environment string
	set         map[string]any
	changes     []variantChange
}

// variantChange are variables that change, or arguments of apply, and what happens before.
type variantChange struct {
	name   string
	set    map[string]any
	args   []string
	before func()
}

// TestApplyVariants applies, changes and destroys what TestApply does not: environments/dev with SnapStart, a key of one's own and
// no domain, which then gets every other option, by the rights of the deployer; and, as their account's owner,
// environments/account in two regions and environments/ci.
func TestApplyVariants(t *testing.T) {
	long(t)
	a := separate(t)
	a.guarded(t)
	dev, before := a.environment(t, nil), a.calls.count()
	t.Run("dev", func(t *testing.T) { a.apply(t, dev, a.devVariant(t)) })
	t.Run("calls wait for a version's snapshot", func(t *testing.T) { a.calls.awaited(t, before) })
	owner := *a
	owner.env = asOwner(a.env)
	for _, v := range ownerVariants {
		dir := filepath.Join(filepath.Dir(dev), v.environment)
		if out, err := owner.run(dir, "init"); err != nil {
			t.Fatalf("init: %v\n%s", err, out)
		}
		t.Run(v.environment+" "+fmt.Sprint(v.set["region"]), func(t *testing.T) { owner.apply(t, dir, v) })
	}
	a.judged(t)
}

func (a *account) devVariant(t *testing.T) variant {
	key := a.options["kms_key"]
	second := a.otherImage(t)
	config, network := maps.Clone(a.tfvars["config"].(map[string]any)), a.tfvars["network"].(map[string]any)
	config["kms_key"] = key
	named := maps.Clone(a.tfvars["domain"].(map[string]any)) // its certificate is found by the name
	delete(named, "certificate_arn")
	return variant{
		set: map[string]any{"domain": nil, "parameters_kms_key": key, "config": config, "function": map[string]any{"start": "snapstart"},
			"monitoring": map[string]any{}, "tags": map[string]any{"Team": "chat"}},
		changes: []variantChange{
			{name: "a new version with a snapshot, and the function's role anew", args: []string{"-replace=module.backend.aws_iam_role.this"},
				set: map[string]any{"image": second, "site": second, "function": map[string]any{"start": "snapstart", "memory_size": 3008}}},
			{name: "back to a version that nobody called for 14 days", set: map[string]any{"release": "1"}, before: func() { a.versions.forget("librechat-dev", "1") }},
			{name: "every other option", set: map[string]any{
				"release": nil,
				"domain":  named, "parameters_kms_key": a.options["kms_alias"], "tags": map[string]any{}, "log_role": false, "api_key_required": false,
				"function": map[string]any{"start": "provisioned", "reserved_concurrency": 3}, "redis": map[string]any{"nodes": 2, "snapshot_days": 1, "node_type": "cache.t4g.small"},
				"web_acl_id": webACL, "refused_paths": []string{"/metrics"}, "egress": map[string]any{"smtp": map[string]any{"port": 587}}, "services": nil,
				"network": map[string]any{"vpc_id": network["vpc_id"], "subnet_ids": network["subnet_ids"]},
			}},
			{name: "back", set: map[string]any{"domain": nil, "parameters_kms_key": key, "function": map[string]any{"start": "snapstart"}, "redis": map[string]any{},
				"web_acl_id": nil, "egress": map[string]any{}, "api_key_required": true, "log_role": nil}},
		},
	}
}

var ownerVariants = []variant{
	{environment: "account", set: map[string]any{"region": "us-east-1"}, changes: []variantChange{{name: "the role anew", args: []string{"-replace=module.account.aws_iam_role.log"}}}},
	{environment: "account", set: map[string]any{"region": "eu-north-1"}, changes: []variantChange{{name: "the role anew", args: []string{"-replace=module.account.aws_iam_role.log"}}}},
	{environment: "ci", set: map[string]any{"region": "eu-west-1"}, changes: []variantChange{
		{name: "another repository and zone", set: map[string]any{"repository": "octocat/other", "github_environment": "staging", "zone_id": "*", "vpc_id": "*"}},
		{name: "another environment", set: map[string]any{"name": "librechat-test", "state_key": "test/terraform.tfstate", "documentdb_security_group_id": nil}},
	}},
}

// apply applies the variant and each of its changes, with a second plan that is empty, and destroys it.
func (a *account) apply(t *testing.T, dir string, v variant) {
	given := map[string]any{}
	for _, c := range append([]variantChange{{name: "apply", set: v.set}}, v.changes...) {
		maps.Copy(given, c.set)
		a.give(t, dir, given)
		t.Run(c.name, func(t *testing.T) {
			if c.before != nil {
				c.before()
			}
			if out, err := a.run(dir, append([]string{"apply", "-auto-approve"}, c.args...)...); err != nil {
				t.Fatalf("apply: %v\n%s", err, complaint(out))
			}
			if out, err := a.run(dir, "plan", "-detailed-exitcode"); err != nil {
				t.Errorf("the second plan is not empty: %v\n%s", err, changes(out))
			}
		})
	}
	if out, err := a.run(dir, "destroy", "-auto-approve"); err != nil {
		t.Errorf("destroy: %v\n%s", err, complaint(out))
	}
	if state, _ := os.ReadFile(filepath.Join(dir, "terraform.tfstate")); strings.Contains(string(state), `"mode": "managed"`) {
		t.Errorf("state still holds resources:\n%s", state)
	}
}

// give puts variables into the environment's file, over those that it has.
func (a *account) give(t *testing.T, dir string, set map[string]any) {
	if filepath.Base(dir) == "dev" {
		a.variables(t, dir, func(vars map[string]any) { maps.Copy(vars, set) })
		return
	}
	file := filepath.Join(dir, "terraform.tfvars.json")
	data, err := os.ReadFile(file)
	vars := map[string]any{}
	if err == nil {
		err = json.Unmarshal(data, &vars)
	}
	if err == nil {
		maps.Copy(vars, set)
		data, _ = json.Marshal(vars)
		err = os.WriteFile(file, data, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}
