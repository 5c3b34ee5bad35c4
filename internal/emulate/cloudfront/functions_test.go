package cloudfront

import (
	"io"
	"net/http"
	"strings"
	"testing"
)

// The event's values are those of the developer guide's example.
func TestFunctionSeesTheEventOfTheGuide(t *testing.T) {
	code := `function handler(event) {
		var r = event.request, want = [
			["version", event.version, "1.0"],
			["type", event.context.eventType, "viewer-request"],
			["request id", event.context.requestId.length > 20, true],
			["ip", event.viewer.ip, "127.0.0.1"],
			["method", r.method, "GET"],
			["uri", r.uri, "/media/index.mpd"],
			["ID", r.querystring.ID.value, "42"],
			["NoValue", r.querystring.NoValue.value, ""],
			["querymv", JSON.stringify(r.querystring.querymv), '{"value":"val1","multiValue":[{"value":"val1"},{"value":"val2,val3"}]}'],
			["order", Object.keys(r.querystring).join(), "ID,NoValue,querymv"],
			["host", r.headers.host.value, "video.example.com"],
			["accept", r.headers.accept.multiValue.length, 3],
			["accept-language", r.headers["accept-language"].value, "en-GB,en;q=0.5"],
			["cookie header", r.headers.cookie, undefined],
			["cookies", r.cookies.Cookie1.value, "value1"],
			["cookiemv", r.cookies.cookiemv.multiValue[1].value, "value4"],
			["hidden", r.headers.upgrade, undefined]
		];
		var wrong = want.filter(function (w) { return w[1] !== w[2]; });
		return { statusCode: 200, headers: { "x-wrong": { value: JSON.stringify(wrong) } } };
	}`
	edge, _ := newDistribution(t, nil, nil, withFunction("viewer-request", code))
	res, _ := do(t, "GET", edge.URL+"/media/index.mpd?ID=42&NoValue=&querymv=val1&querymv=val2,val3", nil, "Host", "video.example.com",
		"Accept", "application/json", "Accept", "application/xml", "Accept", "text/html", "Accept-Language", "en-GB,en;q=0.5",
		"Cookie", "Cookie1=value1; Cookie2=value2; cookiemv=value3; cookiemv=value4", "Upgrade", "x")
	if got := res.Header.Get("X-Wrong"); got != "[]" {
		t.Errorf("%d: wrong in the event: %s", res.StatusCode, got)
	}
	if got := res.Header.Get("X-Cache"); got != "FunctionGeneratedResponse from cloudfront" {
		t.Errorf("X-Cache %q", got)
	}
}

