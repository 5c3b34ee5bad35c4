package parts

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/aproorg/sluice/internal/stack"
)

// TestRedact: a state knows what a plan does not, and none of it is shown.
func TestRedact(t *testing.T) {
	s := &stack.Stack{}
	s.RestAPI.APIKey = "s3cret"
	s.Distribution.Origins = []stack.Origin{{CustomHeaders: []stack.Header{{Name: "X-Origin-Verify", Value: "s3cret"}, {Name: "x-api-key", Value: "s3cret"}}}}
	s.Function.Environment = map[string]string{"SLUICE_ORIGIN_SECRET": "s3cret"}
	shown, err := json.Marshal(redact(s))
	if err != nil || strings.Contains(string(shown), "s3cret") {
		t.Errorf("%s, %v", shown, err)
	}
	if s.RestAPI.APIKey != "s3cret" || s.Distribution.Origins[0].CustomHeaders[0].Value != "s3cret" {
		t.Error("the stack itself was changed")
	}
}
