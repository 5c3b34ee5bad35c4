package apigateway

import (
	"io"
	"net/http"
	"strconv"
)

// gatewayResponse is an answer of API Gateway's own, in its default form
// (developer guide, "Gateway response types").
type gatewayResponse struct {
	status      int
	body        string
	errorType   string // x-amzn-ErrorType
	contentType string // application/json if empty
}

// The texts below are those that the service sends. The 10 MB refusal comes from
// the front of the service and is plain text; Lambda's own limit of 6 MB comes
// back as JSON (both measured in github.com/koki-develop/lgtm-generator/issues/10).
// API Gateway answers 500 when Lambda rejects an invocation, throttling
// included, and 502 when the function fails or answers in a wrong form (Lambda
// developer guide, "Handling errors with API Gateway").
var (
	forbidden        = jsonResponse(403, "Forbidden", "ForbiddenException")
	missingToken     = jsonResponse(403, "Missing Authentication Token", "MissingAuthenticationTokenException")
	badRequest       = jsonResponse(400, "Bad Request", "BadRequestException")
	headersTooLarge  = jsonResponse(431, "Request Header Fields Too Large", "BadRequestException")
	tooManyRequests  = jsonResponse(429, "Too Many Requests", "TooManyRequestsException")
	requestTooLong   = jsonResponse(413, "Request Too Long", "BadRequestException")
	internalError    = jsonResponse(500, "Internal server error", "InternalServerErrorException")
	badGateway       = jsonResponse(502, "Internal server error", "InternalServerErrorException")
	endpointTimedOut = jsonResponse(504, "Endpoint request timed out", "InternalServerErrorException")
	bodyTooLarge     = gatewayResponse{
		status: 413, body: "HTTP content length exceeded 10485760 bytes.", contentType: "text; charset=utf-8"}
)

func jsonResponse(status int, message, errorType string) gatewayResponse {
	return gatewayResponse{status: status, body: `{"message": "` + message + `"}`, errorType: errorType}
}

// fail answers with gr and returns cause, for the timeline. Once the response has
// begun there is nothing to answer: the caller cuts the connection.
func (x *exchange) fail(gr gatewayResponse, cause error) error {
	if x.started {
		return cause
	}
	h := x.w.Header()
	clear(h)
	h.Set("Content-Type", or(gr.contentType, "application/json"))
	h.Set("Content-Length", strconv.Itoa(len(gr.body)))
	if gr.errorType != "" {
		h.Set("X-Amzn-Errortype", gr.errorType)
	}
	if err := x.begin(gr.status); err != nil {
		return err
	}
	n, err := io.WriteString(x.w, gr.body)
	x.bytes += int64(n)
	x.started = err != nil // a whole answer needs no cut
	if cause == nil {
		cause = err
	}
	return cause
}

const (
	maxBody    = 10 << 20 // payload, REST quotas
	maxHeaders = 10240    // request line and headers together, REST quotas
	noteBody   = "request body over 10,485,760 bytes"
)

// admit checks what API Gateway refuses before it looks at resources.
func (g *Gateway) admit(x *exchange) *gatewayResponse {
	r := x.r
	stage, _ := splitStage(r.URL.EscapedPath())
	switch {
	case stage != g.cfg.API.StageName, !g.hostKnown(r.Host):
		return &forbidden
	case headerSize(r) > maxHeaders:
		x.limit("request line and headers over 10,240 bytes")
		return &headersTooLarge
	case unsupportedQuery(r.URL.RawQuery):
		return &badRequest
	case r.ContentLength > maxBody:
		x.limit(noteBody)
		return &bodyTooLarge
	}
	return nil
}

func (g *Gateway) hostKnown(host string) bool {
	if len(g.cfg.Hosts) == 0 {
		return true
	}
	for _, h := range g.cfg.Hosts {
		if h == host {
			return true
		}
	}
	return false
}

func headerSize(r *http.Request) int {
	n := len(r.Method) + len(r.URL.RequestURI()) + len(r.Proto) + len("Host: ") + len(r.Host) + 6
	for name, values := range r.Header {
		for _, v := range values {
			n += len(name) + len(v) + 4
		}
	}
	return n
}

// unsupportedQuery reports characters that must be encoded in a query
// ("Important notes": the pipe and curly braces).
func unsupportedQuery(raw string) bool {
	for i := range len(raw) {
		if raw[i] == '|' || raw[i] == '{' || raw[i] == '}' {
			return true
		}
	}
	return false
}
