package proxyevent

import (
	"bufio"
	"bytes"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

// FuzzRead: what is read can be written as HTTP/1.1, and a server reads the same request.
func FuzzRead(f *testing.F) {
	for _, v := range eventVectors(f) {
		f.Add([]byte(v.Event))
	}
	f.Add([]byte(`{"httpMethod":"GET","path":"//a?b#c%zz","multiValueHeaders":{"A b":["1"]}}`))
	f.Add([]byte("{\"requestContexT\":{\"domainName\":\"\x7f\",\"http\":{\"method\":\"0\"}}}"))
	f.Add([]byte(`{"httpMethod":"GET","headers":{"Host":"a b"},"requestContext":{"requestId":"\n","identity":{"sourceIp":"\u007f"}}}`))
	f.Add([]byte(`{"httpMethod":"GET","headers":{"X-A":"1","x-a":"2"}}`))
	f.Add([]byte(`{"httpMethod":"GET","path":"//a%2Fb{c}"}`))
	f.Fuzz(func(t *testing.T, payload []byte) {
		r, err := Reader{BasePath: "/v1"}.Read(payload)
		if err != nil || r.Kind == Other {
			return
		}
		var wire bytes.Buffer
		if err := r.HTTP(t.Context(), "127.0.0.1:1").Write(&wire); err != nil {
			t.Fatalf("write %+v: %v", r, err)
		}
		text := wire.String()
		got, err := http.ReadRequest(bufio.NewReader(&wire))
		if err != nil {
			if r.Method == "CONNECT" || strings.Contains(err.Error(), "malformed Host") {
				return
			}
			t.Fatalf("read %q: %v", text, err)
		}
		if r.Host != "" && got.Host != r.Host {
			t.Errorf("host %q became %q", r.Host, got.Host)
		}
		again, err := Reader{BasePath: "/v1"}.Read(payload)
		if diff := cmp.Diff(r.Header, again.Header); err != nil || diff != "" {
			t.Errorf("read again: %v %s", err, diff)
		}
		if got.Method != r.Method {
			t.Errorf("method %q became %q", r.Method, got.Method)
		}
		want := r.Path
		if r.RawQuery != "" {
			want += "?" + r.RawQuery
		}
		if got.RequestURI != want {
			t.Errorf("target %q became %q", want, got.RequestURI)
		}
	})
}

// FuzzCutBody: the shortcut reads what encoding/json reads.
func FuzzCutBody(f *testing.F) {
	for _, v := range eventVectors(f) {
		f.Add([]byte(v.Event))
	}
	f.Add([]byte(`{"a":{"body":"x"},"body":"q\"\\","b":[1,"]",{}]}`))
	f.Fuzz(func(t *testing.T, payload []byte) {
		rest, token, ok := cutBody(payload)
		if !ok || !utf8.Valid(payload) {
			return
		}
		var whole, cut map[string]any
		if json.Unmarshal(payload, &whole) != nil {
			return
		}
		if err := json.Unmarshal(rest, &cut); err != nil {
			t.Fatalf("%q became %q: %v", payload, rest, err)
		}
		var body string
		if err := json.Unmarshal(quoted(token), &body); err != nil {
			t.Fatal(err)
		}
		for name := range cut {
			if strings.EqualFold(name, "body") {
				cut[name] = body
			}
		}
		if diff := cmp.Diff(whole, cut); diff != "" {
			t.Error(diff)
		}
	})
}

func FuzzStripBase(f *testing.F) {
	f.Add("/prod/x", "/prod")
	f.Add("/production", "/prod")
	f.Add("/prod", "/prod")
	f.Fuzz(func(t *testing.T, path, base string) {
		path = legalPath(path)
		got := StripBase(path, base)
		switch {
		case !strings.HasPrefix(got, "/"):
			t.Errorf("StripBase(%q, %q) = %q", path, base, got)
		case got != path && base+got != path && base+strings.TrimPrefix(got, "/") != path:
			t.Errorf("StripBase(%q, %q) = %q", path, base, got)
		}
	})
}
