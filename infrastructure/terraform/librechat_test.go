package terraform

import (
	"maps"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/aproorg/sluice/internal/app/librechat/facts"
	"github.com/aproorg/sluice/internal/app/librechat/librechattest"
)

// TestLibreChat: internal/app/librechat is the one place that knows the application;
// what the HCL sets by default, with what the image adds for the release in it, is
// what that says, for both designs: a user changes the image and nothing else.
func TestLibreChat(t *testing.T) {
	all := modules(t)
	set := stringMap(all["modules/backend"], "environment_defaults")
	for _, design := range []facts.Design{facts.StreamsInPost, facts.GeneratesAfterPost} {
		got := inImage(t, design, set)
		if diff := cmp.Diff(needed(t, design), got); diff != "" {
			t.Errorf("environment_defaults of the backend and the image of a release that %v (-librechat +HCL and image):\n%s", design, diff)
		}
	}
	for _, list := range []struct {
		dir, variable string
		want          []string
	}{
		{"modules/api-gateway", "paths", facts.Routes()}, {"environments/dev", "api_paths", facts.Routes()},
		{"modules/frontend", "refused_paths", facts.Refused()}, {"environments/dev", "refused_paths", facts.Refused()},
	} {
		if diff := cmp.Diff(list.want, stringList(all[list.dir], list.variable)); diff != "" {
			t.Errorf("%s of %s (-librechat +HCL):\n%s", list.variable, list.dir, diff)
		}
	}
}

// needed is what a release in an image needs, less what depends on the deployment.
func needed(t *testing.T, design facts.Design) map[string]string {
	t.Helper()
	release := librechattest.StandIn(t, t.TempDir(), design)
	release.Dir = facts.ImageRoot
	want := release.Env(facts.Stores{})
	maps.Copy(want, release.Bootstrap())
	delete(want, "REDIS_KEY_PREFIX")    // by what the image is made of
	want["SLUICE_FORWARDED_HOPS"] = "1" // of this topology
	if want["NODE_OPTIONS"] != "" {     // a file there, a data URL where the image is not at hand
		want["NODE_OPTIONS"] = librechattest.ImageOptions(release)
	}
	return want
}

// inImage is the environment that function and image give together.
func inImage(t *testing.T, design facts.Design, function map[string]string) map[string]string {
	t.Helper()
	environment, err := librechattest.InImage(librechattest.StandIn(t, t.TempDir(), design).Dir, function)
	if err != nil {
		t.Fatal(err)
	}
	return environment
}

func stringMap(m *module, variable string) map[string]string {
	got := map[string]string{}
	value, _ := m.labelled("variable")[variable].Body.Attributes["default"].Expr.Value(nil)
	for name, v := range value.AsValueMap() {
		got[name] = v.AsString()
	}
	return got
}

func stringList(m *module, variable string) []string {
	var got []string
	value, _ := m.labelled("variable")[variable].Body.Attributes["default"].Expr.Value(nil)
	for _, v := range value.AsValueSlice() {
		got = append(got, v.AsString())
	}
	return got
}
