package apigateway

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"mime"
	"net"
	"net/http"
	"net/url"
	"strings"
	"unicode/utf8"
)

// event is the input of a proxy integration, payload version 1.0 (developer
// guide, "Input format of a Lambda function for proxy integration"). Maps that
// would be empty are null, as the service sends them.
type event struct {
	Resource          string              `json:"resource"`
	Path              string              `json:"path"`
	HTTPMethod        string              `json:"httpMethod"`
	Headers           map[string]string   `json:"headers"`
	MultiValueHeaders map[string][]string `json:"multiValueHeaders"`
	Query             *object[string]     `json:"queryStringParameters"`
	MultiValueQuery   *object[[]string]   `json:"multiValueQueryStringParameters"`
	PathParameters    map[string]string   `json:"pathParameters"`
	StageVariables    map[string]string   `json:"stageVariables"`
	RequestContext    requestContext      `json:"requestContext"`
	Body              *string             `json:"body"`
	IsBase64Encoded   bool                `json:"isBase64Encoded"`
}

type requestContext struct {
	ResourceID        string   `json:"resourceId"`
	ResourcePath      string   `json:"resourcePath"`
	HTTPMethod        string   `json:"httpMethod"`
	ExtendedRequestID string   `json:"extendedRequestId"`
	RequestTime       string   `json:"requestTime"` // CLF: 04/Mar/2020:19:15:17 +0000
	Path              string   `json:"path"`        // with the stage
	AccountID         string   `json:"accountId"`
	Protocol          string   `json:"protocol"`
	Stage             string   `json:"stage"`
	DomainPrefix      string   `json:"domainPrefix"`
	RequestTimeEpoch  int64    `json:"requestTimeEpoch"` // ms
	RequestID         string   `json:"requestId"`
	Identity          identity `json:"identity"`
	DomainName        string   `json:"domainName"`
	DeploymentID      string   `json:"deploymentId"`
	APIID             string   `json:"apiId"`
}

// identity is without an authorizer: everything but the address is null.
type identity struct {
	CognitoIdentityPoolID         *string `json:"cognitoIdentityPoolId"`
	AccountID                     *string `json:"accountId"`
	CognitoIdentityID             *string `json:"cognitoIdentityId"`
	APIKey                        *string `json:"apiKey,omitempty"`   // where the method needs one
	APIKeyID                      *string `json:"apiKeyId,omitempty"` // as above
	Caller                        *string `json:"caller"`
	SourceIP                      string  `json:"sourceIp"`
	PrincipalOrgID                *string `json:"principalOrgId"`
	AccessKey                     *string `json:"accessKey"`
	CognitoAuthenticationType     *string `json:"cognitoAuthenticationType"`
	CognitoAuthenticationProvider *string `json:"cognitoAuthenticationProvider"`
	UserARN                       *string `json:"userArn"`
	UserAgent                     *string `json:"userAgent"`
	User                          *string `json:"user"`
}

func (g *Gateway) event(x *exchange, route match, body []byte) ([]byte, error) {
	headers := requestHeaders(x, g.DomainName())
	query := parseQuery(x.r.URL.RawQuery)
	e := event{
		Resource: route.path, Path: x.path, HTTPMethod: x.method,
		Headers: last(headers), MultiValueHeaders: headers,
		Query: query.last(), MultiValueQuery: query.all(),
		PathParameters: nullable(route.params),
		RequestContext: g.requestContext(x, route),
	}
	if len(body) > 0 {
		text, kind := string(body), x.r.Header.Get("Content-Type")
		if e.IsBase64Encoded = isBinary(g.cfg.API.BinaryMediaTypes, kind); e.IsBase64Encoded {
			text = base64.StdEncoding.EncodeToString(body)
		} else if !utf8.Valid(body) { // each byte that is not UTF-8 becomes U+FFFD
			x.limit(fmt.Sprintf("the request's body is binary and was damaged: its content type %.100q is not among the API's binary_media_types", kind))
		}
		e.Body = &text
	}
	return json.Marshal(e)
}

