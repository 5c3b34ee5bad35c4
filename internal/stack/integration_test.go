package stack

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
)

// integrationPlan is a plan whose only way to the API is the default behavior, and whose
// integration refers to the function by an attribute, as a first plan knows no URI. The
// fields of the integration and the API's endpoint are given.
func integrationPlan(t *testing.T, reads, endpoint string, integration map[string]any) []byte {
	t.Helper()
	resource := func(kind, name string, values map[string]any) map[string]any {
		return map[string]any{"address": kind + "." + name, "mode": "managed", "type": kind, "name": name, "values": values}
	}
	refers := func(kind, name string, expressions map[string][]string) map[string]any {
		all := map[string]any{}
		for attribute, references := range expressions {
			all[attribute] = map[string]any{"references": references}
		}
		return map[string]any{"address": kind + "." + name, "mode": "managed", "type": kind, "name": name, "expressions": all}
	}
	values := map[string]any{"type": "AWS_PROXY", "http_method": "ANY", "integration_http_method": "POST", "response_transfer_mode": "STREAM", "timeout_milliseconds": 900_000}
	for name, value := range integration {
		values[name] = value
	}
	behavior := map[string]any{"target_origin_id": "api", "viewer_protocol_policy": "https-only", "allowed_methods": []string{"GET", "HEAD"},
		"cached_methods": []string{"GET", "HEAD"}, "cache_policy_id": "4135ea2d-6df8-44a3-9df3-4b5a84be39ad"}
	plan := map[string]any{
		"format_version": "1.2",
		"planned_values": map[string]any{"root_module": map[string]any{"resources": []any{
			resource("aws_lambda_function", "f", map[string]any{"function_name": "f", "timeout": 900, "memory_size": 1024}),
			resource("aws_api_gateway_rest_api", "a", map[string]any{"name": "a", "endpoint_configuration": []any{map[string]any{"types": []string{endpoint}}}}),
			resource("aws_api_gateway_resource", "p", map[string]any{"path_part": "{proxy+}"}),
			resource("aws_api_gateway_method", "m", map[string]any{"http_method": "ANY", "authorization": "NONE"}),
			resource("aws_api_gateway_integration", "i", values),
			resource("aws_api_gateway_stage", "s", map[string]any{"stage_name": "prod"}),
			resource("aws_cloudfront_distribution", "c", map[string]any{
				"origin":                 []any{map[string]any{"origin_id": "api", "origin_path": "/prod", "custom_origin_config": []any{map[string]any{"origin_read_timeout": 60}}}},
				"default_cache_behavior": []any{behavior},
			}),
		}}},
		"configuration": map[string]any{"root_module": map[string]any{"resources": []any{
			map[string]any{"address": "aws_cloudfront_distribution.c", "mode": "managed", "type": "aws_cloudfront_distribution", "name": "c",
				"expressions": map[string]any{"origin": []any{map[string]any{"domain_name": map[string]any{"references": []string{"aws_api_gateway_rest_api.a.id", "aws_api_gateway_rest_api.a"}}}}}},
			refers("aws_api_gateway_resource", "p", map[string][]string{"parent_id": {"aws_api_gateway_rest_api.a.root_resource_id", "aws_api_gateway_rest_api.a"}}),
			refers("aws_api_gateway_method", "m", map[string][]string{"resource_id": {"aws_api_gateway_resource.p.id", "aws_api_gateway_resource.p"}}),
			refers("aws_api_gateway_integration", "i", map[string][]string{"resource_id": {"aws_api_gateway_resource.p.id", "aws_api_gateway_resource.p"},
				"uri": {"aws_lambda_function.f." + reads, "aws_lambda_function.f"}}),
		}}},
	}
	data, err := json.Marshal(plan)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// TestIntegrationsThatAWSRefuses takes hashicorp/terraform-provider-aws#45649 and
// anomalyco/sst#6565 (STREAM with invoke_arn) with the others of their kind.
func TestIntegrationsThatAWSRefuses(t *testing.T) {
	const path = "arn:aws:apigateway:eu-west-1:lambda:path"
	const arn = "/functions/arn:aws:lambda:eu-west-1:123456789012:function:f"
	for name, c := range map[string]struct {
		reads, endpoint string
		integration     map[string]any
		want            string // "" where it is fine
	}{
		"stream":                        {"response_streaming_invoke_arn", "REGIONAL", nil, ""},
		"stream, invoke_arn":            {"invoke_arn", "REGIONAL", nil, "response_transfer_mode STREAM needs a uri"},
		"stream, uri of invocations":    {"", "REGIONAL", map[string]any{"uri": path + "/2015-03-31" + arn + "/invocations"}, "STREAM needs a uri"},
		"stream, its uri":               {"", "REGIONAL", map[string]any{"uri": path + "/2021-11-15" + arn + "/response-streaming-invocations"}, ""},
		"buffered":                      {"invoke_arn", "REGIONAL", map[string]any{"response_transfer_mode": "BUFFERED", "timeout_milliseconds": 29_000}, ""},
		"no mode is buffered":           {"invoke_arn", "REGIONAL", map[string]any{"response_transfer_mode": nil, "timeout_milliseconds": 29_000}, ""},
		"buffered, streaming attribute": {"response_streaming_invoke_arn", "REGIONAL", map[string]any{"response_transfer_mode": "BUFFERED", "timeout_milliseconds": 29_000}, "needs response_transfer_mode STREAM"},
		"buffered, streaming uri":       {"", "REGIONAL", map[string]any{"response_transfer_mode": "BUFFERED", "timeout_milliseconds": 29_000, "uri": path + "/2021-11-15" + arn + "/response-streaming-invocations"}, "needs response_transfer_mode STREAM"},
		"parts that are not known":      {"arn", "REGIONAL", nil, ""},
		"mode in small letters":         {"invoke_arn", "REGIONAL", map[string]any{"response_transfer_mode": "stream"}, `response_transfer_mode is "stream"`},
		"stream, over 15 minutes":       {"response_streaming_invoke_arn", "REGIONAL", map[string]any{"timeout_milliseconds": 900_001}, "it is 50 to 900000"},
		"stream, under 50 ms":           {"response_streaming_invoke_arn", "REGIONAL", map[string]any{"timeout_milliseconds": 49}, "it is 50 to 900000"},
		"stream at the edge":            {"response_streaming_invoke_arn", "EDGE", nil, ""},
		"buffered, a raised quota":      {"invoke_arn", "REGIONAL", map[string]any{"response_transfer_mode": "BUFFERED", "timeout_milliseconds": 120_000}, ""},
		"buffered at the edge, over":    {"invoke_arn", "EDGE", map[string]any{"response_transfer_mode": "BUFFERED", "timeout_milliseconds": 29_001}, "type EDGE it is 50 to 29000"},
		"private":                       {"response_streaming_invoke_arn", "PRIVATE", nil, "no distribution reaches it"},
		"invoked by GET":                {"response_streaming_invoke_arn", "REGIONAL", map[string]any{"integration_http_method": "GET"}, "Lambda is invoked by POST"},
	} {
		t.Run(name, func(t *testing.T) {
			s, err := Parse(integrationPlan(t, c.reads, c.endpoint, c.integration))
			if c.want == "" {
				if err != nil || len(s.RestAPI.Resources) != 1 {
					t.Errorf("%v", err)
				}
				return
			}
			var refused *RefusedError
			if !errors.As(err, &refused) || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("error is %v, want a refusal with %q", err, c.want)
			}
			if want := "aws_api_gateway_integration.i"; c.endpoint != "PRIVATE" && refused.Address != want {
				t.Errorf("it names %s, want %s", refused.Address, want)
			}
		})
	}
}
