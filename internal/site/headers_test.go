package site

import (
	"strings"
	"testing"
	"time"
)

func TestHeaders(t *testing.T) {
	const others = "public, max-age=172800"
	for _, test := range []struct{ path, contentType, cacheControl string }{
		{"index.html", "text/html; charset=utf-8", noStore},
		{"sub/page.html", "text/html; charset=utf-8", noStore},
		{"sw.js", "text/javascript; charset=utf-8", noStore},
		{"manifest.webmanifest", "application/manifest+json", noStore},
		{"manifest.json", "application/json", noStore},
		{"assets/index.B3dEf9_a.js", "text/javascript; charset=utf-8", immutable},
		{"assets/index.CxT2-wqA.css", "text/css; charset=utf-8", immutable},
		{"assets/index-CxT2wqA9.js", "text/javascript; charset=utf-8", immutable},
		{"assets/vendor.abcdef12.js", "text/javascript; charset=utf-8", immutable},
		{"assets/deep/chunk.Ab3dEf9x.mjs", "text/javascript; charset=utf-8", immutable},
		{"assets/logo.svg", "image/svg+xml", others},
		{"assets/apple-touch-icon-180x180.png", "image/png", others},
		{"assets/icon-192x192.png", "image/png", others},
		{"assets/maskable-icon.png", "image/png", others},
		{"assets/web-browser.svg", "image/svg+xml", others},
		{"assets/fonts/Inter.A1b2C3d4.woff2", "font/woff2", others},
		{"assets/20260101.png", "image/png", others},
		{"index.B3dEf9_a.js", "text/javascript; charset=utf-8", others},
		{"robots.txt", "text/plain; charset=utf-8", others},
		{"app.WASM", "application/wasm", others},
		{".well-known/assetlinks", "text/plain; charset=utf-8", others},
	} {
		if got := contentType(test.path, []byte("<html>")); got != test.contentType {
			t.Errorf("%s: type %s, want %s", test.path, got, test.contentType)
		}
		if got := cacheControl(test.path, 48*time.Hour); got != test.cacheControl {
			t.Errorf("%s: cache %s, want %s", test.path, got, test.cacheControl)
		}
	}
}

func TestInvalidationPaths(t *testing.T) {
	got := invalidation([]string{"assets/a b.png", "assets/ü*.svg"})
	if strings.Join(got, " ") != "/assets/a%20b.png /assets/%C3%BC%2A.svg" {
		t.Errorf("got %q", got)
	}
	if many := invalidation(make([]string, maxPaths+1)); len(many) != 1 || many[0] != "/*" {
		t.Errorf("got %v", many)
	}
}

func FuzzParse(f *testing.F) {
	for _, text := range []string{
		`{"version":1,"id":"a","files":{"index.html":{"sha256":"x","type":"text/html"}},"retired":{"a":{"since":"2026-01-01T00:00:00Z"}}}`,
		`{}`, `{"version":1,"files":{"../x":{}}}`, `[]`, `null`, `{"version":1,"retired":{"/a":{}}}`,
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		release, err := parse(text)
		if err != nil {
			return
		}
		for path := range release.Files {
			if strings.HasPrefix(path, "/") || strings.Contains("/"+path+"/", "/../") {
				t.Errorf("took the path %q", path)
			}
		}
		release.due(time.Now(), nil)
		identify(release.Files)
	})
}
