package facts_test

import (
	"strings"
	"testing"

	"github.com/aproorg/sluice/internal/app/librechat/facts"
	"github.com/aproorg/sluice/internal/app/librechat/librechattest"
)

// A page of the site has the security headers of LibreChat's own server, or stricter
// ones: no release tried sends a policy of contents, which the site would have to
// repeat (response_headers of the module frontend).
func TestServersPageHasNoPolicyOfItsOwn(t *testing.T) {
	for _, r := range librechattest.Built(t, "go test ./internal/app/librechat/facts -run TestServersPage") {
		t.Run(r.Version, func(t *testing.T) { ownPage(t, r) })
	}
}

func ownPage(t *testing.T, r facts.Release) {
	c := newWorld(t, r).boot(t, true)
	for _, path := range []string{"/", "/login", "/c/new", "/index.html"} {
		resp, err := c.open("GET", path, nil)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		for name, values := range resp.Header {
			if strings.Contains(strings.ToLower(name), "policy") || strings.HasPrefix(name, "X-Frame") {
				t.Errorf("%s has %s: %q", path, name, values)
			}
		}
		t.Logf("%s: %v", path, resp.Header)
	}
}
