package settings

import (
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
)

// image is a file system that is read by absolute names.
func image(files map[string]string) func(string) ([]byte, error) {
	tree := fstest.MapFS{}
	for name, text := range files {
		tree[strings.TrimPrefix(name, "/")] = &fstest.MapFile{Data: []byte(text)}
	}
	return func(name string) ([]byte, error) { return fs.ReadFile(tree, strings.TrimPrefix(name, "/")) }
}

const someRules = `[
	{"file": "/app/server.js", "environment": {"SLUICE_DEADLINE_EVENT": "late", "MODE": "old"}},
	{"file": "/app/routes.js", "contains": "/stream/:id", "environment": {"SLUICE_DEADLINE_EVENT": "break", "NODE_OPTIONS": "--import=/opt/x.mjs"}},
	{"file": "/app/none.js", "environment": {"MODE": "none"}}
]`

func TestExtend(t *testing.T) {
	for name, test := range map[string]struct {
		routes string
		env    []string
		want   []string // after the rules' own variable
		added  string
	}{
		"one release":           {"/chat", nil, []string{"MODE=old", "SLUICE_DEADLINE_EVENT=late"}, "MODE SLUICE_DEADLINE_EVENT"},
		"another":               {"/stream/:id", nil, []string{"MODE=old", "NODE_OPTIONS=--import=/opt/x.mjs", "SLUICE_DEADLINE_EVENT=break"}, "MODE NODE_OPTIONS SLUICE_DEADLINE_EVENT"},
		"what is set stays":     {"/chat", []string{"MODE=", "SLUICE_DEADLINE_EVENT=mine"}, []string{"MODE=", "SLUICE_DEADLINE_EVENT=mine"}, ""},
		"options come together": {"/stream/:id", []string{"NODE_OPTIONS=--no-warnings", "MODE=1"}, []string{"NODE_OPTIONS=--no-warnings --import=/opt/x.mjs", "MODE=1", "SLUICE_DEADLINE_EVENT=break"}, "NODE_OPTIONS SLUICE_DEADLINE_EVENT"},
	} {
		t.Run(name, func(t *testing.T) {
			read := image(map[string]string{"/opt/rules.json": someRules, "/app/server.js": "", "/app/routes.js": "x " + test.routes})
			got, added, err := Extend(append([]string{"SLUICE_RULES=/opt/rules.json"}, test.env...), read)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, got[1:]); diff != "" {
				t.Error(diff)
			}
			if strings.Join(added.Variables, " ") != test.added {
				t.Errorf("added %q", added)
			}
		})
	}
}

// A rule may have more conditions than one, its note is for the log, and the options of several rules come together.
func TestRulesOfMoreConditions(t *testing.T) {
	const rules = `[
		{"file": "/app/a.js", "lacks": "new", "note": "old a", "environment": {"NODE_OPTIONS": "--one"}},
		{"file": "/app/a.js", "contains": "a", "and": [{"file": "/app/b.js", "contains": "b"}], "note": "a and b", "environment": {"NODE_OPTIONS": "--two"}},
		{"file": "/app/a.js", "and": [{"file": "/app/b.js", "lacks": "b"}], "note": "no b"},
		{"file": "/app/a.js", "and": [{"file": "/app/c.js", "lacks": "c"}], "note": "c lacks c, and is not there"}
	]`
	for files, want := range map[[2]string]struct {
		notes, options string
	}{
		{"a", "b"}:     {"old a, a and b", "--zero --one --two"},
		{"a new", "b"}: {"a and b", "--zero --two"},
		{"a new", "x"}: {"no b", "--zero"},
	} {
		got, by, err := Extend([]string{"SLUICE_RULES=/r", "NODE_OPTIONS=--zero"}, image(map[string]string{"/r": rules, "/app/a.js": files[0], "/app/b.js": files[1]}))
		if err != nil {
			t.Fatal(err)
		}
		if options, _ := Lookup(got)("NODE_OPTIONS"); options != want.options || strings.Join(by.Notes, ", ") != want.notes {
			t.Errorf("%q: options %q, notes %q", files, options, by.Notes)
		}
	}
}

func TestNoRules(t *testing.T) {
	env := []string{"A=1", "SLUICE_RULES="}
	got, added, err := Extend(env, image(nil))
	if err != nil || added.Variables != nil || !cmp.Equal(got, env) {
		t.Errorf("%q, added %q, %v", got, added, err)
	}
}

func TestBadRulesAreNamed(t *testing.T) {
	for text, want := range map[string]string{
		`{}`:              "JSON array",
		`[{"fil": "/a"}]`: "unknown field",
		`[{"file": "a"}]`: `rule 1: file "a" is no absolute path`,
		`[{"file": "/a", "and": [{"file": "b"}]}]`:     `rule 1: file "b" is no absolute path`,
		`[{"file": "/a", "environment": {"A=B": ""}}]`: `"A=B" cannot be a variable`,
	} {
		_, _, err := Extend([]string{"SLUICE_RULES=/r"}, image(map[string]string{"/r": text}))
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), `SLUICE_RULES="/r"`) {
			t.Errorf("%s: %v", text, err)
		}
	}
	if _, _, err := Extend([]string{"SLUICE_RULES=/none"}, image(nil)); err == nil || !strings.Contains(err.Error(), "/none") {
		t.Errorf("no file: %v", err)
	}
}

// FuzzRules: whatever the file holds, a process can have the names and values.
func FuzzRules(f *testing.F) {
	for _, text := range []string{someRules, `[]`, `null`, `[{"file":"/a","environment":{"":"x"}}]`, "[{\"file\":\"/r\",\"environment\":{\"A\":\"\x00\"}}]"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got, _, err := Extend([]string{"SLUICE_RULES=/r"}, image(map[string]string{"/r": text}))
		if err != nil {
			return
		}
		for _, entry := range got {
			if name, _, ok := strings.Cut(entry, "="); !ok || name == "" || strings.Contains(entry, "\x00") {
				t.Errorf("%q", entry)
			}
		}
	})
}
