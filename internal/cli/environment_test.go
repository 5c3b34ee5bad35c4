package cli

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseEnvironment(t *testing.T) {
	text := "\ufeff# a comment\n\nA=1\nexport B=two words # and a comment\nC='single # $x \\n'\nD=\"double \\\"q\\\" \\n\\$x\" # c\nE=\n F = x=y \r\nA=again\n"
	want := map[string]string{"A": "again", "B": "two words", "C": `single # $x \n`, "D": "double \"q\" \n$x", "E": "", "F": "x=y"}
	got, err := parseEnvironment(text)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestParseEnvironmentFaults(t *testing.T) {
	for text, want := range map[string]string{
		"A":              "line 1: want NAME=VALUE",
		"A=1\n2B=x":      "line 2: want NAME=VALUE",
		"=x":             "line 1",
		"A='x":           "the quote ' is not closed",
		"A=\"secret\" x": "text follows the closing quote",
	} {
		_, err := parseEnvironment(text)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %s", text, err, want)
		}
		if err != nil && strings.Contains(err.Error(), "secret") {
			t.Errorf("%q: the error shows the value: %v", text, err)
		}
	}
}

func FuzzParseEnvironment(f *testing.F) {
	f.Add("A=1\nexport B=\"x\\n\" # c\n")
	f.Add("C='x'\n#\n\n")
	f.Add("A=\"\\")
	f.Fuzz(func(t *testing.T, text string) {
		env, err := parseEnvironment(text)
		if err != nil && env != nil {
			t.Error("an error and a result")
		}
		for name := range env {
			if !variableName.MatchString(name) {
				t.Errorf("name %q", name)
			}
		}
	})
}

func TestSplitHint(t *testing.T) {
	for _, test := range []struct{ err, message, hint string }{
		{"plain", "plain", ""},
		{"a: b (hint: do c)", "a: b", "do c"},
		{"a (hint: x (y))", "a", "x (y)"},
		{"a (hint: x): b", "a (hint: x): b", ""},
	} {
		message, hint := splitHint(errorText(test.err))
		if message != test.message || hint != test.hint {
			t.Errorf("%q: %q, %q", test.err, message, hint)
		}
	}
}

type errorText string

func (e errorText) Error() string { return string(e) }
