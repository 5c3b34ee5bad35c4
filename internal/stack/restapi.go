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
	Throttling       Throttling
	APIKey           string // value of its one API key; empty where there is none, or while it is unknown
	Resources        []Resource
}

// Throttling is what the stage admits (aws_api_gateway_method_settings for */*).
// The account's quotas hold where it says nothing
// (https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-request-throttling.html).
type Throttling struct {
	RateLimit  float64 // requests a second in the long run
	BurstLimit int     // requests at once
}

// AccountThrottling are an account's quotas in a region until they are raised.
var AccountThrottling = Throttling{RateLimit: 10_000, BurstLimit: 5_000}

// Resource is an aws_api_gateway_resource with its methods.
type Resource struct {
	Address string
	Path    string // from the root: /api/{proxy+}
	Methods []Method
}

// Method is an aws_api_gateway_method with its integration.
type Method struct {
	HTTPMethod     string // GET, …, or ANY
	APIKeyRequired bool   // of X-Api-Key: what comes without it is refused
	Integration    Integration
}

// Integration types and response transfer modes.
const (
	IntegrationProxy = "AWS_PROXY"
	IntegrationMock  = "MOCK"
	TransferStream   = "STREAM"
	TransferBuffered = "BUFFERED"
)

// Bounds of an integration's timeout, in the quotas of REST APIs: up to 29 s by default,
// more for regional and private APIs by a raised quota (Terraform's provider allows 300 s),
// 15 minutes with STREAM.
const (
	MinTimeout         = 50 * time.Millisecond
	MaxEdgeTimeout     = 29 * time.Second
	MaxBufferedTimeout = 300 * time.Second
	MaxStreamTimeout   = 15 * time.Minute
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
