package terraform

import (
	"os"
	"testing"
)

// long skips a test that takes minutes beyond what CI has for all.
func long(t *testing.T) {
	t.Helper()
	if os.Getenv("SLUICE_LONG_TESTS") == "" {
		t.Skipf("takes minutes: SLUICE_LONG_TESTS=1 go test -timeout 60m -run '^%s$' ./infrastructure/terraform", t.Name())
	}
}
