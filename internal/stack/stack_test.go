package stack

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/aproorg/sluice/internal/stack/tfplan"
)

func TestDefaultIsTheShippedEnvironment(t *testing.T) {
	s, err := Default()
	if err != nil {
		t.Fatal(err)
	}
	var patterns []string
	for _, b := range s.Distribution.OrderedCacheBehaviors {
		patterns = append(patterns, b.PathPattern)
	}
	if diff := cmp.Diff([]string{"/api/*", "/oauth/*", "/images/*", "/health", "/_sluice/*"}, patterns); diff != "" {
		t.Errorf("behaviors (-want +got):\n%s", diff)
	}
	var paths []string
	for _, r := range s.RestAPI.Resources {
		paths = append(paths, r.Path)
		for _, m := range r.Methods {
			if m.HTTPMethod != "ANY" {
				continue
			}
			if i := m.Integration; i.ResponseTransferMode != TransferStream || i.Timeout != 900*time.Second || i.Function != s.Function.Address {
				t.Errorf("%s: integration is %+v", r.Path, i)
			}
		}
	}
	if diff := cmp.Diff([]string{"/_sluice/{proxy+}", "/api/{proxy+}", "/health", "/images/{proxy+}", "/oauth/{proxy+}"}, paths); diff != "" {
		t.Errorf("resources (-want +got):\n%s", diff)
	}
	if s.Function.Timeout != 900*time.Second || s.Function.MemorySize < 1024 {
		t.Errorf("function is %+v", s.Function)
	}
	if f := s.Distribution.DefaultCacheBehavior.Functions; len(f) != 1 || !strings.Contains(f[0].Code, "function handler") {
		t.Errorf("functions are %+v", f)
	}
}

func TestParseNamesWhatItDoesNotUnderstand(t *testing.T) {
	plan := string(defaultPlan)
	for name, c := range map[string]struct{ old, new, want string }{
		"json":        {plan, "{", "read plan"},
		"other file":  {plan, `{"a": 1}`, "planned_values"},
		"integration": {`"type": "MOCK"`, `"type": "HTTP"`, `aws_api_gateway_integration.options["/_sluice/*"]: type is "HTTP"`},
		"mistyped":    {`"memory_size": `, `"memory_size": "x", "was": `, "aws_lambda_function.this: memory_size is string"},
		"no function": {`"type": "aws_lambda_function"`, `"type": "aws_lambda_layer"`, "no aws_lambda_function"},
		"policy":      {"4135ea2d-6df8-44a3-9df3-4b5a84be39ad", "unknown-policy", `cache_policy_id "unknown-policy"`},
		"origin":      {`"target_origin_id": "site"`, `"target_origin_id": "nowhere"`, `"nowhere" is no origin`},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Parse([]byte(strings.Replace(plan, c.old, c.new, 1)))
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error is %v, want one with %q", err, c.want)
			}
		})
	}
}

