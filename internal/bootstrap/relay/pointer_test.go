package relay

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestPointed(t *testing.T) {
	const answer = `{"id":"ann","n":12345678901234567890,"user":{"_id":"bob","a/b":{"m~n":"carl"}},"list":["x",{"id":"dan"}],"":"empty","none":null,"yes":true,"blank":""}`
	for pointer, want := range map[string]string{
		"/id": "ann", "/n": "12345678901234567890", "/user/_id": "bob", "/user/a~1b/m~0n": "carl", "/list/0": "x", "/list/1/id": "dan", "/": "empty",
	} {
		if got, err := pointed([]byte(answer), pointer); err != nil || got != want {
			t.Errorf("%s: %q, %v, want %q", pointer, got, err, want)
		}
	}
	for _, pointer := range []string{"/none", "/yes", "/blank", "/user", "/list", "/list/2", "/list/-1", "/list/-", "/list/01", "/list/+1", "/id/x", "/missing", "/list/1/id/"} {
		if got, err := pointed([]byte(answer), pointer); err == nil {
			t.Errorf("%s: %q", pointer, got)
		}
	}
	for _, text := range []string{"", "<html>", `"id"`, "[", "7"} {
		if got, err := pointed([]byte(text), "/id"); err == nil {
			t.Errorf("%q: %q", text, got)
		}
	}
}

// FuzzPointed: whatever the app answers and the setting says, the value at a pointer is the one that was put there, or none.
func FuzzPointed(f *testing.F) {
	f.Add([]byte(`{"id":"ann"}`), "/id", "id", "ann")
	f.Add([]byte(`[{"a/b":7}]`), "/0/a~1b", "a/~b", "x")
	f.Add([]byte(`{`), "~", "~1", "")
	f.Fuzz(func(t *testing.T, data []byte, pointer, name, value string) {
		if got, err := pointed(data, pointer); err == nil && got == "" {
			t.Errorf("%q has an empty user at %q", data, pointer)
		}
		if !utf8.ValidString(name) || !utf8.ValidString(value) || value == "" {
			return
		}
		made, err := json.Marshal(map[string]any{name: []any{nil, value}})
		if err != nil {
			t.Fatal(err)
		}
		at := "/" + strings.NewReplacer("~", "~0", "/", "~1").Replace(name) + "/1"
		if got, err := pointed(made, at); err != nil || got != value {
			t.Errorf("%s at %q: %q, %v", made, at, got, err)
		}
	})
}
