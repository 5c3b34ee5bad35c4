package up

import (
	"strings"
	"testing"

	"github.com/aproorg/sluice/internal/stack"
)

// Another app's site may have a page /metrics: the shipped stack refuses it for LibreChat.
func TestAnotherSiteKeepsItsPages(t *testing.T) {
	topology, err := stack.Default()
	if err != nil {
		t.Fatal(err)
	}
	site := &topology.Distribution.DefaultCacheBehavior
	if !strings.Contains(site.Functions[0].Code, `REFUSED = ["/livez",`) {
		t.Fatalf("the shipped function refuses nothing:\n%s", site.Functions[0].Code)
	}
	keepPages(site)
	if !strings.Contains(site.Functions[0].Code, "var REFUSED = [];") {
		t.Errorf("the function of another site:\n%s", site.Functions[0].Code)
	}
}
