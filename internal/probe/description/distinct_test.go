package description_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/aproorg/sluice/internal/probe/description"
)

func TestParseDistinct(t *testing.T) {
	at := func(d description.Distinct) description.Distinct { d.Path = "/a?b"; return d }
	for text, want := range map[string]description.Distinct{
		"/a?b":               {},
		"/a?b#":              {},
		"/a?b#message.id":    {Fields: []string{"message.id"}},
		"/a?b#cookie:sid":    {Cookies: []string{"sid"}},
		"/a?b#header:x-what": {Headers: []string{"x-what"}},
	} {
		got, err := description.ParseDistinct(text)
		if text == "/a?b#" {
			if err == nil {
				t.Errorf("%s is taken", text)
			}
			continue
		}
		if diff := cmp.Diff(at(want), got); err != nil || diff != "" {
			t.Errorf("%s: %v %s", text, err, diff)
		}
	}
	for text, want := range map[string]string{"a": "does not begin with /", "/a#cookie:": "no place", "/a#body:x": "no place"} {
		if _, err := description.ParseDistinct(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", text, err)
		}
	}
}
