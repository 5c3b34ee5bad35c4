package facts_test

import (
	"testing"

	"github.com/aproorg/sluice/internal/app/librechat/facts"
	"github.com/aproorg/sluice/internal/probe"
	"github.com/aproorg/sluice/internal/probe/report"
)

// ofPath are the checks that a bucket and a distribution pass, and a bare
// process of the app does not: LibreChat's catch-all answers any path with
// index.html, and its own cache headers are shorter.
var ofPath = map[string]bool{"missing file": true, "cache: hashed assets": true, "security headers": true}

// verified runs the release's description against a process of it.
func verified(t *testing.T, r facts.Release, c *client) {
	t.Helper()
	d := facts.Description(r.Design, facts.StubEndpoint, facts.StubModel)
	got, err := probe.Run(t.Context(), c.base, d, probe.Options{Quick: true,
		Vars: map[string]string{"email": "ann@example.com", "password": "correct horse"}})
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range got.Results {
		if x.Status == report.Fail && !ofPath[x.Name] {
			t.Errorf("%s: %s (%s)", x.Name, x.Detail, x.Hint)
		}
	}
}

func TestStandInIsVerified(t *testing.T) {
	for _, d := range []facts.Design{facts.StreamsInPost, facts.GeneratesAfterPost} {
		t.Run(d.String(), func(t *testing.T) {
			w := standIn(t, d)
			c := w.boot(t, true)
			c.login(t)
			verified(t, w.release, c)
		})
	}
}
