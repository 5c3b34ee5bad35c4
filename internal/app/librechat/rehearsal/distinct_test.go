package rehearsal_test

import (
	"strings"
	"testing"
	"time"

	"github.com/aproorg/sluice/internal/app/librechat/facts"
	"github.com/aproorg/sluice/internal/emulate/lambda/sandbox/sandboxtest"
	"github.com/aproorg/sluice/internal/probe"
	"github.com/aproorg/sluice/internal/probe/description"
	"github.com/aproorg/sluice/internal/rehearse"
)

// TestNoIDsInCommon: clones of a LibreChat, of a snapshot that is a day old, give presets, sessions and conversations ids of their own, by
// the check that verify makes.
func TestNoIDsInCommon(t *testing.T) {
	sandboxtest.NeedClones(t)
	eachBuilt(t, func(t *testing.T, r facts.Release) {
		w := start(t, r, nil, func(c *rehearse.Config) { c.Start, c.SnapshotAge = rehearse.StartSnapStart, 25*time.Hour })
		if !w.Snapshot.Clones {
			t.Fatalf("%+v", w.Snapshot)
		}
		d := facts.Description(r.Design, facts.StubEndpoint, facts.StubModel)
		got, err := probe.Run(t.Context(), w.ViewerURL, description.Description{App: d.App, API: d.API, Login: d.Login, Distinct: d.Distinct},
			probe.Options{Quick: true, Timeout: 2 * time.Minute, Vars: map[string]string{"email": facts.UserEmail, "password": facts.UserPassword}})
		if err != nil {
			t.Fatal(err)
		}
		found := 0
		for _, x := range got.Results {
			if !strings.HasPrefix(x.Name, "ids of ") {
				continue
			}
			found++
			if x.Status != "pass" || x.Numbers["environments"] < 2 {
				t.Errorf("%+v", x)
			}
		}
		if found != 3 {
			t.Errorf("%d places of ids were checked", found)
		}
	})
}
