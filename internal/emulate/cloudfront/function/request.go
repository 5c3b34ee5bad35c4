package function

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

// maxURL is a quota, in bytes.
const maxURL = 8192

func headerSet(names ...string) map[string]bool {
	set := map[string]bool{}
	for _, n := range names {
		set[http.CanonicalHeaderKey(n)] = true
	}
	return set
}

// functionRequest is the request of an event.
type functionRequest struct {
	Method      string `json:"method"`
	URI         string `json:"uri"`
	Querystring fields `json:"querystring"`
	Headers     fields `json:"headers"`
	Cookies     fields `json:"cookies"`
}

// Request is the part of a viewer request that a function sees, and may change but
// for its method.
type Request struct {
	Method string
	Path   string // escaped
	Query  string
	Header http.Header // with Cookie and without Host
	Host   string
}

func (r Request) event() functionRequest {
	out := functionRequest{Method: r.Method, URI: r.Path, Querystring: fields{}, Headers: headerFields(r.Header, "Cookie"), Cookies: fields{}}
	out.Headers = append(fields{{"host", field{Value: r.Host}}}, out.Headers...)
	for pair := range strings.SplitSeq(r.Query, "&") {
		if name, value, _ := strings.Cut(pair, "="); pair != "" {
			out.Querystring.add(name, field{Value: value})
		}
	}
	for pair := range strings.SplitSeq(strings.Join(r.Header.Values("Cookie"), ";"), ";") {
		if name, value, _ := strings.Cut(strings.TrimSpace(pair), "="); name != "" {
			out.Cookies.add(name, field{Value: value})
		}
	}
	return out
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

// Event is what a function learns beside the request and the response.
type Event struct {
	DomainName string // of the distribution
	RequestID  string
	ViewerIP   string
	Log        func(line string) // called for each console.log
}

// call runs a function on an event and returns its result.
func (f *Function) call(e Event, kind string, request functionRequest, response *functionResponse) ([]byte, error) {
	event := members{
		{"version", "1.0"},
		{"context", members{{"distributionDomainName", e.DomainName}, {"distributionId", "EDFDVBD6EXAMPLE"},
			{"eventType", kind}, {"requestId", e.RequestID}}},
		{"viewer", members{{"ip", e.ViewerIP}}},
		{"request", request},
	}
	if response != nil {
		event = append(event, member{"response", response})
	}
	text, err := json.Marshal(event)
	if err != nil {
		return nil, fmt.Errorf("function %s: %w", f.name, err)
	}
	result, err := f.run(text, e.Log)
	if err != nil {
		return nil, fmt.Errorf("function %s: %w", f.name, err)
	}
	return []byte(result), nil
}

// ViewerRequest lets the function change a request, or answer it: then the response
// is not nil.
func (f *Function) ViewerRequest(e Event, r Request) (Request, *Response, error) {
	before := r.event()
	result, err := f.call(e, "viewer-request", before, nil)
	if err != nil {
		return r, nil, err
	}
	var shape struct {
		StatusCode *json.Number `json:"statusCode"`
	}
	if err := json.Unmarshal(result, &shape); err != nil {
		return r, nil, InvalidResult{fmt.Errorf("result is not an object: %.60q", result)}
	}
	if shape.StatusCode != nil {
		response, err := generated(result)
		return r, response, err
	}
	var after functionRequest
	if err := json.Unmarshal(result, &after); err != nil {
		return r, nil, InvalidResult{err}
	}
	changed, err := r.apply(before, after)
	return changed, nil, err
}

// apply takes over what a viewer-request function changed.
func (r Request) apply(before, after functionRequest) (Request, error) {
	switch {
	case after.Method != before.Method:
		return r, InvalidResult{errors.New("the method is read-only")}
	case !strings.HasPrefix(after.URI, "/") || strings.ContainsAny(after.URI, " #?\r\n\t"):
		return r, InvalidResult{fmt.Errorf("uri %q", after.URI)}
	case len(after.URI)+len(joinFields(after.Querystring, before.Querystring, "&")) >= maxURL:
		return r, InvalidResult{errors.New("the URI is too long")}
	}
	headers, err := fieldHeaders(after.Headers, before.Headers, readOnlyRequest)
	if err != nil {
		return r, err
	}
	headers.Del("Host")
	r.applyCookies(headers, before.Cookies, after.Cookies)
	for name, values := range r.Header {
		if isHidden(name) {
			headers[name] = values
		}
	}
	if query := joinFields(after.Querystring, before.Querystring, "&"); query != joinFields(before.Querystring, before.Querystring, "&") {
		r.Query = query
	}
	r.Path, r.Header = after.URI, headers
	return r, nil
}

// applyCookies leaves the viewer's own header where the function changed nothing.
func (r Request) applyCookies(h http.Header, before, after fields) {
	cookies := joinFields(after, before, "; ")
	switch {
	case cookies == joinFields(before, before, "; "):
		if own := r.Header.Values("Cookie"); len(own) > 0 {
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
			return nil, InvalidResult{fmt.Errorf("header %q is not in lower case", e.name)}
		case !httpguts.ValidHeaderFieldName(e.name):
			return nil, InvalidResult{fmt.Errorf("header name %q", e.name)}
		case isHidden(name):
			return nil, InvalidResult{fmt.Errorf("header %q is not allowed", e.name)}
		case readOnly[name] && (!had || old.Value != e.Value):
			return nil, InvalidResult{fmt.Errorf("header %q is read-only", e.name)}
		}
		for _, v := range e.values(before) {
			if !httpguts.ValidHeaderFieldValue(v.Value) {
				return nil, InvalidResult{fmt.Errorf("header %q has a value that cannot be sent", e.name)}
			}
			h[name] = append(h[name], v.Value)
		}
	}
	for name := range readOnly {
		if old, had := before.get(strings.ToLower(name)); had && h.Get(name) != old.Value {
			return nil, InvalidResult{fmt.Errorf("header %q is read-only", strings.ToLower(name))}
		}
	}
	return h, nil
}
