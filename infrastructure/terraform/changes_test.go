package terraform

import (
	"flag"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/aproorg/sluice/internal/image/imagetest"
)

var allChanges = flag.Bool("changes", false, "make all changes of TestChanges, not only those that take no more than a minute or two")

const site = "https://lambda-test.sandbox.data.apro.is"

// change is one of an operator's, and what it does to viewers who go on calling.
type change struct {
	name  string
	set   func(vars map[string]any)
	calls []string // beside those of every change
	// fails says which of the calls fail at times, and why: a call's end, and a part of the reason.
	fails map[string]string
	// served are how many different functions, by image and environment, the calls meet;
	// 2 is the old one and the new one.
	served int
	made   []string // all changes of the function, where that is the point
	ci     bool     // also made by TestApply
}

func (a *account) changes(t *testing.T) []change {
	second := a.otherImage(t)
	function := func(values map[string]any) func(map[string]any) {
		return func(vars map[string]any) { vars["function"] = values }
	}
	return []change{
		{name: "image", set: func(vars map[string]any) { vars["image"], vars["site"] = second, second }, served: 2,
			made: []string{"UpdateFunctionCode"}, ci: true},
		{name: "release of an image", set: func(vars map[string]any) { vars["release"] = a.viewer.firstImage() }, served: 2,
			made: []string{"UpdateFunctionCode"}, ci: true},
		{name: "the newest image again", set: func(vars map[string]any) { delete(vars, "release") }, served: 2,
			made: []string{"UpdateFunctionCode"}, ci: true},
		{name: "memory", set: function(map[string]any{"memory_size": 3008}), served: 1, made: []string{"UpdateFunctionConfiguration"}},
		{name: "environment", set: func(vars map[string]any) { vars["environment"] = map[string]any{"APP_TITLE": "Chat"} }, served: 2},
		{name: "image and environment", served: 3, set: func(vars map[string]any) {
			vars["image"], vars["site"], vars["environment"] = "oci:"+a.base, "oci:"+a.base, map[string]any{"APP_TITLE": "Other"}
		}},
		{name: "a path more", calls: []string{"/hook/1"}, fails: map[string]string{"/hook/1": ""}, served: 1,
			set: func(vars map[string]any) {
				vars["api_paths"] = []string{"/api/*", "/oauth/*", "/images/*", "/health", "/hook/*"}
			}},
		{name: "a path less", calls: []string{"/hook/1"}, fails: map[string]string{"/hook/1": ""}, served: 1,
			set: func(vars map[string]any) { delete(vars, "api_paths") }},
		{name: "alias", set: function(map[string]any{"memory_size": 3008, "alias": true}), served: 1, ci: true},
		{name: "image and environment, by the alias", served: 2, set: func(vars map[string]any) {
			vars["image"], vars["site"], vars["environment"] = second, second, map[string]any{"APP_TITLE": "Third"}
		}},
		{name: "release of a version", set: func(vars map[string]any) { vars["release"] = "1" }, served: 2},
		{name: "the newest again", set: func(vars map[string]any) { delete(vars, "release") }, served: 2},
		{name: "provisioned", set: function(map[string]any{"memory_size": 3008, "start": "provisioned", "provisioned_concurrency": 2}), served: 1, ci: true},
		{name: "on demand, without alias", set: function(map[string]any{"memory_size": 3008}), served: 1, ci: true},
		{name: "domain", calls: []string{"https://other.sandbox.data.apro.is/api/x"}, served: 2,
			fails: map[string]string{"lambda-test.sandbox.data.apro.is": "no distribution has the name", "other.sandbox.data.apro.is/api/x": "no distribution has the name"},
			set: func(vars map[string]any) {
				domain := maps.Clone(vars["domain"].(map[string]any))
				domain["name"] = "other.sandbox.data.apro.is"
				vars["domain"] = domain
			}},
	}
}

