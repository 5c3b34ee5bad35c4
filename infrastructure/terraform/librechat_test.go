package terraform

import (
	"maps"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/aproorg/sluice/internal/librechat"
)

// TestLibreChat: internal/librechat is the one place that knows the application;
// what the HCL sets by default is what that says.
func TestLibreChat(t *testing.T) {
	release := librechat.Release{Dir: "/app", Version: "v0.8.2-rc1", Design: librechat.StreamsInPost}
	want := release.Env(librechat.Stores{})
	maps.Copy(want, release.Bootstrap())
	delete(want, "REDIS_KEY_PREFIX")    // from the image's digest here
	want["SLUICE_FORWARDED_HOPS"] = "1" // of this topology
	all := modules(t)
	if diff := cmp.Diff(want, stringMap(all["modules/backend"], "environment_defaults")); diff != "" {
		t.Errorf("environment_defaults of the backend (-librechat +HCL):\n%s", diff)
	}
	for dir, variable := range map[string]string{"modules/api-gateway": "paths", "environments/dev": "api_paths"} {
		if diff := cmp.Diff(librechat.Routes(), stringList(all[dir], variable)); diff != "" {
			t.Errorf("%s of %s (-librechat +HCL):\n%s", variable, dir, diff)
		}
	}
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
