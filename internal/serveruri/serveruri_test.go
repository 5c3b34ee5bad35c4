package serveruri

import (
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParse(t *testing.T) {
	for text, want := range map[string]URI{
		"redis://h":          {Scheme: "redis", Hosts: []string{"h:6379"}, Query: url.Values{}},
		"rediss://[::1]:1/0": {Scheme: "rediss", Hosts: []string{"[::1]:1"}, Path: "0", Query: url.Values{}},
		"redis://[::1]":      {Scheme: "redis", Hosts: []string{"[::1]:6379"}, Query: url.Values{}},
		"mongodb://u:p%40w@a:1,b/db?tls=true": {Scheme: "mongodb", User: url.UserPassword("u", "p@w"), Hosts: []string{"a:1", "b:27017"}, Path: "db",
			Query: url.Values{"tls": {"true"}}},
		"mongodb://u:p@h/?appName=@x@": {Scheme: "mongodb", User: url.UserPassword("u", "p"), Hosts: []string{"h:27017"}, Query: url.Values{"appName": {"@x@"}}},
		"mongodb://h?appName=@x@":      {Scheme: "mongodb", Hosts: []string{"h:27017"}, Query: url.Values{"appName": {"@x@"}}},
		"http://h/a@b":                 {Scheme: "http", Hosts: []string{"h:80"}, Path: "a@b", Query: url.Values{}},
	} {
		got, err := Parse(text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
		}
		if diff := cmp.Diff(want, got, cmp.Comparer(func(a, b *url.Userinfo) bool { return a.String() == b.String() })); diff != "" {
			t.Errorf("%s (-want +got):\n%s", text, diff)
		}
	}
}

func TestFaultsShowNothing(t *testing.T) {
	for _, text := range []string{"hunter2", "ftp://hunter2", "mongodb:///hunter2", "mongodb://hunter2@h%zz/", "redis://u:hun/ter2@h", "redis://u:hun%zzter2@h",
		"redis://u:hunter2", "redis://u:hunter2@h:port", "redis://hunter2@,:,", "://hunter2", "u:hunter2://h"} {
		u, err := Parse(text)
		if err == nil {
			t.Errorf("%s was read as %+v", text, u)
		} else if strings.Contains(err.Error(), "hun") {
			t.Error(err)
		}
	}
}

func TestTLS(t *testing.T) {
	for text, want := range map[string]bool{"redis://h": false, "rediss://h": true, "https://h": true, "mongodb://h/?ssl=true": true, "mongodb://h/?tls=false": false} {
		if u, err := Parse(text); err != nil || u.TLS() != want {
			t.Errorf("%s: %v, %v", text, u.TLS(), err)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, seed := range []string{"redis://h", "mongodb://u:p@a:1,b/db?tls=true", "rediss://[::1]:1/0", "x://", "mongodb://a%zz?%zz", "://", "redis://@,:,"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if u, err := Parse(text); err == nil && len(u.Hosts) == 0 {
			t.Error("neither hosts nor an error")
		}
	})
}
