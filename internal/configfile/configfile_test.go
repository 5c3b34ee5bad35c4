package configfile

import (
	"strings"
	"testing"
)

func TestCheck(t *testing.T) {
	for text, want := range map[string]string{
		"a: 1\nb: {c: [1, 2]}\n":       "",
		"<<: {a: 1}\n<<: {b: 2}\n":     "",
		"":                             "it is empty",
		"# only a comment\n":           "it is empty",
		"a: 1\nb: [1,\nc: 2\n":         "yaml: line 2: ",
		"a: \"x\nb: 1\n":               "yaml: line ",
		"just a text\n":                "line 1: the file must hold a mapping",
		"- a\n":                        "line 1: the file must hold a mapping",
		"a: 1\n---\nb: 2\n":            "a second document begins here",
		"a:\n  b: 1\n  c: 2\n  b: 3\n": `line 4, column 3: the key "b" is there twice, first in line 2`,
		"a: 1\n\tb: 2\n":               "yaml: line 2: ",
	} {
		err := Check([]byte(text))
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}

func FuzzCheck(f *testing.F) {
	for _, seed := range []string{"a: 1\n", "a: [1,\n", "a: &x 1\nb: *x\n", "<<: {a: 1}\n<<: {b: 2}\n", "---\n...\n---\n", "? a\n", "\t- x"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if err := Check(data); err != nil && err.Error() == "" {
			t.Error("a fault that says nothing")
		}
	})
}
