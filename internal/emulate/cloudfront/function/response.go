package function

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
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

// Response is a response that a function sees and may change, or makes.
type Response struct {
	Status  int
	Header  http.Header
	Body    []byte // of the function's own; it does not see the origin's
	HasBody bool
}

// generated is an answer that a viewer-request function made.
func generated(result []byte) (*Response, error) {
	var r functionResponse
	if err := json.Unmarshal(result, &r); err != nil {
		return nil, InvalidResult{err}
	}
	body, _, err := r.body()
	if err != nil {
		return nil, err
	}
	out := &Response{Header: http.Header{}, Body: body, HasBody: true}
	return out, r.setHeaders(out, functionResponse{})
}

// setHeaders puts the function's status, headers and cookies into a response.
func (r *functionResponse) setHeaders(out *Response, before functionResponse) error {
	if r.StatusCode < 200 || r.StatusCode > 599 {
		return InvalidResult{fmt.Errorf("statusCode %d", r.StatusCode)}
	}
	headers, err := fieldHeaders(r.Headers, before.Headers, readOnlyResponse)
	if err != nil {
		return err
	}
	headers.Del("Content-Length")
	for name, values := range headers {
		out.Header[name] = values
	}
	out.Header.Del("Set-Cookie")
	for _, e := range r.Cookies {
		for _, v := range e.values(before.Cookies) {
			cookie := e.name + "=" + v.Value
			if v.Attributes != "" {
				cookie += "; " + v.Attributes
			}
			out.Header.Add("Set-Cookie", cookie)
		}
	}
	out.Status = r.StatusCode
	return nil
}

// body is the body that a function gave: a string, or data with its encoding.
func (r *functionResponse) body() (body []byte, ok bool, err error) {
	if len(r.Body) == 0 || bytes.Equal(r.Body, []byte("null")) {
		return nil, false, nil
	}
	var text string
	if json.Unmarshal(r.Body, &text) == nil {
		return checkBody([]byte(text))
	}
	var b struct{ Encoding, Data string }
	if err := json.Unmarshal(r.Body, &b); err != nil {
		return nil, false, InvalidResult{fmt.Errorf("body: %w", err)}
	}
	switch b.Encoding {
	case "text", "":
		return checkBody([]byte(b.Data))
	case "base64":
		data, err := base64.StdEncoding.DecodeString(b.Data)
		if err != nil {
			return nil, false, InvalidResult{fmt.Errorf("body: %w", err)}
		}
		return checkBody(data)
	}
	return nil, false, InvalidResult{fmt.Errorf("body encoding %q", b.Encoding)}
}

func checkBody(b []byte) ([]byte, bool, error) {
	if len(b) > maxFunctionBody {
		return nil, false, InvalidResult{fmt.Errorf("body of %d bytes", len(b))}
	}
	return b, true, nil
}

// ViewerResponse lets the function change a response before it is sent.
func (f *Function) ViewerResponse(e Event, request Request, r Response) (Response, error) {
	before := functionResponse{StatusCode: r.Status, StatusDescription: http.StatusText(r.Status),
		Headers: headerFields(r.Header, "Set-Cookie"), Cookies: fields{}}
	for _, c := range r.Header.Values("Set-Cookie") {
		pair, attributes, _ := strings.Cut(c, ";")
		name, value, _ := strings.Cut(pair, "=")
		before.Cookies.add(strings.TrimSpace(name), field{Value: value, Attributes: strings.TrimSpace(attributes)})
	}
	result, err := f.call(e, "viewer-response", request.event(), &before)
	if err != nil {
		return r, err
	}
	var after functionResponse
	if err := json.Unmarshal(result, &after); err != nil {
		return r, InvalidResult{err}
	}
	body, ok, err := after.body()
	if err != nil {
		return r, err
	}
	out := Response{Header: http.Header{}, Body: body, HasBody: ok}
	for name, values := range r.Header {
		if isHidden(name) || name == "Content-Length" {
			out.Header[name] = values
		}
	}
	if ok {
		out.Header.Set("Content-Length", fmt.Sprint(len(body)))
	}
	return out, after.setHeaders(&out, before)
}
