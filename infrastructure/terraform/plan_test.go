package terraform

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	tfjson "github.com/hashicorp/terraform-json"

	"github.com/aproorg/sluice/internal/app/librechat/facts"
	"github.com/aproorg/sluice/internal/stack"
)

// TestPlan plans environments/dev with the real provider and holds what the plan
// must and must not have.
func TestPlan(t *testing.T) {
	a := emulated(t)
	dev := a.environment(t, func(vars map[string]any) { vars["monitoring"] = map[string]any{} })
	plan, raw := a.planned(t, dev)
	resources := flatten(plan.PlannedValues.RootModule)

	t.Run("streams", func(t *testing.T) { streams(t, resources) })
	t.Run("strangers start nothing", func(t *testing.T) { keyed(t, resources, true) })
	t.Run("errors of the API stay", func(t *testing.T) { errorsStay(t, only(t, resources, "aws_cloudfront_distribution")) })
	t.Run("distribution", func(t *testing.T) { distribution(t, only(t, resources, "aws_cloudfront_distribution")) })
	t.Run("no public bucket", func(t *testing.T) { private(t, resources) })
	t.Run("no wildcard permission", func(t *testing.T) { leastPrivilege(t, resources) })
	t.Run("no secret value", func(t *testing.T) { secretless(t, resources, raw) })
	t.Run("nothing open inward", func(t *testing.T) { closed(t, resources) })
	t.Run("Redis is encrypted", func(t *testing.T) { encrypted(t, only(t, resources, "aws_elasticache_replication_group")) })
	t.Run("tags", func(t *testing.T) { tagged(t, resources) })
	t.Run("known before apply", func(t *testing.T) { known(t, resources) })
	t.Run("what the function reaches", func(t *testing.T) {
		reaches(t, resources, "service-8000 8000 10.0.0.0/16", "service-8000-2 8000 10.2.0.0/16", "documentdb 27017 -")
	})
	t.Run("names of one region", func(t *testing.T) { regional(t, resources) })
	t.Run("HSTS", func(t *testing.T) {
		for _, hsts := range blocksOf(only(t, resources, "aws_cloudfront_response_headers_policy"), "security_headers_config", "strict_transport_security") {
			if hsts["include_subdomains"] == true || hsts["access_control_max_age_sec"] != 31536000.0 {
				t.Errorf("HSTS is %v: on an apex domain it would be every other host's too", hsts)
			}
		}
	})
	t.Run("an image of either design", func(t *testing.T) { eitherDesign(t, environmentOf(t, resources)) })
}

// TestPlanOptions plans environments/dev without what may be left out, and with
// the function kept ready: what each optional module makes comes and goes whole.
func TestPlanOptions(t *testing.T) {
	a := emulated(t)
	plan, raw := a.planned(t, a.environment(t, func(vars map[string]any) {
		for _, name := range []string{"domain", "documentdb", "services", "monitoring"} {
			vars[name] = nil
		}
		vars["log_role"] = false
		vars["parameters_kms_key"] = a.options["kms_key"]
		vars["config"].(map[string]any)["kms_key"] = a.options["kms_key"]
		vars["egress"] = map[string]any{"smtp": map[string]any{"port": 587}, "atlas": map[string]any{"port": 27017, "cidr": "192.0.2.0/24"}}
		vars["throttling"] = map[string]any{"rate_limit": 50, "burst_limit": 100}
		vars["web_acl_id"], vars["api_key_required"] = webACL, false
		vars["function"] = map[string]any{"start": "provisioned", "provisioned_concurrency": 3}
	}))
	resources := flatten(plan.PlannedValues.RootModule)
	for _, r := range resources {
		for _, name := range []string{"module.domain", "module.monitoring", "documentdb", "service-"} {
			if strings.Contains(r.Address, name) {
				t.Errorf("it plans %s", r.Address)
			}
		}
	}
	if log := list(only(t, resources, "aws_api_gateway_stage"), "access_log_settings"); len(log) > 0 {
		t.Errorf("log_role is false, and the stage writes %v", log)
	}
	for _, r := range ofType(resources, "aws_api_gateway_integration") {
		if uri, _ := r.AttributeValues["uri"].(string); r.AttributeValues["type"] == "AWS_PROXY" && !strings.Contains(uri, ":function:librechat-dev:live/") {
			t.Errorf("%s calls %s, not the alias", r.Address, uri)
		}
	}
	t.Run("without an API key", func(t *testing.T) { keyed(t, resources, false) })
	t.Run("a key of one's own", func(t *testing.T) { ownKey(t, resources, a.options["kms_key"]) })
	t.Run("what the function reaches", func(t *testing.T) {
		reaches(t, resources, "smtp 587 0.0.0.0/0", "atlas 27017 192.0.2.0/24", "https 443 0.0.0.0/0", "redis 6379 -")
	})
	if acl := only(t, resources, "aws_cloudfront_distribution")["web_acl_id"]; acl != webACL {
		t.Errorf("the distribution has the web ACL %v", acl)
	}
	s, err := stack.Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	if s.RestAPI.Throttling.RateLimit != 50 || s.RestAPI.Throttling.BurstLimit != 100 {
		t.Errorf("the plan reads as one of a stage that takes %+v", s.RestAPI.Throttling)
	}
	if s.Function.ProvisionedConcurrency != 3 {
		t.Errorf("the plan reads as one with %d environments kept ready", s.Function.ProvisionedConcurrency)
	}
}

