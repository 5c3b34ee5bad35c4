package probe

import (
	"testing"
	"testing/quick"
)

func TestHas(t *testing.T) {
	if !has("public, Max-Age=0 ,no-store", "no-store") || has("no-storefront", "no-store") || maxAge("a, max-age=60").Seconds() != 60 || maxAge("max-age=x") != 0 {
		t.Error("Cache-Control is read wrongly")
	}
	if err := quick.Check(func(s string) bool { maxAge(s); return true }, nil); err != nil {
		t.Error(err)
	}
}
