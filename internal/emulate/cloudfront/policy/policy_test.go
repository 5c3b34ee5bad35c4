package policy

import (
	"encoding/json"
	"net/http"
	"os"
	"path"
	"strings"
	"testing"

	"github.com/aproorg/sluice/internal/stack"
)

func vectors[T any](t testing.TB) []T {
	t.Helper()
	raw, err := os.ReadFile("testdata/patterns.json")
	if err != nil {
		t.Fatal(err)
	}
	var out []T
	if err := json.Unmarshal(raw, &out); err != nil {
		t.Fatal(err)
	}
	return out
}

func TestPatternVectors(t *testing.T) {
	type vector struct {
		Pattern    string
		Match, Not []string
	}
	for _, v := range vectors[vector](t) {
		for _, p := range v.Match {
			if !Match(v.Pattern, p) {
				t.Errorf("%s does not match %s", v.Pattern, p)
			}
		}
		for _, p := range v.Not {
			if Match(v.Pattern, p) {
				t.Errorf("%s matches %s", v.Pattern, p)
			}
		}
	}
}

// FuzzMatchPattern holds the matcher against path.Match, which means the same once
// slashes and its own special characters are out of the way. A letter that no input
// has stands for the slash.
func FuzzMatchPattern(f *testing.F) {
	f.Add("/api/*", "/api/x")
	f.Add("a*b?c*", "/axxbycz")
	f.Add("****", "")
	f.Add("*?*?", "ab")
	f.Add("\x01", "a/")
	f.Add("a\x01b", "a/b")
	f.Fuzz(func(t *testing.T, pattern, name string) {
		got := Match(pattern, name)
		if strings.ContainsAny(pattern, `[]\`) || len(pattern) > 30 || len(name) > 60 || !ascii(pattern+name) {
			return
		}
		flat := func(s string) string { return strings.ReplaceAll(strings.TrimPrefix(s, "/"), "/", "é") }
		want, err := path.Match(flat(pattern), flat(name))
		if err != nil {
			t.Fatal(err)
		}
		if got != want {
			t.Errorf("%q against %q: %v, path.Match says %v", pattern, name, got, want)
		}
	})
}

func ascii(s string) bool {
	for i := range len(s) {
		if s[i] >= 0x80 {
			return false
		}
	}
	return true
}

// FuzzCacheKey checks that requests which differ in what the policy selects do not
// share a key, and others do.
func FuzzCacheKey(f *testing.F) {
	f.Add("/a", "v=1&w=2", "s=1; t=2", "v=1", "s=2")
	f.Add("/a\nb", "v", "", "v=", "s=1")
	f.Add("/", "w=1&v=1&v=2", "s=a=b", "v=1", "s=a")
	f.Fuzz(func(t *testing.T, p, query, cookie, query2, cookie2 string) {
		if strings.ContainsAny(p+query+cookie+query2+cookie2, "\n") {
			return // cannot come in a request
		}
		selected := stack.Selection{Behavior: "whitelist", Items: []string{"v", "s"}}
		key := func(query, cookie string) string {
			o := Object{Method: "GET", Path: p, Query: query, Cookies: []string{cookie}}
			return o.Key(stack.CachePolicy{Queries: selected, Cookies: selected})
		}
		same := Query(query, selected) == Query(query2, selected) &&
			Cookies([]string{cookie}, selected) == Cookies([]string{cookie2}, selected)
		if (key(query, cookie) == key(query2, cookie2)) != same {
			t.Errorf("%q %q and %q %q: same key is not %v", query, cookie, query2, cookie2, same)
		}
		for pair := range strings.SplitSeq(Query(query, selected), "&") {
			if name, _, _ := strings.Cut(pair, "="); pair != "" && name != "v" && name != "s" {
				t.Errorf("%q kept %q", query, pair)
			}
		}
	})
}

func TestSelections(t *testing.T) {
	only, but := stack.Selection{Behavior: "whitelist", Items: []string{"b"}}, stack.Selection{Behavior: "allExcept", Items: []string{"b"}}
	raw := "c=3&b=1&a&b=%20&B=2"
	for _, tt := range []struct {
		s    stack.Selection
		want string
	}{{only, "b=1&b=%20"}, {but, "c=3&a&B=2"}, {stack.Selection{Behavior: "all"}, raw}, {stack.Selection{Behavior: "none"}, ""}, {stack.Selection{}, ""}} {
		if got := Query(raw, tt.s); got != tt.want {
			t.Errorf("%v: %q, want %q", tt.s, got, tt.want)
		}
	}
	if got := Cookies([]string{"a=1; b=2", "b=3"}, only); got != "b=2; b=3" {
		t.Errorf("cookies %q", got)
	}
	if !Header(stack.Selection{Behavior: "allExcept", Items: []string{"host"}}, "Accept") ||
		Header(stack.Selection{Behavior: "allExcept", Items: []string{"host"}}, "Host") {
		t.Error("header names compare without case")
	}
}

func TestAcceptEncodingIsNormalized(t *testing.T) {
	p := stack.CachePolicy{Name: "Managed-CachingOptimized", Gzip: true, Brotli: true}
	for header, want := range map[string]string{
		"gzip, deflate, br, zstd": "br,gzip", "gzip": "gzip", "BR;q=0.5": "br", "gzip;q=0": "", "gzip; q=0.000": "", "deflate": "", "": "", "x-gzip": "",
	} {
		r := &http.Request{ProtoMajor: 1, ProtoMinor: 1, Header: http.Header{"Accept-Encoding": {header}}}
		if got := Encoding(p, r); got != want {
			t.Errorf("%q: %q, want %q", header, got, want)
		}
	}
	old := &http.Request{ProtoMajor: 1, ProtoMinor: 0, Header: http.Header{"Accept-Encoding": {"gzip"}}}
	if got := Encoding(p, old); got != "" {
		t.Errorf("HTTP/1.0: %q", got)
	}
}
