package runtimeapi

import "testing"

func FuzzTrailer(f *testing.F) {
	f.Add("Function.Broken", "eyJhIjoxfQ==")
	f.Add("", "")
	f.Add("nonsense", "%%%")
	f.Fuzz(func(t *testing.T, kind, body string) {
		got := trailerFailure(map[string][]string{headerErrorType: {kind}, headerErrorBody: {body}})
		if (got == nil) != (kind == "" && body == "") {
			t.Errorf("%q %q give %v", kind, body, got)
		}
		if got != nil && got.Kind != kind && (kind != "" || got.Kind != "Runtime.Unknown") {
			t.Errorf("error type %q", got.Kind)
		}
	})
}