// TestPlanSnapStart plans environments/dev with SnapStart: each published version has a snapshot, the API calls the alias, and nothing is kept
// ready. The plan is one that a rehearsal reads.
func TestPlanSnapStart(t *testing.T) {
	a := emulated(t)
	plan, raw := a.planned(t, a.environment(t, func(vars map[string]any) {
		vars["function"] = map[string]any{"start": "snapstart"}
	}))
	resources := flatten(plan.PlannedValues.RootModule)
	function := only(t, resources, "aws_lambda_function")
	if got := blocksOf(function, "snap_start"); len(got) != 1 || got[0]["apply_on"] != stack.SnapStartVersions || function["publish"] != true {
		t.Errorf("the function has snap_start %v and publish %v", got, function["publish"])
	}
	for _, r := range ofType(resources, "aws_api_gateway_integration") {
		if uri, _ := r.AttributeValues["uri"].(string); r.AttributeValues["type"] == "AWS_PROXY" && !strings.Contains(uri, ":function:librechat-dev:live/") {
			t.Errorf("%s calls %s, not the alias", r.Address, uri)
		}
	}
	if kept := ofType(resources, "aws_lambda_provisioned_concurrency_config"); len(kept) > 0 {
		t.Errorf("it plans %v", kept)
	}
	s, err := stack.Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	if s.Function.SnapStart != stack.SnapStartVersions || s.Function.EphemeralStorage != 512 {
		t.Errorf("the plan reads as one of %+v", s.Function)
	}
}

const webACL = "arn:aws:wafv2:us-east-1:123456789012:global/webacl/chat/11111111-2222-3333-4444-555555555555"

// ownKey holds that a customer's key encrypts what the environment makes, and that the
// role may decrypt by it, and by the account's own, through SSM alone and S3 alone.
func ownKey(t *testing.T, resources []*tfjson.StateResource, key string) {
	for _, p := range ofType(resources, "aws_ssm_parameter") {
		if p.AttributeValues["key_id"] != key {
			t.Errorf("%s is encrypted by %v", p.Address, p.AttributeValues["key_id"])
		}
	}
	keys := map[string][]string{} // by the service that asks
	for _, s := range statements(t, resources) {
		if slices.Contains(each(s.Action), "kms:Decrypt") {
			via, _, _ := strings.Cut(fmt.Sprint(s.Condition["StringEquals"]["kms:ViaService"]), ".")
			keys[via] = append(keys[via], each(s.Resource)...)
			if len(s.Condition["StringEquals"]) != 2 {
				t.Errorf("%s decrypts more than it is for: %v", s.Sid, s.Condition)
			}
		}
	}
	if len(keys["ssm"]) != 2 || !slices.Contains(keys["ssm"], key) || !slices.Equal(keys["s3"], []string{key}) {
		t.Errorf("the role may decrypt by %v", keys)
	}
}

