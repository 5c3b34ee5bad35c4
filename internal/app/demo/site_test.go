package demo_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"flag"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/aproorg/sluice/internal/app/demo"
)

var update = flag.Bool("update", false, "rename the assets to what their content asks for")

var (
	assetName = regexp.MustCompile(`^(.+?)(\.[0-9a-f]{10})?(\.[a-z]+)$`)
	assetRef  = regexp.MustCompile(`/assets/[A-Za-z0-9._-]+`)
)

// nameFor returns the name that an asset must have: a changed file under an old name would never reach a visitor.
func nameFor(name string, content []byte) string {
	sum := sha256.Sum256(content)
	m := assetName.FindStringSubmatch(name)
	return m[1] + "." + hex.EncodeToString(sum[:])[:10] + m[3]
}

func TestAssetNamesCarryTheirHash(t *testing.T) {
	const dir = "site/assets"
	files, err := os.ReadDir(dir)
	if err != nil || len(files) == 0 {
		t.Fatalf("read %s: %v", dir, err)
	}
	index, err := os.ReadFile("site/index.html")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		content, err := os.ReadFile(filepath.Join(dir, f.Name()))
		if err != nil {
			t.Fatal(err)
		}
		want := nameFor(f.Name(), content)
		if *update && want != f.Name() {
			if err := os.Rename(filepath.Join(dir, f.Name()), filepath.Join(dir, want)); err != nil {
				t.Fatal(err)
			}
			index = bytes.ReplaceAll(index, []byte("/assets/"+f.Name()), []byte("/assets/"+want))
		} else if want != f.Name() {
			t.Errorf("%s should be %s: run go test ./internal/app/demo -run TestAssetNames -update", f.Name(), want)
		}
	}
	if *update {
		if err := os.WriteFile("site/index.html", index, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func TestSiteNamesOnlyFilesThatExist(t *testing.T) {
	site := demo.Site()
	index, err := fs.ReadFile(site, "index.html")
	if err != nil {
		t.Fatal(err)
	}
	named := map[string]bool{}
	for _, ref := range assetRef.FindAllString(string(index), -1) {
		named[strings.TrimPrefix(ref, "/")] = true
		if _, err := fs.Stat(site, strings.TrimPrefix(ref, "/")); err != nil {
			t.Errorf("index.html names %s: %v", ref, err)
		}
	}
	assets, err := fs.Glob(site, "assets/*")
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range assets {
		if !named[a] {
			t.Errorf("%s is not named in index.html", a)
		}
		if got := demo.CacheControl(a); !strings.Contains(got, "immutable") {
			t.Errorf("%s is served with %q", a, got)
		}
	}
	if bytes.Contains(index, []byte("http:")) || bytes.Contains(index, []byte("https:")) {
		t.Error("index.html needs the network")
	}
	if demo.CacheControl("index.html") != "no-store" {
		t.Error("index.html may be cached")
	}
}