func TestThrottlingIsWithinTheAccounts(t *testing.T) {
	for name, c := range map[string]struct {
		path, rate, burst string
		want              Throttling
		err               string
	}{
		"nothing":      {"*/*", "-1", "-1", AccountThrottling, ""},
		"both":         {"*/*", "12.5", "30", Throttling{12.5, 30}, ""},
		"over":         {"*/*", "20000", "5", Throttling{10_000, 5}, ""},
		"other method": {"api/GET", "1", "1", Throttling{}, `aws_api_gateway_method_settings.all: throttles method_path "api/GET"`},
		"mistyped":     {"*/*", `"fast"`, "1", Throttling{}, "throttling_rate_limit is string, not a number"},
	} {
		t.Run(name, func(t *testing.T) {
			settings := `{"address": "aws_api_gateway_method_settings.all", "mode": "managed", "type": "aws_api_gateway_method_settings", "name": "all",
				"values": {"method_path": "` + c.path + `", "settings": [{"throttling_rate_limit": ` + c.rate + `, "throttling_burst_limit": ` + c.burst + `}]}}`
			s, err := Parse([]byte(strings.Replace(string(defaultPlan), `"resources": [`, `"resources": [`+settings+`,`, 1)))
			if c.err != "" {
				if err == nil || !strings.Contains(err.Error(), c.err) {
					t.Errorf("error is %v, want one with %q", err, c.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if s.RestAPI.Throttling != c.want {
				t.Errorf("throttling is %+v, want %+v", s.RestAPI.Throttling, c.want)
			}
		})
	}
}

// TestEnvironmentIsWithinLambdas: variables that fill Lambda's 4,096 bytes pass, one byte more is refused.
func TestEnvironmentIsWithinLambdas(t *testing.T) {
	s, err := Default()
	if err != nil {
		t.Fatal(err)
	}
	used := EnvironmentSize(s.Function.Environment)
	if used == 0 {
		t.Fatal("the shipped function has no variables: what is looked for?")
	}
	for _, value := range []string{"x", "&", `\"`} { // as the JSON has them, one byte or two each
		more := `"PAD":"",`
		pad := MaxEnvironment - used - len(more)
		fill := strings.Repeat(value, pad/len(value)) + strings.Repeat("x", pad%len(value))
		for extra, refused := range map[string]bool{"": false, "x": true} {
			plan := strings.Replace(string(defaultPlan), `"variables": {`, `"variables": {"PAD": "`+fill+extra+`",`, 1)
			_, err := Parse([]byte(plan))
			var fault *RefusedError
			if errors.As(err, &fault) != refused || err != nil && !refused {
				t.Errorf("full of %s and %q: %v", value, extra, err)
			}
			if refused && err != nil && !strings.Contains(err.Error(), "4097 bytes as JSON") {
				t.Errorf("it says %v", err)
			}
		}
	}
}

// TestWhatIsPaidForBesides: what only the price asks for.
func TestWhatIsPaidForBesides(t *testing.T) {
	more := ""
	for address, kind := range map[string]string{"a": "metric_alarm", "b": "metric_alarm", "c": "log_metric_filter", "d": "dashboard"} {
		more += `{"address": "aws_cloudwatch_` + kind + `.` + address + `", "mode": "managed", "type": "aws_cloudwatch_` + kind + `", "name": "` + address + `", "values": {}},`
	}
	plan := strings.Replace(string(defaultPlan), `"resources": [`, `"resources": [`+more, 1)
	plan = strings.Replace(plan, `"snapshot_retention_limit": 0`, `"snapshot_retention_limit": 7`, 1)
	plan = strings.Replace(plan, `"default_root_object":`, `"web_acl_id": "arn:x", "default_root_object":`, 1)
	s, err := Parse([]byte(plan))
	if err != nil {
		t.Fatal(err)
	}
	if want := (Monitoring{Alarms: 2, MetricFilters: 1, Dashboards: 1}); s.Monitoring != want {
		t.Errorf("monitoring is %+v, want %+v", s.Monitoring, want)
	}
	if s.Cache.SnapshotRetentionLimit != 7 || s.Distribution.WebACLID != "arn:x" {
		t.Errorf("snapshots are kept for %d days, the web ACL is %q", s.Cache.SnapshotRetentionLimit, s.Distribution.WebACLID)
	}
}

// TestAPIKey: methods that need a key read as such, and a plan that makes none for them is no stack.
func TestAPIKey(t *testing.T) {
	s, err := Default()
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range s.RestAPI.Resources {
		for _, m := range r.Methods {
			if m.APIKeyRequired != (m.HTTPMethod == "ANY") {
				t.Errorf("%s %s needs a key: %v", m.HTTPMethod, r.Path, m.APIKeyRequired)
			}
		}
	}
	keyless := strings.ReplaceAll(string(defaultPlan), `"type": "aws_api_gateway_usage_plan_key"`, `"type": "aws_api_gateway_model"`)
	if _, err := Parse([]byte(keyless)); err == nil || !strings.Contains(err.Error(), "needs an API key, and the plan has 0 of") {
		t.Errorf("a plan without a key: %v", err)
	}
}

func FuzzParse(f *testing.F) {
	f.Add(defaultPlan)
	f.Add([]byte(`{"format_version":"1.2","values":{"root_module":{"resources":[]}}}`))
	f.Add([]byte(`{"format_version":"1.2","planned_values":null}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := Parse(data)
		if err == nil && s.Validate() != nil {
			t.Error("parsed a stack that does not validate")
		}
	})
}

// TestBucketOfFiles: what pages may do with it, and what happens to it by itself.
func TestBucketOfFiles(t *testing.T) {
	s, err := Default()
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range s.Buckets {
		if b.Role != RoleFiles {
			if len(b.CORSRules)+len(b.LifecycleRules) > 0 {
				t.Errorf("%s: %+v", b.Address, b)
			}
			continue
		}
		// Of a set no part is known before all of it is, and CloudFront chooses its own name. TestApply has the origins.
		cors := []CORSRule{{AllowedHeaders: []string{"*"}, AllowedMethods: []string{"GET", "HEAD", "POST", "PUT"}, ExposeHeaders: []string{"ETag"}, MaxAge: -1}}
		if diff := cmp.Diff(cors, b.CORSRules); diff != "" {
			t.Errorf("CORS (-want +got):\n%s", diff)
		}
		if len(b.LifecycleRules) == 0 || b.LifecycleRules[0].AbortDays != 1 || b.LifecycleRules[0].ExpireDays != 0 || b.LifecycleRules[0].ID != "uploads" {
			t.Errorf("lifecycle: %+v", b.LifecycleRules)
		}
		return
	}
	t.Error("there is no bucket of files")
}

// TestLifecycleRules: what the emulated S3 has of rules, and nothing that it would apply to more than AWS does.
func TestLifecycleRules(t *testing.T) {
	const rules = `{"format_version": "1.2", "planned_values": {"root_module": {"resources": [{"address": "aws_s3_bucket_lifecycle_configuration.a", "mode": "managed", "type": "aws_s3_bucket_lifecycle_configuration", "name": "a", "values": {"rule": [
		{"id": "day", "status": "Enabled", "prefix": null, "filter": [{"prefix": "staging/"}], "expiration": [{"days": 1}], "abort_incomplete_multipart_upload": [{"days_after_initiation": 2}]},
		{"id": "of old", "status": "Enabled", "prefix": "old/", "filter": [], "expiration": [{"days": 3}]},
		{"id": "off", "status": "Disabled", "filter": [{}], "expiration": [{"days": 1}]},
		{"id": "tags", "status": "Enabled", "filter": [{"tag": [{"key": "a", "value": "b"}]}], "expiration": [{"days": 1}]},
		{"id": "sizes", "status": "Enabled", "filter": [{"object_size_greater_than": 5}], "expiration": [{"days": 1}]},
		{"id": "both", "status": "Enabled", "filter": [{"and": [{"prefix": "a", "tags": {"a": "b"}}]}], "expiration": [{"days": 1}]},
		{"id": "date", "status": "Enabled", "filter": [{}], "expiration": [{"date": "2030-01-01T00:00:00Z"}]}]}}]}}}`
	plan, err := tfplan.Read([]byte(rules))
	if err != nil {
		t.Fatal(err)
	}
	r := &reader{plan}
	got := r.lifecycleRules(r.All("aws_s3_bucket_lifecycle_configuration")[0])
	want := []LifecycleRule{{ID: "day", Prefix: "staging/", ExpireDays: 1, AbortDays: 2}, {ID: "of old", Prefix: "old/", ExpireDays: 3}}
	if diff := cmp.Diff(want, got); diff != "" || r.Err() != nil {
		t.Errorf("(-want +got):\n%s%v", diff, r.Err())
	}
}
