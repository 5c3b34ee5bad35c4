package function

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"

	"golang.org/x/net/http/httpguts"

	"github.com/aproorg/sluice/internal/stack"
)

// FuzzFunctionResult takes whatever a function may return as a request. What is
// taken over can be sent, and nothing that is read-only has changed.
func FuzzFunctionResult(f *testing.F) {
	x := func() Request {
		return Request{Method: "GET", Path: "/a", Query: "x=1&x=2", Host: "h",
			Header: http.Header{"Cookie": {"a=1"}, "X-A": {"1", "2"}, "Via": {"v"}, "Upgrade": {"u"}}}
	}
	valid, err := json.Marshal(x().event())
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
		e, err := x().apply(x().event(), after)
		if err != nil {
			return
		}
		h := e.Header
		if !strings.HasPrefix(e.Path, "/") || e.Method != "GET" || e.Host != "h" || h.Get("Via") != "v" || h.Get("Upgrade") != "u" {
			t.Errorf("%+v", e)
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
		fn, err := New(stack.FunctionAssociation{Name: "f", Code: code})
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