// keyed holds that what leads to the function needs a key, that the distribution sends
// one, and that a usage plan makes it one of this stage; or none of it.
func keyed(t *testing.T, resources []*tfjson.StateResource, want bool) {
	for _, m := range ofType(resources, "aws_api_gateway_method") {
		if got := m.AttributeValues["api_key_required"] == true; got != (want && m.AttributeValues["http_method"] == "ANY") {
			t.Errorf("%s needs a key: %v", m.Address, got)
		}
	}
	sent := 0
	for _, h := range blocksOf(only(t, resources, "aws_cloudfront_distribution"), "origin", "custom_header") {
		if h["name"] == "x-api-key" {
			sent++
		}
	}
	if keys := len(ofType(resources, "aws_api_gateway_usage_plan_key")); keys != sent || sent == 1 != want {
		t.Errorf("%d keys, and the distribution sends %d", keys, sent)
	}
}

// reaches holds that the function's security group has these rules: name, port, addresses.
func reaches(t *testing.T, resources []*tfjson.StateResource, want ...string) {
	t.Helper()
	got := map[string]bool{}
	for _, r := range ofType(resources, "aws_vpc_security_group_egress_rule") {
		to := r.AttributeValues["cidr_ipv4"]
		if to == nil {
			to = "-"
		}
		got[fmt.Sprint(r.Index, " ", r.AttributeValues["to_port"], " ", to)] = true
	}
	for _, rule := range want {
		if !got[rule] {
			t.Errorf("no rule %q among %v", rule, slices.Sorted(maps.Keys(got)))
		}
	}
}

// eitherDesign: with the image's own part, the planned function has what the
// release in the image needs.
func eitherDesign(t *testing.T, planned map[string]any) {
	function := map[string]string{}
	for name, value := range planned {
		function[name] = fmt.Sprint(value)
	}
	for _, design := range []facts.Design{facts.StreamsInPost, facts.GeneratesAfterPost} {
		got := inImage(t, design, function)
		for name, want := range needed(t, design) {
			if got[name] != want {
				t.Errorf("a release that %v gets %s=%q, not %q", design, name, got[name], want)
			}
		}
	}
}

// errorsStay holds that no error is replaced, and that none of one user is kept at
// the edge for the others.
func errorsStay(t *testing.T, distribution map[string]any) {
	kept := map[string]bool{"404": true, "414": true, "500": true, "501": true, "502": true, "503": true, "504": true}
	for _, e := range list(distribution, "custom_error_response") {
		e := e.(map[string]any)
		if page, _ := e["response_page_path"].(string); page != "" {
			t.Errorf("the distribution rewrites errors, of the API too: %v", e)
		}
		if fmt.Sprint(e["error_caching_min_ttl"]) == "0" {
			delete(kept, fmt.Sprint(e["error_code"]))
		}
	}
	if len(kept) > 0 {
		t.Errorf("CloudFront gives these errors of one user to all others for 10 s: %v", kept)
	}
}

func streams(t *testing.T, resources []*tfjson.StateResource) {
	proxies := 0
	for _, r := range ofType(resources, "aws_api_gateway_integration") {
		if r.AttributeValues["type"] != "AWS_PROXY" {
			continue
		}
		proxies++
		uri, _ := r.AttributeValues["uri"].(string)
		if strings.Contains(uri, ":live/") {
			t.Errorf("%s calls the alias, whose streaming on AWS is not proven", r.Address)
		}
		if r.AttributeValues["response_transfer_mode"] != "STREAM" || fmt.Sprint(r.AttributeValues["timeout_milliseconds"]) != "900000" || !strings.HasSuffix(uri, "/response-streaming-invocations") {
			t.Errorf("%s does not stream for 900 s: %v %v %s", r.Address, r.AttributeValues["response_transfer_mode"], r.AttributeValues["timeout_milliseconds"], uri)
		}
	}
	if proxies != 5 {
		t.Errorf("%d integrations with the function, not one for each of 5 paths", proxies)
	}
	qualifiers := map[any]bool{}
	for _, p := range ofType(resources, "aws_lambda_permission") {
		qualifiers[p.AttributeValues["qualifier"]] = true
		if p.AttributeValues["action"] != "lambda:InvokeFunction" {
			t.Errorf("%s is %v", p.Address, p.AttributeValues["action"])
		}
	}
	if !qualifiers[nil] || !qualifiers["live"] {
		t.Errorf("the API may call %v of the function, not itself and its alias: a change of mode would cut it off", qualifiers)
	}
	format := list(only(t, resources, "aws_api_gateway_stage"), "access_log_settings")[0].(map[string]any)["format"].(string)
	for _, field := range []string{"responseTransferMode", "timeToAllHeaders", "timeToFirstContent", "latency"} {
		if !strings.Contains(format, "$context.integration."+field) {
			t.Errorf("the access log lacks %s: %s", field, format)
		}
	}
}

