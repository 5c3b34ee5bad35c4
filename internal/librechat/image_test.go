package librechat_test

import (
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/aproorg/sluice/internal/librechat"
	"github.com/aproorg/sluice/internal/librechat/librechattest"
	"github.com/aproorg/sluice/internal/settings"
)

// What an image's rules find in a release's files is what Detect finds: both
// designs get from them what Env and Bootstrap give the one and not the other.
func TestImageRulesSayWhatDetectSays(t *testing.T) {
	said := map[librechat.Design]map[string]string{}
	for _, d := range []librechat.Design{librechat.StreamsInPost, librechat.GeneratesAfterPost} {
		dir := t.TempDir()
		if err := librechattest.Write(dir, d); err != nil {
			t.Fatal(err)
		}
		sayTheSame(t, dir, said)
	}
	if len(said) != 2 {
		t.Errorf("designs %v", said)
	}
}

// The same with built releases.
func TestImageRulesKnowBuiltReleases(t *testing.T) {
	dirs := filepath.SplitList(os.Getenv("SLUICE_LIBRECHAT_DIR"))
	if len(dirs) == 0 {
		t.Skip("needs built LibreChats: SLUICE_LIBRECHAT_DIR=DIR[:DIR] go test ./internal/librechat -run TestImageRules")
	}
	said := map[librechat.Design]map[string]string{}
	for _, dir := range dirs {
		sayTheSame(t, dir, said)
	}
}

func sayTheSame(t *testing.T, dir string, said map[librechat.Design]map[string]string) {
	t.Helper()
	r, err := librechat.Detect(dir)
	if err != nil {
		t.Fatal(err)
	}
	want := r.Bootstrap()
	// These are of every release, and Terraform sets them.
	for name, value := range (librechat.Release{Dir: r.Dir}).Bootstrap() {
		if want[name] == value && name != "SLUICE_DEADLINE_EVENT" {
			delete(want, name)
		}
	}
	if r.Env(librechat.Stores{})["NODE_OPTIONS"] != "" {
		want["NODE_OPTIONS"] = "--import=/opt/sluice/librechat-streams.mjs"
	}
	got := byRules(t, dir)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s, %v (-Detect +rules):\n%s", dir, r.Design, diff)
	}
	said[r.Design] = got
}

// byRules applies the image's rules where /app is dir.
func byRules(t *testing.T, dir string) map[string]string {
	t.Helper()
	files, environment := librechat.ImageAdditions()
	var environ []string
	for name, value := range environment {
		environ = append(environ, name+"="+value)
	}
	extended, _, err := settings.Extend(environ, func(file string) ([]byte, error) {
		if text, ok := files[file]; ok {
			return text, nil
		}
		return os.ReadFile(filepath.Join(dir, strings.TrimPrefix(file, librechat.ImageRoot)))
	})
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, entry := range extended {
		name, value, _ := strings.Cut(entry, "=")
		got[name] = value
	}
	maps.DeleteFunc(got, func(name, _ string) bool { _, ok := environment[name]; return ok })
	for name := range files {
		if strings.Contains(got["NODE_OPTIONS"], ".mjs") && strings.HasSuffix(name, ".mjs") && !strings.HasSuffix(got["NODE_OPTIONS"], "="+name) {
			t.Errorf("NODE_OPTIONS=%s names no file of the image", got["NODE_OPTIONS"])
		}
	}
	return got
}
