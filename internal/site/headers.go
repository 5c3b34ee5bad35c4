package site

import (
	"fmt"
	"net/http"
	"path"
	"regexp"
	"slices"
	"strings"
	"time"
)

const (
	immutable = "public, max-age=31536000, immutable"
	noStore   = "no-store"
)

// types are written down: mime.TypeByExtension answers by what the machine at
// hand has installed, and the headers are part of a release's digest.
var types = map[string]string{
	".avif": "image/avif", ".bmp": "image/bmp", ".css": "text/css; charset=utf-8", ".csv": "text/csv; charset=utf-8",
	".eot": "application/vnd.ms-fontobject", ".gif": "image/gif", ".htm": "text/html; charset=utf-8", ".html": "text/html; charset=utf-8",
	".ico": "image/x-icon", ".jpeg": "image/jpeg", ".jpg": "image/jpeg", ".js": "text/javascript; charset=utf-8",
	".json": "application/json", ".m4a": "audio/mp4", ".md": "text/markdown; charset=utf-8", ".mjs": "text/javascript; charset=utf-8",
	".mp3": "audio/mpeg", ".mp4": "video/mp4", ".ogg": "audio/ogg", ".otf": "font/otf", ".pdf": "application/pdf", ".png": "image/png",
	".svg": "image/svg+xml", ".ttf": "font/ttf", ".txt": "text/plain; charset=utf-8", ".wasm": "application/wasm", ".wav": "audio/wav",
	".webm": "video/webm", ".webmanifest": "application/manifest+json", ".webp": "image/webp", ".woff": "font/woff", ".woff2": "font/woff2",
	".xml": "application/xml", ".zip": "application/zip",
}

// contentType goes by the extension, and by the first 512 bytes where that is
// none or unknown. Unlike a browser it takes nothing it guessed for a page.
func contentType(name string, head []byte) string {
	if known, ok := types[strings.ToLower(path.Ext(name))]; ok {
		return known
	}
	guess := http.DetectContentType(head)
	if strings.HasPrefix(guess, "text/html") || strings.HasPrefix(guess, "text/xml") {
		return "text/plain; charset=utf-8"
	}
	return guess
}

// never are files that must be fetched anew each time: through them a browser
// learns of a new release. The names are those of Vite's PWA plugin and of its
// predecessors.
var never = []string{"sw.js", "service-worker.js", "registerSW.js", "manifest.webmanifest", "manifest.json"}

// cacheControl stores neither pages nor never, keeps what has its content's hash in
// its name for ever, and all else for two days.
func cacheControl(name string, maxAge time.Duration) string {
	switch {
	case slices.Contains(never, name), strings.HasSuffix(name, ".html"), strings.HasSuffix(name, ".htm"):
		return noStore
	case hashed(name):
		return immutable
	}
	return fmt.Sprintf("public, max-age=%d", int(maxAge.Seconds()))
}

// stamp is Rollup's hash in a file name, of 8 characters or more, after a dot
// or a hyphen (Vite's default).
var stamp = regexp.MustCompile(`[.-]([A-Za-z0-9_-]{8,22})\.[a-z0-9]+$`)

// hashed tells whether the name holds the content's hash. Fonts and icons are
// copied under their own names, and a wrong yes would be cached for a year: a
// hash mixes kinds of characters, which words and sizes like 192x192 do not.
func hashed(name string) bool {
	if !strings.HasPrefix(name, "assets/") || strings.HasPrefix(name, "assets/fonts/") {
		return false
	}
	found := stamp.FindStringSubmatch(name)
	if found == nil {
		return false
	}
	// A word before the hash may end in a part that looks like one: the hash
	// itself is the last 8 characters at least.
	last := found[1][max(0, len(found[1])-8):]
	upper := strings.ContainsAny(last, "ABCDEFGHIJKLMNOPQRSTUVWXYZ")
	lower := strings.ContainsAny(last, "abcdefghijklmnopqrstuvwxyz")
	digit := strings.ContainsAny(last, "0123456789")
	return upper && (lower || digit) || lower && digit && !sized.MatchString(last)
}

var sized = regexp.MustCompile(`(^|[-_])\d+x\d+`)