func distribution(t *testing.T, d map[string]any) {
	for _, b := range list(d, "ordered_cache_behavior") {
		b := b.(map[string]any)
		if b["compress"] != false || b["target_origin_id"] != "api" || b["cache_policy_id"] != "4135ea2d-6df8-44a3-9df3-4b5a84be39ad" || len(list(b, "function_association")) > 0 {
			t.Errorf("%v is compressed, cached, rewritten or not the API's: %v", b["path_pattern"], b)
		}
	}
	certificate := list(d, "viewer_certificate")[0].(map[string]any)
	if certificate["minimum_protocol_version"] != "TLSv1.2_2021" || d["http_version"] != "http2and3" || d["is_ipv6_enabled"] != true {
		t.Errorf("TLS %v, %v, IPv6 %v", certificate["minimum_protocol_version"], d["http_version"], d["is_ipv6_enabled"])
	}
	for _, o := range list(d, "origin") {
		o := o.(map[string]any)
		if o["origin_id"] == "api" && fmt.Sprint(list(o, "custom_origin_config")[0].(map[string]any)["origin_read_timeout"]) != "120" {
			t.Errorf("the API's read timeout is %v, not the most", o["custom_origin_config"])
		}
	}
}

func private(t *testing.T, resources []*tfjson.StateResource) {
	buckets, blocks := ofType(resources, "aws_s3_bucket"), ofType(resources, "aws_s3_bucket_public_access_block")
	if len(buckets) != 2 || len(blocks) != len(buckets) {
		t.Errorf("%d buckets with %d public access blocks", len(buckets), len(blocks))
	}
	for _, b := range blocks {
		for _, name := range []string{"block_public_acls", "block_public_policy", "ignore_public_acls", "restrict_public_buckets"} {
			if b.AttributeValues[name] != true {
				t.Errorf("%s: %s is not true", b.Address, name)
			}
		}
	}
	for _, b := range buckets {
		if b.AttributeValues["force_destroy"] != true {
			t.Errorf("%s would outlive a destroy with objects in it", b.Address)
		}
	}
	if n := len(ofType(resources, "aws_s3_bucket_versioning")) + len(ofType(resources, "aws_s3_bucket_acl")); n > 0 {
		t.Errorf("%d versionings or ACLs", n)
	}
}

// leastPrivilege: no action with a star, and no resource that is only a star but
// that of the network interfaces, which the function's own code is denied.
func leastPrivilege(t *testing.T, resources []*tfjson.StateResource) {
	all := statements(t, resources)
	for _, s := range all {
		for _, action := range each(s.Action) {
			if strings.Contains(action, "*") {
				t.Errorf("%s allows %s", s.Sid, action)
			}
		}
		if s.Effect == "Allow" && s.Sid != "Join" && slices.Contains(each(s.Resource), "*") {
			t.Errorf("%s is for all resources", s.Sid)
		}
	}
	if !slices.ContainsFunc(all, func(s statement) bool { return s.Sid == "JoinNotByCode" && s.Effect == "Deny" }) {
		t.Error("the network interfaces are not denied to the code")
	}
	if len(all) < 7 {
		t.Errorf("only %d statements of identity policies are known at plan", len(all))
	}
}

// statement is one of an IAM policy.
type statement struct {
	Sid, Effect      string
	Action, Resource any
	Condition        map[string]map[string]any
}

