package description_test

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/aproorg/sluice/internal/probe/description"
)

func FuzzDescription(f *testing.F) {
	whole, err := os.ReadFile("testdata/whole.json") // not an app's own: to fuzz it would mean to instrument all of the rehearsal
	if err != nil {
		f.Fatal(err)
	}
	for _, seed := range []string{string(whole), `{}`, `{"api":{"path":"x"}}`, `{"site":{"hashed":"("}}`, `{"ap":1}`, `{} {}`, `{"stream":{"path":"/s","start":{"path":"/a","method":"get"}}}`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		d, err := description.Parse([]byte(text))
		if err != nil {
			return
		}
		data, err := json.Marshal(d)
		if err != nil {
			t.Fatal(err)
		}
		again, err := description.Parse(data)
		if err != nil {
			t.Fatalf("%s is refused when written again: %v", data, err)
		}
		if back, _ := json.Marshal(again); string(back) != string(data) {
			t.Errorf("%s became %s", data, back)
		}
	})
}

func TestParseNamesTheFault(t *testing.T) {
	for text, want := range map[string]string{
		`{"ap":{}}`:            `unknown field "ap"`,
		`{"api":{"path":"x"}}`: `api: path "x"`,
		`{"login":{"path":"/","method":"get it"}}`: `login: method "get it"`,
		`{"site":{"hashed":"("}}`:                  "site.hashed",
		`{"site":{"routes":["about"]}}`:            "site.routes",
		`{"distinct":[{"path":"x"}]}`:              "distinct[0]: path \"x\"",
		`{"distinct":[{"path":"/","together":1}]}`: "distinct[0]: together",
		`{} {}`: "more than one",
		`[`:     "probe description",
		`{"late":{"path":"/","start":{"path":"b"}}}`: `late.start: path "b"`,
	} {
		if _, err := description.Parse([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s gives %v, want %q in it", text, err, want)
		}
	}
}
