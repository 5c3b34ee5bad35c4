package stack

import "time"

// RestAPI is an aws_api_gateway_rest_api with its one stage.
type RestAPI struct {
	Address          string
	Name             string
	EndpointType     string   // REGIONAL or EDGE
	BinaryMediaTypes []string // e.g. */*
	StageName        string
	AccessLogFormat  string
	Resources        []Resource
}

// Resource is an aws_api_gateway_resource with its methods.
type Resource struct {
	Address string
	Path    string // from the root: /api/{proxy+}
	Methods []Method
}

// Method is an aws_api_gateway_method with its integration.
type Method struct {
	HTTPMethod  string // GET, …, or ANY
	Integration Integration
}

// Integration types and response transfer modes.
const (
	IntegrationProxy = "AWS_PROXY"
	IntegrationMock  = "MOCK"
	TransferStream   = "STREAM"
	TransferBuffered = "BUFFERED"
)

// Integration is an aws_api_gateway_integration.
type Integration struct {
	Address              string
	Type                 string // AWS_PROXY or MOCK
	ResponseTransferMode string // BUFFERED (the default) or STREAM
	Timeout              time.Duration
	RequestTemplates     map[string]string // by content type; for MOCK
	Responses            []IntegrationResponse
	// Function is the Terraform address of the function behind AWS_PROXY.
	Function string
}

// IntegrationResponse is an aws_api_gateway_integration_response, used by MOCK.
type IntegrationResponse struct {
	StatusCode         int
	SelectionPattern   string
	ResponseParameters map[string]string // method.response.header.X = 'literal'
	ResponseTemplates  map[string]string
}
