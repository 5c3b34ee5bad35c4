package cloudfront

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http/httpguts"

	"github.com/aproorg/sluice/internal/stack"
)

func FuzzFreshness(f *testing.F) {
	f.Add("max-age=60, s-maxage=\"5\"", "Sat, 01 Jan 2028 00:01:00 GMT", 200, int64(0), int64(100))
	f.Add("max-age=99999999999999999999,private", "0", 404, int64(1), int64(1))
	f.Add("no-cache=\"Set-Cookie\", max-age=-1", "", 302, int64(5), int64(50))
	f.Fuzz(func(t *testing.T, cacheControl, expires string, status int, minTTL, maxTTL int64) {
		if minTTL < 0 || maxTTL < minTTL || maxTTL > 1<<31 {
			return
		}
		p := stack.CachePolicy{MinTTL: time.Duration(minTTL) * time.Second, MaxTTL: time.Duration(maxTTL) * time.Second}
		p.DefaultTTL = p.MaxTTL
		h := http.Header{"Cache-Control": {cacheControl}, "Expires": {expires}}
		ttl, store := freshFor(p, 10*time.Second, status, h, time.Unix(0, 0))
		switch {
		case ttl < 0, !store && ttl != 0:
			t.Errorf("%s, store %v", ttl, store)
		case status < 400 && (ttl > p.MaxTTL || store && ttl < p.MinTTL):
			t.Errorf("%s is not between %s and %s", ttl, p.MinTTL, p.MaxTTL)
		case status < 400 && p.MinTTL == 0 && strings.EqualFold(cacheControl, "no-store") && store:
			t.Error("no-store was stored")
		}
	})
}

// FuzzFunctionResult takes whatever a function may return as a request. What is
// taken over can be sent, and nothing that is read-only has changed.
func FuzzFunctionResult(f *testing.F) {
	x := func() *exchange {
		return &exchange{r: &http.Request{Method: "GET"}, request: request{path: "/a", query: "x=1&x=2", host: "h",
			headers: http.Header{"Cookie": {"a=1"}, "X-A": {"1", "2"}, "Via": {"v"}, "Upgrade": {"u"}}}}
	}
	valid, err := json.Marshal(x().functionRequest())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(valid)
	f.Add([]byte(`{"method":"GET","uri":"/b","headers":{"host":{"value":"h"},"via":{"value":"v"},"x":{"value":"\r\nY: z"}}}`))
	f.Add([]byte(`{"method":"GET","uri":"/b","querystring":{"":{"value":"","multiValue":[{},{}]}},"headers":null,"cookies":{}}`))
	f.Add([]byte(`{"method":1}`))
	f.Add([]byte(`[]`))
	f.Fuzz(func(t *testing.T, result []byte) {
		var after functionRequest
		if json.Unmarshal(result, &after) != nil {
			return
		}
		e := x()
		if err := e.apply(e.functionRequest(), after); err != nil {
			return
		}
		h := e.request.headers
		if !strings.HasPrefix(e.request.path, "/") || e.r.Method != "GET" || e.request.host != "h" || h.Get("Via") != "v" || h.Get("Upgrade") != "u" {
			t.Errorf("%+v", e.request)
		}
		for name, values := range h {
			if !httpguts.ValidHeaderFieldName(name) {
				t.Errorf("name %q", name)
			}
			for _, v := range values {
				if strings.ContainsAny(v, "\r\n\x00") || isHidden(name) && name != "Upgrade" {
					t.Errorf("%s: %q", name, v)
				}
			}
		}
	})
}

// FuzzFunctionCode compiles and runs any code; it must end, in whatever way.
func FuzzFunctionCode(f *testing.F) {
	f.Add(spa)
	f.Add("import a from 'crypto';\nconst handler = async (e) => a.createHash('md5').update('').digest('hex')")
	f.Add("class A{}")
	f.Add("function handler(e) { return {get a() { return 1 }} }")
	f.Add("`${`")
	f.Fuzz(func(t *testing.T, code string) {
		if len(code) > 500 || strings.Contains(code, "for") || strings.Contains(code, "while") || strings.Contains(code, "repeat") {
			return // loops take their 500 ms
		}
		fn, err := newFunction(stack.FunctionAssociation{Name: "f", Code: code})
		if err != nil {
			return
		}
		_, err = fn.run([]byte(`{"request":{"uri":"/"}}`), func(string) {})
		var failed functionError
		if err != nil && !errors.As(err, &failed) {
			t.Errorf("%T: %v", err, err)
		}
	})
}
