package cloudfront

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	"golang.org/x/net/http/httpguts"
)

// hidden are headers that functions neither see nor may add ("Restrictions on
// edge functions").
var hidden = headerSet("Connection", "Expect", "Keep-Alive", "Proxy-Authenticate", "Proxy-Authorization", "Proxy-Connection",
	"Trailer", "Upgrade", "X-Accel-Buffering", "X-Accel-Charset", "X-Accel-Limit-Rate", "X-Accel-Redirect", "X-Amzn-Auth",
	"X-Amzn-Cf-Billing", "X-Amzn-Cf-Id", "X-Amzn-Cf-Xff", "X-Amzn-Errortype", "X-Amzn-Fle-Profile", "X-Amzn-Header-Count",
	"X-Amzn-Header-Order", "X-Amzn-Lambda-Integration-Tag", "X-Amzn-RequestId", "X-Cache", "X-Forwarded-Proto", "X-Real-IP")

func isHidden(name string) bool {
	return hidden[name] || strings.HasPrefix(name, "X-Edge-") || strings.HasPrefix(name, "X-Amz-Cf-")
}

var (
	readOnlyRequest  = headerSet("Content-Length", "Host", "Transfer-Encoding", "Via")
	readOnlyResponse = headerSet("Warning", "Via")
)

// functionRequest is the request of an event.
type functionRequest struct {
	Method      string `json:"method"`
	URI         string `json:"uri"`
	Querystring fields `json:"querystring"`
	Headers     fields `json:"headers"`
	Cookies     fields `json:"cookies"`
}

func (x *exchange) functionRequest() functionRequest {
	r := functionRequest{Method: x.r.Method, URI: x.request.path, Querystring: fields{}, Headers: headerFields(x.request.headers, "Cookie"), Cookies: fields{}}
	r.Headers = append(fields{{"host", field{Value: x.request.host}}}, r.Headers...)
	for pair := range strings.SplitSeq(x.request.query, "&") {
		if name, value, _ := strings.Cut(pair, "="); pair != "" {
			r.Querystring.add(name, field{Value: value})
		}
	}
	for pair := range strings.SplitSeq(strings.Join(x.request.headers.Values("Cookie"), ";"), ";") {
		if name, value, _ := strings.Cut(strings.TrimSpace(pair), "="); name != "" {
			r.Cookies.add(name, field{Value: value})
		}
	}
	return r
}

func headerFields(h http.Header, cookies string) fields {
	out := fields{}
	for _, name := range slices.Sorted(maps.Keys(h)) {
		if name == cookies || isHidden(name) {
			continue
		}
		for _, v := range h[name] {
			out.add(strings.ToLower(name), field{Value: v})
		}
	}
	return out
}

// call runs a function on an event and returns its result.
func (d *Distribution) call(x *exchange, f *function, kind string, request functionRequest, response *functionResponse) ([]byte, error) {
	event := members{
		{"version", "1.0"},
		{"context", members{{"distributionDomainName", d.cfg.DomainName}, {"distributionId", "EDFDVBD6EXAMPLE"},
			{"eventType", kind}, {"requestId", x.id}}},
		{"viewer", members{{"ip", clientIP(x.r)}}},
		{"request", request},
	}
	if response != nil {
		event = append(event, member{"response", response})
	}
	text, err := json.Marshal(event)
	if err != nil {
		return nil, fmt.Errorf("function %s: %w", f.name, err)
	}
	result, err := f.run(text, func(line string) { d.log.Info("cloudfront function", "function", f.name, "request", x.id, "log", line) })
	if err != nil {
		return nil, fmt.Errorf("function %s: %w", f.name, err)
	}
	return []byte(result), nil
}

// runViewerRequest lets the function change the request, or answer it.
func (d *Distribution) runViewerRequest(x *exchange) (*answer, error) {
	before := x.functionRequest()
	result, err := d.call(x, x.b.viewerRequest, "viewer-request", before, nil)
	if err != nil {
		return nil, err
	}
	var shape struct {
		StatusCode *json.Number `json:"statusCode"`
	}
	if err := json.Unmarshal(result, &shape); err != nil {
		return nil, invalidResult{fmt.Errorf("result is not an object: %.60q", result)}
	}
	if shape.StatusCode != nil {
		return generated(result)
	}
	var after functionRequest
	if err := json.Unmarshal(result, &after); err != nil {
		return nil, invalidResult{err}
	}
	return nil, x.apply(before, after)
}

// apply takes over what a viewer-request function changed.
func (x *exchange) apply(before, after functionRequest) error {
	switch {
	case after.Method != before.Method:
		return invalidResult{errors.New("the method is read-only")}
	case !strings.HasPrefix(after.URI, "/") || strings.ContainsAny(after.URI, " #?\r\n\t"):
		return invalidResult{fmt.Errorf("uri %q", after.URI)}
	case len(after.URI)+len(joinFields(after.Querystring, before.Querystring, "&")) >= maxURL:
		return invalidResult{errors.New("the URI is too long")}
	}
	headers, err := fieldHeaders(after.Headers, before.Headers, readOnlyRequest)
	if err != nil {
		return err
	}
	headers.Del("Host")
	x.applyCookies(headers, before.Cookies, after.Cookies)
	for name, values := range x.request.headers {
		if isHidden(name) {
			headers[name] = values
		}
	}
	if query := joinFields(after.Querystring, before.Querystring, "&"); query != joinFields(before.Querystring, before.Querystring, "&") {
		x.request.query = query
	}
	x.request.path, x.request.headers = after.URI, headers
	return nil
}

// applyCookies leaves the viewer's own header where the function changed nothing.
func (x *exchange) applyCookies(h http.Header, before, after fields) {
	cookies := joinFields(after, before, "; ")
	switch {
	case cookies == joinFields(before, before, "; "):
		if own := x.request.headers.Values("Cookie"); len(own) > 0 {
			h["Cookie"] = own
		}
	case cookies != "":
		h.Set("Cookie", cookies)
	}
}

// joinFields writes fields as pairs; an empty value has no equals sign.
func joinFields(after, before fields, separator string) string {
	var out []string
	for _, e := range after {
		for _, v := range e.values(before) {
			if v.Value == "" {
				out = append(out, e.name)
				continue
			}
			out = append(out, e.name+"="+v.Value)
		}
	}
	return strings.Join(out, separator)
}

func fieldHeaders(after, before fields, readOnly map[string]bool) (http.Header, error) {
	h := http.Header{}
	for _, e := range after {
		name := http.CanonicalHeaderKey(e.name)
		old, had := before.get(e.name)
		switch {
		case e.name != strings.ToLower(e.name):
			return nil, invalidResult{fmt.Errorf("header %q is not in lower case", e.name)}
		case !httpguts.ValidHeaderFieldName(e.name):
			return nil, invalidResult{fmt.Errorf("header name %q", e.name)}
		case isHidden(name):
			return nil, invalidResult{fmt.Errorf("header %q is not allowed", e.name)}
		case readOnly[name] && (!had || old.Value != e.Value):
			return nil, invalidResult{fmt.Errorf("header %q is read-only", e.name)}
		}
		for _, v := range e.values(before) {
			if !httpguts.ValidHeaderFieldValue(v.Value) {
				return nil, invalidResult{fmt.Errorf("header %q has a value that cannot be sent", e.name)}
			}
			h[name] = append(h[name], v.Value)
		}
	}
	for name := range readOnly {
		if old, had := before.get(strings.ToLower(name)); had && h.Get(name) != old.Value {
			return nil, invalidResult{fmt.Errorf("header %q is read-only", strings.ToLower(name))}
		}
	}
	return h, nil
}
