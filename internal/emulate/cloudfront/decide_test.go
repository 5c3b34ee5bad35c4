package cloudfront

import (
	"encoding/json"
	"net/http"
	"os"
	"path"
	"strings"
	"testing"
	"time"

	"github.com/aproorg/sluice/internal/stack"
)

func vectors[T any](t testing.TB, file string) []T {
	t.Helper()
	raw, err := os.ReadFile("testdata/" + file)
	if err != nil {
		t.Fatal(err)
	}
	var out []T
	if err := json.Unmarshal(raw, &out); err != nil {
		t.Fatal(err)
	}
	return out
}

func TestFreshnessVectors(t *testing.T) {
	type vector struct {
		Name, CacheControl, Expires    string
		Status, Min, Default, Max, TTL int
		Error                          int
		Store                          bool
	}
	now := time.Date(2028, 1, 1, 0, 0, 0, 0, time.UTC)
	for _, v := range vectors[vector](t, "freshness.json") {
		h := http.Header{}
		if v.CacheControl != "" {
			h.Set("Cache-Control", v.CacheControl)
		}
		if v.Expires != "" {
			h.Set("Expires", v.Expires)
		}
		if v.Status == 0 {
			v.Status = 200
		}
		p := stack.CachePolicy{MinTTL: time.Duration(v.Min) * time.Second, DefaultTTL: time.Duration(v.Default) * time.Second, MaxTTL: time.Duration(v.Max) * time.Second}
		ttl, store := freshFor(p, time.Duration(v.Error)*time.Second, v.Status, h, now)
		if ttl != time.Duration(v.TTL)*time.Second || store != v.Store {
			t.Errorf("%s: %s %v, want %d s %v", v.Name, ttl, store, v.TTL, v.Store)
		}
	}
}

func TestPatternVectors(t *testing.T) {
	type vector struct {
		Pattern    string
		Match, Not []string
	}
	for _, v := range vectors[vector](t, "patterns.json") {
		for _, p := range v.Match {
			if !matchPattern(v.Pattern, p) {
				t.Errorf("%s does not match %s", v.Pattern, p)
			}
		}
		for _, p := range v.Not {
			if matchPattern(v.Pattern, p) {
				t.Errorf("%s matches %s", v.Pattern, p)
			}
		}
	}
}

// FuzzMatchPattern holds the matcher against path.Match, which means the same once
// slashes and its own special characters are out of the way.
func FuzzMatchPattern(f *testing.F) {
	f.Add("/api/*", "/api/x")
	f.Add("a*b?c*", "/axxbycz")
	f.Add("****", "")
	f.Add("*?*?", "ab")
	f.Fuzz(func(t *testing.T, pattern, name string) {
		got := matchPattern(pattern, name)
		if strings.ContainsAny(pattern, `[]\`) || len(pattern) > 30 || len(name) > 60 || !ascii(pattern+name) {
			return
		}
		flat := func(s string) string { return strings.ReplaceAll(strings.TrimPrefix(s, "/"), "/", "\x01") }
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
		b := &behavior{CacheBehavior: stack.CacheBehavior{CachePolicy: stack.CachePolicy{Queries: selected, Cookies: selected}}}
		key := func(query, cookie string) string {
			r := &http.Request{Method: "GET"}
			x := &exchange{r: r, b: b, request: request{path: p, query: query, headers: http.Header{"Cookie": {cookie}}}}
			return (&Distribution{}).cacheKey(x)
		}
		same := selectQuery(query, selected) == selectQuery(query2, selected) &&
			selectCookies([]string{cookie}, selected) == selectCookies([]string{cookie2}, selected)
		if (key(query, cookie) == key(query2, cookie2)) != same {
			t.Errorf("%q %q and %q %q: same key is not %v", query, cookie, query2, cookie2, same)
		}
		for pair := range strings.SplitSeq(selectQuery(query, selected), "&") {
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
	}{{only, "b=1&b=%20"}, {but, "c=3&a&B=2"}, {everything, raw}, {none, ""}, {stack.Selection{}, ""}} {
		if got := selectQuery(raw, tt.s); got != tt.want {
			t.Errorf("%v: %q, want %q", tt.s, got, tt.want)
		}
	}
	if got := selectCookies([]string{"a=1; b=2", "b=3"}, only); got != "b=2; b=3" {
		t.Errorf("cookies %q", got)
	}
	if !selects(stack.Selection{Behavior: "allExcept", Items: []string{"host"}}, "Accept", true) ||
		selects(stack.Selection{Behavior: "allExcept", Items: []string{"host"}}, "Host", true) {
		t.Error("header names compare without case")
	}
}

func TestAcceptEncodingIsNormalized(t *testing.T) {
	b := &behavior{CacheBehavior: stack.CacheBehavior{CachePolicy: cachingOptimized}}
	for header, want := range map[string]string{
		"gzip, deflate, br, zstd": "br,gzip", "gzip": "gzip", "BR;q=0.5": "br", "gzip;q=0": "", "gzip; q=0.000": "", "deflate": "", "": "", "x-gzip": "",
	} {
		r := &http.Request{ProtoMajor: 1, ProtoMinor: 1, Header: http.Header{"Accept-Encoding": {header}}}
		if got := b.normalizeEncoding(r); got != want {
			t.Errorf("%q: %q, want %q", header, got, want)
		}
	}
	old := &http.Request{ProtoMajor: 1, ProtoMinor: 0, Header: http.Header{"Accept-Encoding": {"gzip"}}}
	if got := b.normalizeEncoding(old); got != "" {
		t.Errorf("HTTP/1.0: %q", got)
	}
}
