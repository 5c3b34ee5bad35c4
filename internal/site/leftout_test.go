package site

import (
	"os"
	"path/filepath"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/aproorg/sluice/internal/hint"
)

func TestLeftOut(t *testing.T) {
	for path, want := range map[string]string{
		"index.html": "", "assets/a.js": "", "a.b/c.d": "", "v1.0/..x/y": Hidden, "backup": "", "notes.back": "", "#1.html": "", "a~b": "",
		".well-known/security.txt": "", ".well-known/acme-challenge/x": "", ".well-known/.git/config": Hidden, ".well-known/x.map": SourceMap,
		".well-known": Hidden, "sub/.well-known/x": Hidden, ".well-known2/x": Hidden, ".Well-Known/x": Hidden,
		".env": Hidden, ".env.production": Hidden, ".npmrc": Hidden, "sub/.git/config": Hidden, ".git/HEAD": Hidden, ".DS_Store": Hidden,
		"a/.b/c/d.html": Hidden, "...": Hidden, ".#index.html": Hidden, ".index.html.swp": Hidden, ".gitkeep": Hidden, ".a.map": Hidden,
		"index.html~": Backup, "sub/index.html~": Backup, "index.swp": Backup, "#index.html#": Backup, "config.js.bak": Backup, "a.orig": Backup,
		"sub.bak/a.js": "", "sub~/a.js": "",
		"Thumbs.db": FileList, "sub/Thumbs.db": FileList,
		"a.js.map": SourceMap, "a.js.gz": Compressed, "a.js.br": Compressed,
	} {
		if got := (include)(nil).leftOut(path); got != want {
			t.Errorf("%s: %q, want %q", path, got, want)
		}
	}
}

func TestInclude(t *testing.T) {
	for _, test := range []struct {
		patterns []string
		path     string
		want     string
	}{
		{[]string{".nojekyll"}, ".nojekyll", ""},
		{[]string{".nojekyll"}, "sub/.nojekyll", ""},
		{[]string{"/.nojekyll"}, ".nojekyll", ""},
		{[]string{"/.nojekyll"}, "sub/.nojekyll", Hidden},
		{[]string{".env.*"}, ".env.public", ""},
		{[]string{".env.*"}, ".env", Hidden},
		{[]string{"*"}, ".env", Hidden},      // a leading dot must be spelled out
		{[]string{"?env"}, ".env", Hidden},   //
		{[]string{"[.]env"}, ".env", Hidden}, //
		{[]string{"*"}, "a.js.map", ""},
		{[]string{"*.bak"}, "a.bak", ""},
		{[]string{"*.bak"}, ".env.bak", Hidden},
		{[]string{"*.map"}, ".git/a.map", Hidden}, // each part needs a pattern of its own
		{[]string{"*.map", ".git"}, ".git/a.map", ""},
		{[]string{".config"}, ".config/app.json", ""},
		{[]string{".config/"}, ".config/app.json", ""},
		{[]string{".config"}, ".config/.secret", Hidden},
		{[]string{".config"}, ".config/app.map", SourceMap},
		{[]string{".config/app.json"}, ".config/app.json", ""},
		{[]string{".config/*.json"}, ".config/app.json", ""},
		{[]string{".config/*.json"}, ".config/app.yaml", Hidden},
		{[]string{".config/*.json"}, "sub/.config/app.json", Hidden},
		{[]string{"/a/b"}, "a/.b", Hidden},
		{[]string{"maps/*.map"}, "maps/a.map", ""},
		{[]string{"maps/*.map"}, "maps/deep/a.map", SourceMap},
		{[]string{"maps"}, "maps/a.map", SourceMap},
		{[]string{"#*#"}, "#a#", ""},
		{[]string{".other"}, ".env", Hidden},
	} {
		patterns, err := parseInclude(test.patterns)
		if err != nil {
			t.Fatal(err)
		}
		if got := patterns.leftOut(test.path); got != test.want {
			t.Errorf("%q of %q: %q, want %q", test.path, test.patterns, got, test.want)
		}
	}
	for _, bad := range []string{"", "/", "[", "a[/b", "[a/b]", "//", "a//b", "**", "a/**", `a\`} {
		if err := CheckInclude([]string{".ok", bad}); err == nil || hint.Of(err) == "" {
			t.Errorf("took %q: %v", bad, err)
		}
	}
}

// What the issue found in a bucket stays out of it, and is counted.
func TestPlanNamesWhatItLeavesOut(t *testing.T) {
	source := fstest.MapFS{
		"index.html": {Data: []byte("page")}, ".env": {Data: []byte("SECRET=1")}, ".npmrc": {Data: []byte("token")},
		"sub/.git/config": {Data: []byte("[remote]")}, ".well-known/security.txt": {Data: []byte("mail")}, "a.js.map": {Data: []byte("map")},
	}
	plan, err := MakePlan(t.Context(), Options{Source: source})
	if err != nil {
		t.Fatal(err)
	}
	want := []LeftOut{{".env", Hidden}, {".npmrc", Hidden}, {"a.js.map", SourceMap}, {"sub/.git/config", Hidden}}
	if diff := cmp.Diff(want, plan.LeftOut); diff != "" || plan.Summary() != "2 new, 0 unchanged, 3 left out" {
		t.Errorf("%s %s", plan.Summary(), diff)
	}
	plan, err = MakePlan(t.Context(), Options{Source: source, Include: []string{".npmrc", "*.map"}})
	if err != nil || plan.Files != 4 || plan.Summary() != "4 new, 0 unchanged, 2 left out" {
		t.Errorf("with two on purpose: %+v, %v", plan, err)
	}
	if _, err := MakePlan(t.Context(), Options{Source: source, Include: []string{"["}}); err == nil {
		t.Error("took a bad pattern")
	}
}

// A hidden directory that cannot be read is not needed; any other is.
func TestUnreadableDirectory(t *testing.T) {
	if os.Geteuid() == 0 {
		t.Skip("root reads every directory; run as a user: go test ./internal/site -run TestUnreadableDirectory")
	}
	for name, fails := range map[string]bool{".cache": false, "sub": true, wellKnown: true} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, Index), nil, 0o644); err != nil {
			t.Fatal(err)
		}
		if err := os.Mkdir(filepath.Join(dir, name), 0o000); err != nil {
			t.Fatal(err)
		}
		if _, err := MakePlan(t.Context(), Options{Source: os.DirFS(dir)}); (err != nil) != fails {
			t.Errorf("%s: %v", name, err)
		}
	}
}
