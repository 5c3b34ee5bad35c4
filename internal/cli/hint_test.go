package cli

import "testing"

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