func (g *Gateway) requestContext(x *exchange, route match) requestContext {
	c := requestContext{
		ResourceID: route.id, ResourcePath: route.path, HTTPMethod: x.method,
		ExtendedRequestID: x.extended, RequestID: x.requestID,
		RequestTime: x.start.UTC().Format("02/Jan/2006:15:04:05 +0000"), RequestTimeEpoch: x.start.UnixMilli(),
		Path: "/" + g.cfg.API.StageName + x.path, Stage: g.cfg.API.StageName,
		AccountID: g.cfg.AccountID, APIID: g.apiID, DeploymentID: shortID(g.apiID + "deployment")[:6],
		Protocol: "HTTP/1.1", DomainName: g.DomainName(), DomainPrefix: g.apiID,
		Identity: identity{SourceIP: peer(x.r)},
	}
	if agent := x.r.Header.Get("User-Agent"); agent != "" {
		c.Identity.UserAgent = &agent
	}
	if m, ok := route.method(x.method); ok && m.APIKeyRequired {
		id := shortID(g.apiID + "key")
		c.Identity.APIKey, c.Identity.APIKeyID = &g.cfg.API.APIKey, &id
	}
	return c
}

// isBinary reports whether the body goes to the function as base64. A type is
// matched whole or by */*; API Gateway knows no image/* in a request.
func isBinary(binaryTypes []string, contentType string) bool {
	got, _, err := mime.ParseMediaType(contentType)
	if err != nil {
		got = contentType
	}
	for _, t := range binaryTypes {
		if t == "*/*" || strings.EqualFold(t, got) {
			return true
		}
	}
	return false
}

// query holds parameters in the order in which their names first came. The guide does
// not say in which order the service's own objects are.
type query struct {
	names  []string
	values map[string][]string
}

// parseQuery decodes names and values, which REST APIs do before the integration
// sees them, and splits at semicolons too ("Important notes"). What cannot be
// decoded stays as it came.
func parseQuery(raw string) query {
	q := query{values: map[string][]string{}}
	for _, pair := range strings.FieldsFunc(raw, func(r rune) bool { return r == '&' || r == ';' }) {
		name, value, _ := strings.Cut(pair, "=")
		name, value = unescape(name), unescape(value)
		if _, known := q.values[name]; !known {
			q.names = append(q.names, name)
		}
		q.values[name] = append(q.values[name], value)
	}
	return q
}

func (q query) all() *object[[]string] {
	if len(q.names) == 0 {
		return nil
	}
	return &object[[]string]{q.names, q.values}
}

func (q query) last() *object[string] {
	if len(q.names) == 0 {
		return nil
	}
	return &object[string]{q.names, last(q.values)}
}

// object is a JSON object whose members have an order.
type object[V any] struct {
	names  []string
	values map[string]V
}

func (o *object[V]) MarshalJSON() ([]byte, error) {
	out := []byte{'{'}
	for i, name := range o.names {
		key, err := json.Marshal(name)
		if err != nil {
			return nil, err
		}
		value, err := json.Marshal(o.values[name])
		if err != nil {
			return nil, err
		}
		if i > 0 {
			out = append(out, ',')
		}
		out = append(append(append(out, key...), ':'), value...)
	}
	return append(out, '}'), nil
}

func unescape(s string) string {
	if u, err := url.QueryUnescape(s); err == nil {
		return u
	}
	return s
}

// last keeps the last of several values, as the single-value maps do.
func last(multi map[string][]string) map[string]string {
	if multi == nil {
		return nil
	}
	single := make(map[string]string, len(multi))
	for name, values := range multi {
		single[name] = values[len(values)-1]
	}
	return single
}

func nullable(m map[string]string) map[string]string {
	if len(m) == 0 {
		return nil
	}
	return m
}

func peer(r *http.Request) string {
	if host, _, err := net.SplitHostPort(r.RemoteAddr); err == nil {
		return host
	}
	return r.RemoteAddr
}
