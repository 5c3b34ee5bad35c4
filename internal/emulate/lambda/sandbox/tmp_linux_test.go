package sandbox

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/aproorg/sluice/internal/hint"
)

// entryOf makes a directory in dir, which is /tmp or one that sandboxes see as it is,
// with files by path; a file that begins with "-> " is a link.
func entryOf(t *testing.T, dir string, files map[string]string) string {
	t.Helper()
	root, err := os.MkdirTemp(dir, "sluice-tmp-test-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(root) })
	for name, text := range files {
		path := filepath.Join(root, name)
		err := os.MkdirAll(filepath.Dir(path), 0o755)
		if target, ok := strings.CutPrefix(text, "-> "); ok && err == nil {
			err = os.Symlink(target, path)
		} else if err == nil {
			err = os.WriteFile(path, []byte(text), 0o755)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return root
}

// TestBelowTmp: an app below /tmp, or reached through a link there, finds what lies
// beside it, above it and behind its links; nothing else of /tmp is there.
func TestBelowTmp(t *testing.T) {
	g := newGroup(t)
	if !g.host.namespaces {
		t.Skip("no mount namespaces here; run as root, or allow user namespaces")
	}
	modules := entryOf(t, "/tmp", map[string]string{"dotenv/index.js": "dotenv\n"})
	store := entryOf(t, "/tmp", map[string]string{"express/index.js": "express\n"})
	other := entryOf(t, "/tmp", map[string]string{"secret": "x"})
	work := entryOf(t, "/tmp", map[string]string{
		"packages/server/index.js": "index\n", "packages/shared/index.js": "shared\n", "node_modules/top/index.js": "top\n",
		"packages/server/node_modules/dotenv":         "-> " + modules + "/dotenv",
		"packages/server/node_modules/@scope/express": "-> " + store + "/express",
	})
	programs := entryOf(t, "/tmp", map[string]string{"lib/hello": "#!/bin/sh\necho hello\n", "bin/hello": "-> ../lib/hello"})
	elsewhere := entryOf(t, "/var/tmp", map[string]string{
		"link": "-> " + work + "/packages/server", "app/index.js": "outside\n", "app/logs/old": "", "config": "beside\n",
	})
	linked := work + "-link"
	if err := os.Symlink(elsewhere+"/app", linked); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.Remove(linked) })

	t.Setenv("PATH", programs+"/bin:"+os.Getenv("PATH"))

	const all = "cat index.js ../shared/index.js ../../node_modules/top/index.js node_modules/dotenv/index.js node_modules/@scope/express/index.js; hello; touch x 2>/dev/null || echo read-only; ls -d "
	want := []string{"index", "shared", "top", "dotenv", "express", "hello", "read-only"}
	for name, c := range map[string]struct {
		dir, script string
		want        []string
		scratch     []string
	}{
		"below /tmp":            {work + "/packages/server", all + other + " 2>/dev/null", want, nil},
		"by a link to /tmp":     {elsewhere + "/link", all + other + " 2>/dev/null", want, nil},
		"by a link out of /tmp": {linked, "cat index.js ../config; pwd -P; echo written >logs/new && cat logs/new; ls logs", []string{"outside", "beside", elsewhere + "/app", "written", "new"}, []string{linked + "/logs"}},
	} {
		for range 2 { // the second process finds the first one's /tmp
			got, _ := run(t, g, Spec{Dir: c.dir, ReadOnly: true, Scratch: c.scratch, Command: sh(c.script)})
			if !slices.Equal(got, c.want) {
				t.Errorf("%s: %q, want %q", name, got, c.want)
			}
		}
	}
}

// TestCheckTmp: what would be missing, or could not be written, is refused beforehand.
func TestCheckTmp(t *testing.T) {
	g := newGroup(t)
	if !g.host.namespaces {
		t.Skip("no mount namespaces here; run as root, or allow user namespaces")
	}
	app := entryOf(t, "/tmp", map[string]string{"server/index.js": "", "logs/x": ""})
	for name, c := range map[string]struct {
		spec   Spec
		writes []string
		want   string
	}{
		"below":            {Spec{Dir: app + "/server"}, []string{"/tmp/logs"}, ""},
		"/tmp itself":      {Spec{Dir: "/tmp"}, nil, "has a /tmp of its own"},
		"written":          {Spec{Dir: app + "/server"}, []string{app + "/cache"}, app + " is read-only"},
		"written, scratch": {Spec{Dir: app + "/server", Scratch: []string{app + "/logs"}}, []string{app + "/logs", app + "/logs/a"}, ""},
		"an image":         {Spec{Dir: "/tmp", Root: app}, nil, ""},
	} {
		err := g.host.Check(c.spec, c.writes)
		if (err == nil) != (c.want == "") || err != nil && (!strings.Contains(err.Error(), c.want) || hint.Of(err) == "") {
			t.Errorf("%s: %v, want %q and a hint", name, err, c.want)
		}
	}
}