// statements are those of all identity policies that are known at plan.
func statements(t *testing.T, resources []*tfjson.StateResource) []statement {
	t.Helper()
	var all []statement
	for _, r := range resources {
		text, ok := r.AttributeValues["policy"].(string)
		if !ok || !strings.HasPrefix(r.Type, "aws_iam_") {
			continue
		}
		var policy struct{ Statement []statement }
		if err := json.Unmarshal([]byte(text), &policy); err != nil {
			t.Fatalf("%s: %v", r.Address, err)
		}
		all = append(all, policy.Statement...)
	}
	return all
}

// regional: what has one namespace for all regions of an account carries the region.
func regional(t *testing.T, resources []*tfjson.StateResource) {
	seen := 0
	for kind, attribute := range map[string]string{
		"aws_iam_role": "name", "aws_s3_bucket": "bucket", "aws_cloudfront_function": "name", "aws_cloudfront_origin_access_control": "name",
		"aws_cloudfront_response_headers_policy": "name", "aws_cloudwatch_dashboard": "dashboard_name",
	} {
		for _, r := range ofType(resources, kind) {
			seen++
			if name := fmt.Sprint(r.AttributeValues[attribute]); !strings.Contains(name, "eu-west-1") {
				t.Errorf("%s is called %s, as in every region", r.Address, name)
			}
		}
	}
	if seen < 6 {
		t.Errorf("only %d resources were looked at", seen)
	}
}

// blocksOf follows nested blocks by their names.
func blocksOf(values map[string]any, names ...string) []map[string]any {
	all := []map[string]any{values}
	for _, name := range names {
		var below []map[string]any
		for _, v := range all {
			for _, b := range list(v, name) {
				below = append(below, b.(map[string]any))
			}
		}
		all = below
	}
	return all
}

// secretless: what is secret is unknown at plan, and the environment holds names.
func secretless(t *testing.T, resources []*tfjson.StateResource, raw []byte) {
	for _, r := range ofType(resources, "aws_ssm_parameter") {
		if r.AttributeValues["type"] != "SecureString" || r.AttributeValues["value"] != nil {
			t.Errorf("%s is %v with the value %v", r.Address, r.AttributeValues["type"], r.AttributeValues["value"])
		}
	}
	for name := range environmentOf(t, resources) {
		if slices.Contains([]string{"MONGO_URI", "REDIS_URI", "JWT_SECRET", "CREDS_KEY", "SLUICE_ORIGIN_SECRET"}, name) {
			t.Errorf("the function's environment holds %s", name)
		}
	}
	for _, trace := range []string{"rediss://", "BEGIN PRIVATE KEY"} {
		if bytes.Contains(bytes.ReplaceAll(raw, []byte(`"rediss://:"`), nil), []byte(trace)) {
			t.Errorf("the plan holds %q", trace)
		}
	}
}

func environmentOf(t *testing.T, resources []*tfjson.StateResource) map[string]any {
	t.Helper()
	environment := list(only(t, resources, "aws_lambda_function"), "environment")
	variables, _ := environment[0].(map[string]any)["variables"].(map[string]any)
	if len(variables) == 0 {
		t.Fatal("the function's environment is not known at plan")
	}
	return variables
}

// encrypted: the redis module does both by default, and the HCL relies on that.
func encrypted(t *testing.T, group map[string]any) {
	for _, name := range []string{"transit_encryption_enabled", "at_rest_encryption_enabled"} {
		if fmt.Sprint(group[name]) != "true" {
			t.Errorf("Redis: %s is %v", name, group[name])
		}
	}
}

func closed(t *testing.T, resources []*tfjson.StateResource) {
	rules := ofType(resources, "aws_vpc_security_group_ingress_rule")
	if len(rules) == 0 {
		t.Error("no rule lets the function reach Redis")
	}
	for _, r := range rules {
		for _, name := range []string{"cidr_ipv4", "cidr_ipv6", "prefix_list_id"} {
			if v := r.AttributeValues[name]; v != nil {
				t.Errorf("%s is open to %v, not to a group alone", r.Address, v)
			}
		}
	}
	for _, r := range ofType(resources, "aws_security_group") {
		if len(list(r.AttributeValues, "ingress")) > 0 {
			t.Errorf("%s has rules of its own", r.Address)
		}
	}
}