func TestViewerRequestResults(t *testing.T) {
	ret := func(s string) string {
		return "function handler(event) { var request = event.request; " + s + " return request; }"
	}
	tests := map[string]struct {
		code   string
		status int
		origin string // what the origin got, or part of the answer
	}{
		"unchanged query stays as it came": {ret(""), 200, "GET /bucket/a?x=&y=%2F x-a= cookie=s=1; t=2"},
		"query and header":                 {ret("request.querystring.z = {value: '9'}; request.headers['x-a'] = {value: 'b'};"), 200, "GET /bucket/a?x&y=%2F&z=9 x-a=b cookie=s=1; t=2"},
		"several values":                   {ret("request.querystring = {x: {value: 'no', multiValue: [{value: '1'}, {value: '2'}]}};"), 200, "GET /bucket/a?x=1&x=2 x-a= cookie=s=1; t=2"},
		"cookies":                          {ret("delete request.cookies.s; request.cookies.u = {value: 'a&b'};"), 200, "GET /bucket/a?x=&y=%2F x-a= cookie=t=2; u=a&b"},
		"redirect":                         {"function handler(e) { return {statusCode: 302, statusDescription: 'Found', headers: {location: {value: '/x'}}, cookies: {c: {value: '1', attributes: 'Path=/'}}}; }", 302, ""},
		"answer with a body":               {"function handler(e) { return {statusCode: 200, body: {encoding: 'base64', data: 'aGVsbG8='}}; }", 200, "hello"},
		"method is read-only":              {ret("request.method = 'POST';"), 502, "invalid value"},
		"host is read-only":                {ret("request.headers.host.value = 'x';"), 502, "read-only"},
		"host cannot go":                   {ret("delete request.headers.host;"), 502, "read-only"},
		"forbidden header":                 {ret("request.headers['x-amz-cf-id'] = {value: 'x'};"), 502, "not allowed"},
		"capital letters":                  {ret("request.headers['X-A'] = {value: 'x'};"), 502, "lower case"},
		"uri without a slash":              {ret("request.uri = 'x';"), 502, "uri"},
		"uri with a query":                 {ret("request.uri = '/x?y';"), 502, "uri"},
		"no result":                        {"function handler(e) {}", 502, "invalid value"},
		"wrong status":                     {"function handler(e) { return {statusCode: 99}; }", 502, "statusCode 99"},
		"wrong base64":                     {"function handler(e) { return {statusCode: 200, body: {encoding: 'base64', data: '?'}}; }", 502, "body"},
		"exception":                        {"function handler(e) { return e.nothing.at.all; }", 503, "could not run"},
	}
	everythingToOrigin := func(c *Config) {
		b := &c.Distribution.DefaultCacheBehavior
		b.CachePolicy, b.OriginRequestPolicy = cachingDisabled, allButHost
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			edge, _ := newDistribution(t, func(w http.ResponseWriter, r *http.Request) {
				io.WriteString(w, r.Method+" "+r.URL.RequestURI()+" x-a="+r.Header.Get("X-A")+" cookie="+r.Header.Get("Cookie"))
			}, nil, everythingToOrigin, withFunction("viewer-request", tt.code))
			res, body := do(t, "GET", edge.URL+"/a?x=&y=%2F", nil, "Cookie", "s=1; t=2")
			if res.StatusCode != tt.status || !strings.Contains(body, tt.origin) {
				t.Errorf("%d %q, want %d %q", res.StatusCode, body, tt.status, tt.origin)
			}
			if name == "redirect" && (res.Header.Get("Location") != "/x" || res.Header.Get("Set-Cookie") != "c=1; Path=/") {
				t.Errorf("headers %v", res.Header)
			}
		})
	}
}

func TestViewerResponseFunction(t *testing.T) {
	code := `function handler(event) {
		var response = event.response;
		response.headers['x-status'] = {value: String(response.statusCode) + ' ' + event.request.uri};
		delete response.headers.server;
		response.cookies.a.value = '2';
		if (event.request.querystring.body) { response.body = 'replaced'; }
		return response;
	}`
	edge, _ := newDistribution(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Server", "origin")
		w.Header().Add("Set-Cookie", "a=1; Path=/")
		w.Header().Add("Set-Cookie", "b=1")
		if r.URL.Path == "/bucket/missing" {
			w.WriteHeader(404)
		}
		io.WriteString(w, "original")
	}, nil, withFunction("viewer-response", code), func(c *Config) {
		b := &c.Distribution.DefaultCacheBehavior
		b.CachePolicy, b.OriginRequestPolicy = cachingDisabled, allButHost
	})
	res, body := do(t, "GET", edge.URL+"/x", nil)
	if body != "original" || res.Header.Get("X-Status") != "200 /x" || res.Header.Get("Server") != "" ||
		strings.Join(res.Header["Set-Cookie"], "|") != "a=2; Path=/|b=1" {
		t.Errorf("%q %v", body, res.Header)
	}
	if _, body := do(t, "GET", edge.URL+"/x?body=1", nil); body != "replaced" {
		t.Errorf("body %q", body)
	}
	if res, _ := do(t, "GET", edge.URL+"/missing", nil); res.Header.Get("X-Status") != "" || res.StatusCode != 404 {
		t.Errorf("the function ran on an error of the origin: %v", res.Header)
	}
}
