package stack

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aproorg/sluice/internal/stack/tfplan"
)

// restAPI reads the API, its stage and its tree of resources.
func (r *reader) restAPI(res *tfplan.Resource) RestAPI {
	a := r.Attributes(res)
	api := RestAPI{
		Address:          res.Address,
		Name:             a.Str("name"),
		EndpointType:     r.endpointType(),
		BinaryMediaTypes: a.Strings("binary_media_types"),
	}
	if stages := r.All("aws_api_gateway_stage"); len(stages) == 1 {
		stage := r.Attributes(stages[0])
		api.StageName = stage.Str("stage_name")
		api.AccessLogFormat = stage.Block("access_log_settings").Str("format")
	} else {
		a.Fail("has %d stages: a stack has one", len(stages))
	}
	api.Throttling = r.throttling()
	if keys := r.All("aws_api_gateway_api_key"); len(keys) == 1 {
		api.APIKey = r.Attributes(keys[0]).Str("value")
	}
	if api.EndpointType == "PRIVATE" {
		a.Refuse("endpoint type PRIVATE: no distribution reaches it")
	}
	api.Resources = r.apiResources(res)
	return api
}

// endpointType is that of the one API. AWS's own default is EDGE.
func (r *reader) endpointType() string {
	for _, res := range r.All("aws_api_gateway_rest_api") {
		if types := r.Attributes(res).Block("endpoint_configuration").Strings("types"); len(types) > 0 {
			return types[0]
		}
	}
	return "EDGE"
}

// throttling reads the limits of the whole stage, within the account's. -1, Terraform's default, sets none.
func (r *reader) throttling() Throttling {
	t := AccountThrottling
	for _, res := range r.All("aws_api_gateway_method_settings") {
		a := r.Attributes(res)
		settings := a.Block("settings")
		rate, burst := settings.Float("throttling_rate_limit", -1), settings.Number("throttling_burst_limit", -1)
		if rate < 0 && burst < 0 {
			continue
		}
		if path := a.Str("method_path"); path != "*/*" {
			a.Fail("throttles method_path %q: only */*, the whole stage, is understood", path)
		}
		if rate >= 0 {
			t.RateLimit = min(rate, t.RateLimit)
		}
		if burst >= 0 {
			t.BurstLimit = min(burst, t.BurstLimit)
		}
	}
	return t
}

// apiResources returns the resources with methods, the root among them, by path.
func (r *reader) apiResources(root *tfplan.Resource) []Resource {
	byResource := map[*tfplan.Resource][]Method{}
	for _, m := range r.All("aws_api_gateway_method") {
		on := r.owner(m)
		byResource[on] = append(byResource[on], r.method(m, on))
	}
	var all []Resource
	for on, methods := range byResource {
		if on == nil {
			continue // the fault is kept
		}
		slices.SortFunc(methods, func(a, b Method) int { return strings.Compare(a.HTTPMethod, b.HTTPMethod) })
		all = append(all, Resource{Address: on.Address, Path: r.path(on, root, 0), Methods: methods})
	}
	slices.SortFunc(all, func(a, b Resource) int { return strings.Compare(a.Path, b.Path) })
	return all
}

// owner is the API resource that a method or integration belongs to.
func (r *reader) owner(res *tfplan.Resource) *tfplan.Resource {
	a := r.Attributes(res)
	on := r.Find(res, a.Str("resource_id"), "resource_id", "aws_api_gateway_resource", "aws_api_gateway_rest_api")
	if on == nil {
		a.Fail("resource_id points at no aws_api_gateway_resource of the plan")
	}
	return on
}

// path walks up to the root; API Gateway allows no more than 300 resources, so a
// longer walk is a cycle.
func (r *reader) path(res, root *tfplan.Resource, depth int) string {
	if res == root {
		return "/"
	}
	a := r.Attributes(res)
	parent := r.Find(res, a.Str("parent_id"), "parent_id", "aws_api_gateway_resource", "aws_api_gateway_rest_api")
	if parent == nil || depth > 300 {
		a.Fail("parent_id points at no aws_api_gateway_resource of the plan")
		return ""
	}
	return strings.TrimSuffix(r.path(parent, root, depth+1), "/") + "/" + a.Str("path_part")
}

func (r *reader) method(m, on *tfplan.Resource) Method {
	a := r.Attributes(m)
	method := Method{HTTPMethod: a.Str("http_method"), APIKeyRequired: a.Flag("api_key_required")}
	if n := len(r.All("aws_api_gateway_usage_plan_key")); method.APIKeyRequired && n != 1 {
		a.Fail("needs an API key, and the plan has %d of aws_api_gateway_usage_plan_key: one is understood", n)
	}
	if auth := a.Str("authorization"); auth != "" && auth != "NONE" {
		a.Fail("authorization is %q: only NONE is understood", auth)
	}
	for _, i := range r.All("aws_api_gateway_integration") {
		if r.belongs(i, method.HTTPMethod, on) {
			method.Integration = r.integration(i, on, method.HTTPMethod)
			return method
		}
	}
	a.Fail("has no aws_api_gateway_integration")
	return method
}

