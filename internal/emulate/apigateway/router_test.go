package apigateway

import (
	"strings"
	"testing"

	"github.com/aproorg/sluice/internal/stack"
	"github.com/google/go-cmp/cmp"
)

func routes(t *testing.T, paths ...string) *node {
	t.Helper()
	var api stack.RestAPI
	for _, p := range paths {
		api.Resources = append(api.Resources, stack.Resource{Path: p})
	}
	root, err := buildRoutes(Config{API: api})
	if err != nil {
		t.Fatal(err)
	}
	return root
}

func TestRouter(t *testing.T) {
	root := routes(t, "/", "/api", "/api/{proxy+}", "/api/users/{id}", "/api/users/me", "/api/users/{id}/files/{name}", "/health")
	tests := []struct {
		path, resource string
		params         map[string]string
	}{
		{"/", "/", nil},
		{"/api", "/api", nil},
		{"/api/", "/api", nil},
		{"/api/a", "/api/{proxy+}", map[string]string{"proxy": "a"}},
		{"/api/a/b%2Fc", "/api/{proxy+}", map[string]string{"proxy": "a/b%2Fc"}},
		{"/api/users/me", "/api/users/me", nil},
		{"/api/users/7", "/api/users/{id}", map[string]string{"id": "7"}},
		{"/api/users", "/api/{proxy+}", map[string]string{"proxy": "users"}},
		{"/api/users/7/files/x", "/api/users/{id}/files/{name}", map[string]string{"id": "7", "name": "x"}},
		{"/api/users/7/other", "/api/{proxy+}", map[string]string{"proxy": "users/7/other"}},
		{"/api/users/me/files/x", "/api/users/{id}/files/{name}", map[string]string{"id": "me", "name": "x"}},
		{"/health", "/health", nil},
		{"/health/x", "", nil},
		{"/Health", "", nil},
		{"/other", "", nil},
	}
	for _, tt := range tests {
		m, ok := root.find(tt.path)
		if !ok {
			if tt.resource != "" {
				t.Errorf("%s: no route, want %s", tt.path, tt.resource)
			}
			continue
		}
		if m.path != tt.resource || !cmp.Equal(nullable(m.params), tt.params) {
			t.Errorf("%s: %s %v, want %s %v", tt.path, m.path, m.params, tt.resource, tt.params)
		}
	}
}

func FuzzRouter(f *testing.F) {
	for _, s := range []string{"/", "/api/x", "//", "/api//", "/api/%2F", "/a/b/c/d", "/api/users//files/"} {
		f.Add(s)
	}
	root := &node{}
	for _, p := range []string{"/a/{x}/b", "/a/b/{proxy+}", "/{y}", "/a"} {
		n, err := root.add(p)
		if err != nil {
			f.Fatal(err)
		}
		n.resource = &resource{path: p}
	}
	f.Fuzz(func(t *testing.T, path string) {
		if !strings.HasPrefix(path, "/") {
			return
		}
		m, ok := root.find(path)
		if !ok {
			return
		}
		back := m.path // put the parameters back: the path must come out again
		for name, v := range m.params {
			back = strings.ReplaceAll(strings.ReplaceAll(back, "{"+name+"+}", v), "{"+name+"}", v)
		}
		if want := "/" + strings.TrimSuffix(strings.TrimPrefix(path, "/"), "/"); back != want && !strings.ContainsAny(path, "{}") {
			t.Errorf("%q matched %s with %v, which is %q", path, m.path, m.params, back)
		}
	})
}

func TestNewNamesWhatItCannotEmulate(t *testing.T) {
	proxy := stack.Integration{Address: "aws_api_gateway_integration.x", Type: stack.IntegrationProxy, Function: functionAddress}
	with := func(change func(*stack.Integration)) stack.Integration {
		in := proxy
		change(&in)
		return in
	}
	tests := map[string]struct {
		path string
		in   stack.Integration
		want string
	}{
		"http proxy":       {"/x", with(func(i *stack.Integration) { i.Type = "HTTP_PROXY" }), `aws_api_gateway_integration.x: type "HTTP_PROXY"`},
		"transfer mode":    {"/x", with(func(i *stack.Integration) { i.ResponseTransferMode = "stream" }), "response_transfer_mode"},
		"unknown function": {"/x", with(func(i *stack.Integration) { i.Function = "other" }), `function "other"`},
		"stream timeout": {"/x", with(func(i *stack.Integration) {
			i.ResponseTransferMode, i.Timeout = "STREAM", 901e9
		}), "timeout 15m1s"},
		"buffered timeout": {"/x", with(func(i *stack.Integration) { i.Timeout = 301e9 }), "timeout 5m1s"},
		"greedy inside":    {"/{p+}/x", proxy, "nothing can follow"},
		"half a parameter": {"/x{p}", proxy, "whole segment"},
		"velocity": {"/x", stack.Integration{Type: stack.IntegrationMock,
			RequestTemplates: map[string]string{"application/json": `#set($x = 1)`}}, "only literal templates"},
		"mapped parameter": {"/x", stack.Integration{Type: stack.IntegrationMock, Responses: []stack.IntegrationResponse{{StatusCode: 200,
			ResponseParameters: map[string]string{"method.response.header.X": "integration.response.header.Y"}}}}, "only method.response.header.NAME = 'literal'"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			api := stack.RestAPI{Address: "aws_api_gateway_rest_api.this", StageName: "live", Resources: []stack.Resource{
				{Address: "aws_api_gateway_resource.r", Path: tt.path, Methods: []stack.Method{{HTTPMethod: "ANY", Integration: tt.in}}}}}
			_, err := New(Config{API: api, LambdaEndpoint: "http://127.0.0.1:1", Functions: map[string]string{functionAddress: "chat"}})
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want %q", err, tt.want)
			}
		})
	}
	if _, err := New(Config{}); err == nil || !strings.Contains(err.Error(), "stage") {
		t.Errorf("an API without a stage: %v", err)
	}
}
