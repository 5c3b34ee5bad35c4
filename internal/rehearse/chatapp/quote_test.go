package chatapp

import "testing"

func TestQuoteIsReadBackByTheBootstrap(t *testing.T) {
	for value, want := range map[string]string{
		"plain":        `"plain"`,
		"pa$$word":     `"pa$$word"`,
		"a \"b\" \\ c": `"a \"b\" \\ c"`,
		"two\nlines":   `"two\nlines"`,
	} {
		if got := quote(value); got != want {
			t.Errorf("quote(%q) is %s, want %s", value, got, want)
		}
	}
}
