package cloudfront

import (
	"errors"
	"net/http"

	"github.com/aproorg/sluice/internal/emulate/cloudfront/function"
)

// event is what a function learns beside the request and the response.
func (d *Distribution) event(x *exchange, f *function.Function) function.Event {
	return function.Event{DomainName: d.cfg.DomainName, RequestID: x.id, ViewerIP: clientIP(x.r), Log: func(line string) {
		d.log.Info("cloudfront function", "function", f.Name(), "request", x.id, "log", line)
	}}
}

// runViewerRequest lets the function change the request, or answer it.
func (d *Distribution) runViewerRequest(x *exchange) (*answer, error) {
	f := x.b.viewerRequest
	request, response, err := f.ViewerRequest(d.event(x, f), x.request)
	if err != nil {
		return nil, err
	}
	x.request = request
	if response == nil {
		return nil, nil
	}
	a := newAnswer(response.Status, string(response.Body))
	a.xCache = "FunctionGeneratedResponse from cloudfront"
	a.header.Set("Server", "CloudFront")
	for name, values := range response.Header {
		a.header[name] = values
	}
	return a, nil
}

// runViewerResponse lets the function change an answer before it is sent.
func (d *Distribution) runViewerResponse(x *exchange, a *answer) error {
	f := x.b.viewerResponse
	response, err := f.ViewerResponse(d.event(x, f), x.request, function.Response{Status: a.status, Header: a.header})
	if err != nil {
		return err
	}
	a.status, a.header = response.Status, response.Header
	if response.HasBody {
		a.source.close()
		a.source = memorySource(response.Body)
	}
	return nil
}

// functionFailed is 502 for a result that CloudFront refuses and 503 for a
// function that failed to run.
func (x *exchange) functionFailed(err error) *answer {
	var invalid function.InvalidResult
	if errors.As(err, &invalid) {
		return x.errorPage(http.StatusBadGateway, "The CloudFront function returned an invalid value: "+invalid.Error())
	}
	a := x.errorPage(http.StatusServiceUnavailable, "The CloudFront function associated with the CloudFront distribution is invalid or could not run.")
	a.xCache = "FunctionExecutionError from cloudfront"
	return a
}