// TestChanges makes one change after the other in one environment, each with a second
// plan that is empty, while a viewer calls; all of them, with a table for the runbook:
//
//	go test ./infrastructure/terraform -run 'TestChanges$' -changes -v -timeout 90m
func TestChanges(t *testing.T) {
	if !*allChanges {
		t.Skip("TestApply makes some of the changes; all of them take an hour: go test ./infrastructure/terraform -run 'TestChanges$' -changes -v -timeout 90m")
	}
	a := separate(t)
	dev := a.environment(t, a.asApplied)
	if out, err := a.run(dev, "apply", "-auto-approve"); err != nil {
		t.Fatalf("apply: %v\n%s", err, complaint(out))
	}
	a.makeChanges(t, dev, func(change) bool { return true })
}

func (a *account) makeChanges(t *testing.T, dev string, which func(change) bool) {
	applied := a.asApplied // what has been applied
	for _, c := range a.changes(t) {
		if !which(c) {
			continue
		}
		before := applied
		applied = func(vars map[string]any) { before(vars); c.set(vars) }
		t.Run(c.name, func(t *testing.T) { a.change(t, dev, c, applied) })
	}
}

func (a *account) change(t *testing.T, dev string, c change, set func(map[string]any)) {
	a.variables(t, dev, set)
	calls := []string{site + "/api/x", site + "/oauth/x", site + "/health"}
	for _, call := range c.calls {
		if strings.HasPrefix(call, "/") {
			call = site + call
		}
		calls = append(calls, call)
	}
	a.viewer.watch(calls...)
	began := time.Now()
	if out, err := a.run(dev, "apply", "-auto-approve"); err != nil {
		t.Fatalf("apply: %v\n%s", err, complaint(out))
	}
	took := time.Since(began)
	seen := a.viewer.seen()
	a.viewer.watch()
	for _, call := range calls {
		c.judge(t, call, seen)
	}
	served := map[string]bool{}
	var names []string
	for _, m := range seen {
		names = append(names, m.Change)
		for _, running := range m.Running {
			if running != "" {
				served[running] = true
			}
		}
	}
	if len(served) > c.served {
		t.Errorf("viewers meet %d different functions, not %d at most: %s", len(served), c.served, strings.Join(names, ", "))
	}
	ofFunction := slices.DeleteFunc(slices.Clone(names), func(name string) bool { return !strings.Contains(name, "Function") })
	if c.made != nil && !slices.Equal(ofFunction, c.made) {
		t.Errorf("the function is changed by %v, not by %v", ofFunction, c.made)
	}
	t.Logf("in %s: %s", took.Round(time.Second), strings.Join(names, ", "))
	if out, err := a.run(dev, "plan", "-detailed-exitcode"); err != nil {
		t.Errorf("the second plan is not empty: %v\n%s", err, changes(out))
	}
}

// judge reports when a call fails that should not, and from which change to which.
func (c change) judge(t *testing.T, call string, seen []moment) {
	var spans []string
	for i, m := range seen {
		reason := m.Reasons[call]
		if reason == "" {
			continue
		}
		spans = append(spans, fmt.Sprintf("after %d of %d, %s: %s", i+1, len(seen), m.Change, reason))
		expected := slices.ContainsFunc(slices.Collect(maps.Keys(c.fails)), func(part string) bool {
			return strings.Contains(call, part) && strings.Contains(reason, c.fails[part])
		})
		if !expected {
			t.Errorf("%s fails after %s: %s", call, m.Change, reason)
		}
	}
	if len(spans) > 0 {
		t.Logf("%s fails:\n\t%s", call, strings.Join(spans, "\n\t"))
	}
}

// otherImage is a newer image of the app.
func (a *account) otherImage(t *testing.T) string {
	t.Helper()
	img, err := appImage()
	if err != nil {
		t.Fatal(err)
	}
	layer, err := imagetest.Files(types.DockerLayer, map[string][]byte{"app/api/server/newer.js": []byte("// newer")})
	if err != nil {
		t.Fatal(err)
	}
	if img, err = mutate.AppendLayers(img, layer); err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "newer")
	index, err := layout.Write(dir, empty.Index)
	if err == nil {
		err = index.AppendImage(img)
	}
	if err != nil {
		t.Fatal(err)
	}
	return "oci:" + dir
}
