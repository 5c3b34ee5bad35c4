package probe

import (
	"net/http"
	"strings"
	"testing"
	"time"
)

// TestRefusedAlias: an instant 500 in API Gateway's own words names what to set, and no
// other 500 does.
func TestRefusedAlias(t *testing.T) {
	for _, test := range []struct {
		name, body string
		head       time.Duration
		refused    bool
	}{
		{"API Gateway's own", `{"message": "Internal server error"}`, 90 * time.Millisecond, true},
		{"after a while", `{"message": "Internal server error"}`, 4 * time.Second, false},
		{"the app's", `{"error":"no such model"}`, 90 * time.Millisecond, false},
		{"a page", `<html>`, 90 * time.Millisecond, false},
	} {
		a := answer{Response: &http.Response{StatusCode: 500}, body: []byte(test.body), timings: timings{head: test.head}}
		if hint := apiHint(a); strings.Contains(hint, "function.alias = false") != test.refused {
			t.Errorf("%s: %s", test.name, hint)
		}
	}
}
