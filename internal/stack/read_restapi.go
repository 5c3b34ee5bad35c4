package stack

import (
	"slices"
	"strconv"
	"strings"
	"time"
)

// restAPI reads the API, its stage and its tree of resources.
func (r *reader) restAPI(res *resource) RestAPI {
	a := r.attributes(res)
	api := RestAPI{
		Address:          res.Address,
		Name:             a.str("name"),
		EndpointType:     "EDGE",
		BinaryMediaTypes: a.strings("binary_media_types"),
	}
	if types := a.block("endpoint_configuration").strings("types"); len(types) > 0 {
		api.EndpointType = types[0]
	}
	if stages := r.all("aws_api_gateway_stage"); len(stages) == 1 {
		stage := r.attributes(stages[0])
		api.StageName = stage.str("stage_name")
		api.AccessLogFormat = stage.block("access_log_settings").str("format")
	} else {
		a.fail("has %d stages: a stack has one", len(stages))
	}
	api.Throttling = r.throttling()
	api.Resources = r.apiResources(res)
	return api
}

// throttling reads the limits of the whole stage, within the account's. -1, Terraform's default, sets none.
func (r *reader) throttling() Throttling {
	t := AccountThrottling
	for _, res := range r.all("aws_api_gateway_method_settings") {
		a := r.attributes(res)
		settings := a.block("settings")
		rate, burst := settings.float("throttling_rate_limit", -1), settings.number("throttling_burst_limit", -1)
		if rate < 0 && burst < 0 {
			continue
		}
		if path := a.str("method_path"); path != "*/*" {
			a.fail("throttles method_path %q: only */*, the whole stage, is understood", path)
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
func (r *reader) apiResources(root *resource) []Resource {
	byResource := map[*resource][]Method{}
	for _, m := range r.all("aws_api_gateway_method") {
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
func (r *reader) owner(res *resource) *resource {
	a := r.attributes(res)
	on := r.find(res, a.str("resource_id"), "resource_id", "aws_api_gateway_resource", "aws_api_gateway_rest_api")
	if on == nil {
		a.fail("resource_id points at no aws_api_gateway_resource of the plan")
	}
	return on
}

// path walks up to the root; API Gateway allows no more than 300 resources, so a
// longer walk is a cycle.
func (r *reader) path(res, root *resource, depth int) string {
	if res == root {
		return "/"
	}
	a := r.attributes(res)
	parent := r.find(res, a.str("parent_id"), "parent_id", "aws_api_gateway_resource", "aws_api_gateway_rest_api")
	if parent == nil || depth > 300 {
		a.fail("parent_id points at no aws_api_gateway_resource of the plan")
		return ""
	}
	return strings.TrimSuffix(r.path(parent, root, depth+1), "/") + "/" + a.str("path_part")
}

func (r *reader) method(m, on *resource) Method {
	a := r.attributes(m)
	method := Method{HTTPMethod: a.str("http_method")}
	if auth := a.str("authorization"); auth != "" && auth != "NONE" {
		a.fail("authorization is %q: only NONE is understood", auth)
	}
	for _, i := range r.all("aws_api_gateway_integration") {
		if r.belongs(i, method.HTTPMethod, on) {
			method.Integration = r.integration(i, on, method.HTTPMethod)
			return method
		}
	}
	a.fail("has no aws_api_gateway_integration")
	return method
}

// belongs tells whether an integration or response is of the method. Terraform
// leaves http_method unknown where it refers to the method: then the references
// are followed.
func (r *reader) belongs(res *resource, httpMethod string, on *resource) bool {
	a := r.attributes(res)
	own := a.str("http_method")
	if own == "" {
		if m := r.find(res, "", "http_method", "aws_api_gateway_method"); m != nil {
			own = r.attributes(m).str("http_method")
		}
	}
	return own == httpMethod && r.owner(res) == on
}

func (r *reader) integration(res, on *resource, httpMethod string) Integration {
	a := r.attributes(res)
	i := Integration{
		Address:              res.Address,
		Type:                 a.str("type"),
		ResponseTransferMode: a.str("response_transfer_mode"),
		Timeout:              a.duration("timeout_milliseconds", time.Millisecond, 29*time.Second),
		RequestTemplates:     a.stringMap("request_templates"),
	}
	if i.ResponseTransferMode == "" {
		i.ResponseTransferMode = TransferBuffered
	}
	switch i.Type {
	case IntegrationProxy:
		if f := r.find(res, a.str("uri"), "uri", "aws_lambda_function", "aws_lambda_alias"); f != nil {
			i.Function = f.Address
		} else {
			a.fail("uri points at no aws_lambda_function of the plan")
		}
	case IntegrationMock:
		i.Responses = r.integrationResponses(on, httpMethod)
	default:
		a.fail("type is %q: only %s and %s are understood", i.Type, IntegrationProxy, IntegrationMock)
	}
	return i
}

func (r *reader) integrationResponses(on *resource, httpMethod string) []IntegrationResponse {
	var all []IntegrationResponse
	for _, res := range r.all("aws_api_gateway_integration_response") {
		if !r.belongs(res, httpMethod, on) {
			continue
		}
		a := r.attributes(res)
		status, err := strconv.Atoi(a.str("status_code"))
		if err != nil {
			a.fail("status_code is %q, not a number", a.str("status_code"))
		}
		all = append(all, IntegrationResponse{
			StatusCode:         status,
			SelectionPattern:   a.str("selection_pattern"),
			ResponseParameters: a.stringMap("response_parameters"),
			ResponseTemplates:  a.stringMap("response_templates"),
		})
	}
	return all
}
