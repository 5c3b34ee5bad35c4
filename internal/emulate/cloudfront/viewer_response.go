package cloudfront

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
)

// functionResponse is the response of an event, or one that a function makes.
type functionResponse struct {
	StatusCode        int             `json:"statusCode"`
	StatusDescription string          `json:"statusDescription"`
	Headers           fields          `json:"headers"`
	Cookies           fields          `json:"cookies"`
	Body              json.RawMessage `json:"body,omitempty"`
}

// generated is an answer that a viewer-request function made.
func generated(result []byte) (*answer, error) {
	var r functionResponse
	if err := json.Unmarshal(result, &r); err != nil {
		return nil, invalidResult{err}
	}
	body, _, err := r.body()
	if err != nil {
		return nil, err
	}
	a := newAnswer(r.StatusCode, string(body))
	a.xCache = "FunctionGeneratedResponse from cloudfront"
	a.header.Set("Server", "CloudFront")
	return a, r.setHeaders(a, functionResponse{})
}

// setHeaders puts the function's status, headers and cookies into an answer.
func (r *functionResponse) setHeaders(a *answer, before functionResponse) error {
	if r.StatusCode < 200 || r.StatusCode > 599 {
		return invalidResult{fmt.Errorf("statusCode %d", r.StatusCode)}
	}
	headers, err := fieldHeaders(r.Headers, before.Headers, readOnlyResponse)
	if err != nil {
		return err
	}
	headers.Del("Content-Length")
	for name, values := range headers {
		a.header[name] = values
	}
	a.header.Del("Set-Cookie")
	for _, e := range r.Cookies {
		for _, v := range e.values(before.Cookies) {
			cookie := e.name + "=" + v.Value
			if v.Attributes != "" {
				cookie += "; " + v.Attributes
			}
			a.header.Add("Set-Cookie", cookie)
		}
	}
	a.status = r.StatusCode
	return nil
}

// body is the body that a function gave: a string, or data with its encoding.
func (r *functionResponse) body() (body []byte, given bool, err error) {
	if len(r.Body) == 0 || bytes.Equal(r.Body, []byte("null")) {
		return nil, false, nil
	}
	var text string
	if json.Unmarshal(r.Body, &text) == nil {
		return checkBody([]byte(text))
	}
	var b struct{ Encoding, Data string }
	if err := json.Unmarshal(r.Body, &b); err != nil {
		return nil, false, invalidResult{fmt.Errorf("body: %w", err)}
	}
	switch b.Encoding {
	case "text", "":
		return checkBody([]byte(b.Data))
	case "base64":
		data, err := base64.StdEncoding.DecodeString(b.Data)
		if err != nil {
			return nil, false, invalidResult{fmt.Errorf("body: %w", err)}
		}
		return checkBody(data)
	}
	return nil, false, invalidResult{fmt.Errorf("body encoding %q", b.Encoding)}
}

func checkBody(b []byte) ([]byte, bool, error) {
	if len(b) > maxFunctionBody {
		return nil, false, invalidResult{fmt.Errorf("body of %d bytes", len(b))}
	}
	return b, true, nil
}

// runViewerResponse lets the function change an answer before it is sent.
func (d *Distribution) runViewerResponse(x *exchange, a *answer) error {
	before := functionResponse{StatusCode: a.status, StatusDescription: http.StatusText(a.status),
		Headers: headerFields(a.header, "Set-Cookie"), Cookies: fields{}}
	for _, c := range a.header.Values("Set-Cookie") {
		pair, attributes, _ := strings.Cut(c, ";")
		name, value, _ := strings.Cut(pair, "=")
		before.Cookies.add(strings.TrimSpace(name), field{Value: value, Attributes: strings.TrimSpace(attributes)})
	}
	result, err := d.call(x, x.b.viewerResponse, "viewer-response", x.functionRequest(), &before)
	if err != nil {
		return err
	}
	var after functionResponse
	if err := json.Unmarshal(result, &after); err != nil {
		return invalidResult{err}
	}
	body, given, err := after.body()
	if err != nil {
		return err
	}
	kept := http.Header{}
	for name, values := range a.header {
		if isHidden(name) || name == "Content-Length" {
			kept[name] = values
		}
	}
	a.header = kept
	if given {
		a.source.close()
		a.source = memorySource(body)
		a.header.Set("Content-Length", fmt.Sprint(len(body)))
	}
	return after.setHeaders(a, before)
}

// functionFailed is 502 for a result that CloudFront refuses and 503 for a
// function that failed to run.
func (x *exchange) functionFailed(err error) *answer {
	var invalid invalidResult
	if errors.As(err, &invalid) {
		return x.errorPage(http.StatusBadGateway, "The CloudFront function returned an invalid value: "+invalid.Error())
	}
	a := x.errorPage(http.StatusServiceUnavailable, "The CloudFront function associated with the CloudFront distribution is invalid or could not run.")
	a.xCache = "FunctionExecutionError from cloudfront"
	return a
}
