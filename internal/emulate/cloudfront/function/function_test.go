package function

import (
	"strings"
	"testing"

	"github.com/aproorg/sluice/internal/stack"
)

const spa = `function handler(event) {
  var request = event.request;
  var last = request.uri.substring(request.uri.lastIndexOf('/') + 1);
  if (last.indexOf('.') === -1) { request.uri = '/index.html'; }
  return request;
}`

func TestFunctionsThatAreRefused(t *testing.T) {
	tests := map[string]struct{ runtime, code, want string }{
		"over 10 KB":   {"", "function handler(e) { return e.request; } //" + strings.Repeat("x", 10<<10), "the limit is 10 KB"},
		"class":        {"", "class A {} function handler(e) { return e.request; }", "class"},
		"generator":    {"", "function* g() {} function handler(e) { return e.request; }", "generator"},
		"const in 1.0": {"cloudfront-js-1.0", "const a = 1; function handler(e) { return e.request; }", "const in runtime cloudfront-js-1.0"},
		"async in 1.0": {"cloudfront-js-1.0", "async function handler(e) { return e.request; }", "async function"},
		"key values":   {"", "import cf from 'cloudfront';\nfunction handler(e) { return e.request; }", `module "cloudfront" is not emulated`},
		"Buffer":       {"", "function handler(e) { Buffer.from('a'); return e.request; }", "Buffer is not emulated"},
		"syntax":       {"", "function handler(e) { return", "parse"},
		"runtime":      {"nodejs20.x", "", "unknown runtime"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := New(stack.FunctionAssociation{Name: "f", Runtime: tt.runtime, Code: tt.code})
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want %q", err, tt.want)
			}
		})
	}
}

func runFunction(t *testing.T, code, event string) (string, error) {
	t.Helper()
	f, err := New(stack.FunctionAssociation{Name: "f", Runtime: "cloudfront-js-2.0", Code: code})
	if err != nil {
		t.Fatal(err)
	}
	return f.run([]byte(event), func(string) {})
}

func TestFunctionRuntime(t *testing.T) {
	tests := map[string]struct{ code, want, fails string }{
		"async":       {code: `async function handler(e) { const r = await Promise.resolve(e.a); return r; }`, want: `1`},
		"arrow const": {code: `const handler = (e) => ({ b: e.a ?? 2, c: e.x?.y });`, want: `{"b":1}`},
		"crypto": {code: `import crypto from 'crypto';
			function handler(e) { return crypto.createHmac('sha256', 'key').update('hello').digest('hex'); }`,
			want: `"9307b3b915efb5171ff14d8cb55fbcc798c6c0ef1456d66ded1a6aa723a58b7b"`},
		"querystring":        {code: `var q = require('querystring'); function handler(e) { return q.stringify(q.parse('a=1&b=%20&a=2')); }`, want: `"a=1&a=2&b=%20"`},
		"clock stands still": {code: `function handler(e) { var t = Date.now(); for (var i = 0; i < 1e3; i++); return Date.now() - t; }`, want: `0`},
		"throws":             {code: `function handler(e) { throw new Error('boom'); }`, fails: "boom"},
		"rejects":            {code: `async function handler(e) { throw new Error('boom'); }`, fails: "boom"},
		"never settles":      {code: `function handler(e) { return new Promise(function () {}); }`, fails: "never settled"},
		"no handler":         {code: `function main(e) { return e; }`, fails: "handler is not a function"},
		"endless":            {code: `function handler(e) { for (;;); }`, fails: "ran too long"},
		"recursion":          {code: `function handler(e) { return handler(e); }`, fails: ""},
		"eval":               {code: `function handler(e) { return eval('1'); }`, fails: "dynamic code"},
		"Function":           {code: `function handler(e) { return new Function('return 1')(); }`, fails: "dynamic code"},
		"hidden Function":    {code: `function handler(e) { return (function () {}).constructor('return 1')(); }`, fails: "dynamic code"},
		"timers":             {code: `function handler(e) { setTimeout(handler, 1); }`, fails: "setTimeout"},
		"network":            {code: `function handler(e) { return fetch('http://x'); }`, fails: "fetch"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := runFunction(t, tt.code, `{"a":1}`)
			if tt.want == "" {
				if err == nil || !strings.Contains(err.Error(), tt.fails) {
					t.Errorf("%q, %v; want an error with %q", got, err, tt.fails)
				}
				return
			}
			if err != nil || got != tt.want {
				t.Errorf("%q, %v; want %q", got, err, tt.want)
			}
		})
	}
}

func TestFunctionsShareNothingBetweenRequests(t *testing.T) {
	f, err := New(stack.FunctionAssociation{Name: "f", Code: `var n = 0; function handler(e) { n += 1; return n; }`})
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if got, err := f.run([]byte("{}"), nil); err != nil || got != "1" {
			t.Errorf("%q, %v", got, err)
		}
	}
}

func BenchmarkFunction(b *testing.B) {
	f, err := New(stack.FunctionAssociation{Name: "f", Code: spa})
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := f.run([]byte(`{"request":{"uri":"/c/1"}}`), nil); err != nil {
			b.Fatal(err)
		}
	}
}
