package cache

import (
	"encoding/json"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/aproorg/sluice/internal/stack"
)

func vectors[T any](t testing.TB) []T {
	t.Helper()
	raw, err := os.ReadFile("testdata/freshness.json")
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
	for _, v := range vectors[vector](t) {
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
		ttl, store := FreshFor(p, time.Duration(v.Error)*time.Second, v.Status, h, now)
		if ttl != time.Duration(v.TTL)*time.Second || store != v.Store {
			t.Errorf("%s: %s %v, want %d s %v", v.Name, ttl, store, v.TTL, v.Store)
		}
	}
}

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
		ttl, store := FreshFor(p, 10*time.Second, status, h, time.Unix(0, 0))
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
