package plugin

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/aproorg/sluice/internal/hint"
)

func TestPlaces(t *testing.T) {
	home := t.TempDir()
	t.Setenv("HOME", home)
	implied := filepath.Join(home, ".terraform.d", "plugins")
	file := filepath.Join(t.TempDir(), "tofu.rc")
	for name, test := range map[string]struct {
		config string
		want   []string // besides the implied one
		fault  string
	}{
		"no file":          {"", nil, ""},
		"other settings":   {`plugin_cache_dir = "/cache"` + "\n" + `host "a.test" { services = { "modules.v1" = "http://a" } }`, nil, ""},
		"a mirror":         {`provider_installation { filesystem_mirror { path = "/mirror" } }`, []string{"/mirror"}, ""},
		"the second":       {"provider_installation {\n filesystem_mirror {\n path = \"/a\"\n include = [\"hashicorp/*\"]\n }\n filesystem_mirror {\n path = \"/b\"\n include = [\"registry.opentofu.org/aproorg/*\"]\n }\n direct {}\n}", []string{"/b"}, ""},
		"excluded":         {"provider_installation {\n filesystem_mirror {\n path = \"/a\"\n exclude = [\"*/aproorg/*\"]\n }\n direct {}\n}", nil, "filesystem_mirror { path = "},
		"direct alone":     {`provider_installation { direct {} }`, nil, "which no registry has"},
		"an override":      {"provider_installation {\n dev_overrides {\n \"aproorg/sluice\" = \"/bin\"\n }\n direct {}\n}", nil, ""},
		"a network mirror": {`provider_installation { network_mirror { url = "https://a.test/" } }`, nil, ""},
		"nonsense":         {`provider_installation {`, nil, file},
	} {
		t.Run(name, func(t *testing.T) {
			getenv := func(name string) string { return map[string]string{"TF_CLI_CONFIG_FILE": file}[name] }
			if err := os.Remove(file); err != nil && !os.IsNotExist(err) {
				t.Fatal(err)
			}
			if test.config != "" {
				write(t, file, test.config)
			}
			got, err := Places(getenv)
			if test.fault != "" {
				if err == nil || !strings.Contains(hint.Text(err), test.fault) {
					t.Errorf("error is %v", err)
				}
				return
			}
			if diff := cmp.Diff(append([]string{implied}, test.want...), got); err != nil || diff != "" {
				t.Errorf("%v (-want +got):\n%s", err, diff)
			}
		})
	}
}

func TestPlacesWithoutAFileNamed(t *testing.T) {
	home := t.TempDir()
	t.Setenv("HOME", home)
	write(t, filepath.Join(home, ".tofurc"), `provider_installation { filesystem_mirror { path = "/tofu" } }`)
	write(t, filepath.Join(home, ".terraformrc"), `provider_installation { filesystem_mirror { path = "/terraform" } }`)
	got, err := Places(func(string) string { return "" })
	want := []string{filepath.Join(home, ".terraform.d", "plugins"), "/tofu", "/terraform"}
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
}

func FuzzExplicitPlace(f *testing.F) {
	f.Add(`provider_installation { filesystem_mirror { path = "/mirror" include = ["a/b"] } }`)
	f.Add("provider_installation {\n dev_overrides {\n \"aproorg/sluice\" = \"/bin\"\n }\n direct {}\n}")
	f.Add(`{"provider_installation": {"filesystem_mirror": {"path": "/x"}}}`)
	f.Add(`credentials "a" { token = "x" }`)
	f.Fuzz(func(t *testing.T, text string) {
		if place, err := explicitPlace(text); err != nil && place != "" {
			t.Errorf("%q and %v", place, err)
		}
	})
}