func tagged(t *testing.T, resources []*tfjson.StateResource) {
	n := 0
	for _, r := range resources {
		tags, ok := r.AttributeValues["tags_all"].(map[string]any)
		if !ok {
			continue
		}
		n++
		for name, value := range map[string]string{"Project": "librechat", "Environment": "dev", "ManagedBy": "terraform"} {
			if tags[name] != value {
				t.Errorf("%s: tag %s is %v", r.Address, name, tags[name])
			}
		}
	}
	if n < 15 {
		t.Errorf("only %d resources with tags", n)
	}
}

// known: what a rehearsal needs of the function is in the plan, not only in the state.
func known(t *testing.T, resources []*tfjson.StateResource) {
	environment := environmentOf(t, resources)
	for name, want := range map[string]string{
		"SLUICE_CONFIG_S3":   "s3://apro-librechat-config/dev/librechat.yaml",
		"DOMAIN_CLIENT":      "https://lambda-test.sandbox.data.apro.is",
		"SLUICE_PUBLIC_HOST": "lambda-test.sandbox.data.apro.is",
		"AWS_BUCKET_NAME":    "librechat-dev-files-123456789012-eu-west-1",
		"USE_REDIS":          "true",
	} {
		if environment[name] != want {
			t.Errorf("%s is %v, want %s", name, environment[name], want)
		}
	}
	if _, ok := environment["REDIS_KEY_PREFIX"]; ok {
		t.Error("the function's environment changes with its image: a release is two calls, and the old image runs with the new prefix in between")
	}
	added, _ := only(t, resources, "sluice_image")["added_environment"].(map[string]any)
	if prefix := fmt.Sprint(added["REDIS_KEY_PREFIX"]); !regexp.MustCompile(`^[0-9a-f]{12}$`).MatchString(prefix) {
		t.Errorf("the image sets REDIS_KEY_PREFIX to %q, no digest", prefix)
	}
	secrets := fmt.Sprint(environment["SLUICE_SECRETS"])
	for _, line := range []string{"MONGO_URI=/librechat/dev/mongo-uri", "REDIS_URI=/librechat-dev/REDIS_URI", "SLUICE_ORIGIN_SECRET=/librechat-dev/SLUICE_ORIGIN_SECRET"} {
		if !slices.Contains(strings.Split(secrets, "\n"), line) {
			t.Errorf("SLUICE_SECRETS lacks %s:\n%s", line, secrets)
		}
	}
	size := 0
	for name, value := range environment {
		size += len(name) + len(fmt.Sprint(value))
	}
	t.Logf("the environment has %d of Lambda's 4096 bytes", size)
	if size > 4096 {
		t.Errorf("the environment has %d bytes", size)
	}
}

func flatten(m *tfjson.StateModule) []*tfjson.StateResource {
	all := slices.DeleteFunc(slices.Clone(m.Resources), func(r *tfjson.StateResource) bool { return r.Mode == tfjson.DataResourceMode })
	for _, child := range m.ChildModules {
		all = append(all, flatten(child)...)
	}
	return all
}

func ofType(all []*tfjson.StateResource, kind string) []*tfjson.StateResource {
	return slices.DeleteFunc(slices.Clone(all), func(r *tfjson.StateResource) bool { return r.Type != kind })
}

func only(t *testing.T, all []*tfjson.StateResource, kind string) map[string]any {
	t.Helper()
	found := ofType(all, kind)
	if len(found) != 1 {
		t.Fatalf("the plan has %d of %s", len(found), kind)
	}
	return found[0].AttributeValues
}

func list(values map[string]any, name string) []any {
	l, _ := values[name].([]any)
	return l
}

func each(v any) []string {
	switch v := v.(type) {
	case string:
		return []string{v}
	case []any:
		var all []string
		for _, s := range v {
			all = append(all, fmt.Sprint(s))
		}
		return all
	}
	return nil
}
