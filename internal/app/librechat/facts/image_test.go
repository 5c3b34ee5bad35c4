package facts_test

import (
	"regexp"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/aproorg/sluice/internal/app/librechat/facts"
	"github.com/aproorg/sluice/internal/app/librechat/librechattest"
)

// What an image's rules find in a release's files is what Detect finds: both
// designs get from them what Env and Bootstrap give the one and not the other.
func TestImageRulesSayWhatDetectSays(t *testing.T) {
	byRules := map[facts.Design]map[string]string{}
	for _, d := range []facts.Design{facts.StreamsInPost, facts.GeneratesAfterPost} {
		sayTheSame(t, librechattest.StandIn(t, t.TempDir(), d), byRules)
	}
	sayTheSame(t, librechattest.Today(t, t.TempDir()), byRules)
	if len(byRules) != 2 {
		t.Errorf("designs %v", byRules)
	}
}

// The same with built releases.
func TestImageRulesKnowBuiltReleases(t *testing.T) {
	byRules := map[facts.Design]map[string]string{}
	for _, r := range librechattest.Built(t, "go test ./internal/app/librechat -run TestImageRules") {
		sayTheSame(t, r, byRules)
	}
}

func sayTheSame(t *testing.T, r facts.Release, byRules map[facts.Design]map[string]string) {
	t.Helper()
	want := r.Bootstrap()
	// These are of every release, and Terraform sets them, but for what the rules say of every release.
	for name, value := range (facts.Release{Dir: r.Dir}).Bootstrap() {
		if want[name] == value && !slices.Contains([]string{"SLUICE_DEADLINE_EVENT", "SLUICE_HEARTBEAT_FORM", "SLUICE_READY_PATH"}, name) {
			delete(want, name)
		}
	}
	if r.KeepsJobs {
		want["STREAM_KEEP_COMPLETED_JOBS"] = "true"
	}
	if r.AcrossProcesses {
		want["GENERATION_PROTOCOL_VERSION"] = "2"
	}
	if options := librechattest.ImageOptions(r); options != "" {
		want["NODE_OPTIONS"] = options
	}
	got, err := librechattest.InImage(r.Dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s, %v (-Detect +rules):\n%s", r.Dir, r.Design, diff)
	}
	byRules[r.Design] = got
}

func TestImageHasTheFilesThatItsRulesName(t *testing.T) {
	files, environment := facts.ImageAdditions()
	text := string(files[environment["SLUICE_RULES"]])
	named := regexp.MustCompile(`/opt/sluice/[^"]+`).FindAllString(text, -1)
	for _, name := range named {
		if len(files[name]) == 0 {
			t.Errorf("%s is not in the image", name)
		}
	}
	if len(named) == 0 {
		t.Errorf("rules: %s", text)
	}
}