// belongs tells whether an integration or response is of the method. Terraform
// leaves http_method unknown where it refers to the method: then the references
// are followed.
func (r *reader) belongs(res *tfplan.Resource, httpMethod string, on *tfplan.Resource) bool {
	a := r.Attributes(res)
	own := a.Str("http_method")
	if own == "" {
		if m := r.Find(res, "", "http_method", "aws_api_gateway_method"); m != nil {
			own = r.Attributes(m).Str("http_method")
		}
	}
	return own == httpMethod && r.owner(res) == on
}

func (r *reader) integration(res, on *tfplan.Resource, httpMethod string) Integration {
	a := r.Attributes(res)
	i := Integration{
		Address:              res.Address,
		Type:                 a.Str("type"),
		ResponseTransferMode: a.Str("response_transfer_mode"),
		Timeout:              a.Duration("timeout_milliseconds", time.Millisecond, 29*time.Second),
		RequestTemplates:     a.StringMap("request_templates"),
	}
	if i.ResponseTransferMode == "" {
		i.ResponseTransferMode = TransferBuffered
	}
	switch i.Type {
	case IntegrationProxy:
		f := r.Find(res, a.Str("uri"), "uri", "aws_lambda_function") // also where its alias is called, which has the same code
		if f == nil {
			f = r.Find(res, a.Str("uri"), "uri", "aws_lambda_alias")
		}
		if f != nil {
			i.Function = f.Address
			r.uri(res, f, i.ResponseTransferMode)
		} else {
			a.Fail("uri points at no aws_lambda_function of the plan")
		}
	case IntegrationMock:
		i.Responses = r.integrationResponses(on, httpMethod)
	default:
		a.Fail("type is %q: only %s and %s are understood", i.Type, IntegrationProxy, IntegrationMock)
	}
	r.limits(res, i)
	return i
}

// Paths of Lambda's API in an integration's URI, one for each response transfer mode
// (https://docs.aws.amazon.com/apigateway/latest/developerguide/response-transfer-mode-lambda.html).
const (
	streamingPath = "/2021-11-15/functions/.../response-streaming-invocations"
	bufferedPath  = "/2015-03-31/functions/.../invocations"
)

// uri refuses the API of Lambda that PutIntegration refuses in the mode. A plan that does
// not know the URI yet tells by the attribute of the function that it refers to.
func (r *reader) uri(res, function *tfplan.Resource, mode string) {
	a := r.Attributes(res)
	streams := strings.HasSuffix(a.Str("uri"), "/response-streaming-invocations")
	if a.Str("uri") == "" {
		read := r.Reads(res, "uri", function)
		streams = slices.Contains(read, "response_streaming_invoke_arn")
		if !streams && !slices.Contains(read, "invoke_arn") {
			return // put together of parts that are not known
		}
	}
	switch {
	case mode == TransferStream && !streams:
		a.Refuse("response_transfer_mode STREAM needs a uri with %s, as in response_streaming_invoke_arn: API Gateway refuses this one", streamingPath)
	case mode == TransferBuffered && streams:
		a.Refuse("a uri with %s needs response_transfer_mode STREAM: BUFFERED calls %s, as in invoke_arn", streamingPath, bufferedPath)
	}
}

// limits refuses what PutIntegration refuses of the other attributes, and what no call
// gets through (quotas of REST APIs,
// https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-execution-service-limits-table.html).
func (r *reader) limits(res *tfplan.Resource, i Integration) {
	a := r.Attributes(res)
	edge := r.endpointType() == "EDGE"
	longest := MaxBufferedTimeout
	switch {
	case i.ResponseTransferMode == TransferStream:
		longest = MaxStreamTimeout
	case edge:
		longest = MaxEdgeTimeout
	}
	switch {
	case i.ResponseTransferMode != TransferStream && i.ResponseTransferMode != TransferBuffered:
		a.Refuse("response_transfer_mode is %q: it is STREAM or BUFFERED", i.ResponseTransferMode)
	case i.Type == IntegrationMock && i.ResponseTransferMode == TransferStream:
		a.Refuse("response_transfer_mode STREAM is for AWS_PROXY and HTTP_PROXY, not for MOCK")
	case i.Timeout < MinTimeout || i.Timeout > longest:
		kind := r.endpointType()
		a.Refuse("timeout_milliseconds is %d: with response_transfer_mode %s and an endpoint of type %s it is %d to %d",
			i.Timeout.Milliseconds(), i.ResponseTransferMode, kind, MinTimeout.Milliseconds(), longest.Milliseconds())
	}
	if method := a.Str("integration_http_method"); i.Type == IntegrationProxy && method != "" && method != "POST" {
		a.Refuse("integration_http_method is %q: Lambda is invoked by POST", method)
	}
}

func (r *reader) integrationResponses(on *tfplan.Resource, httpMethod string) []IntegrationResponse {
	var all []IntegrationResponse
	for _, res := range r.All("aws_api_gateway_integration_response") {
		if !r.belongs(res, httpMethod, on) {
			continue
		}
		a := r.Attributes(res)
		status, err := strconv.Atoi(a.Str("status_code"))
		if err != nil {
			a.Fail("status_code is %q, not a number", a.Str("status_code"))
		}
		all = append(all, IntegrationResponse{
			StatusCode:         status,
			SelectionPattern:   a.Str("selection_pattern"),
			ResponseParameters: a.StringMap("response_parameters"),
			ResponseTemplates:  a.StringMap("response_templates"),
		})
	}
	return all
}
