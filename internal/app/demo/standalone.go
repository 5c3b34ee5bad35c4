package demo

import (
	"io/fs"
	"net/http"
	"path"
	"regexp"
	"strings"
)

var hashed = regexp.MustCompile(`^assets/[^/]+\.[0-9a-f]{10}\.[a-z0-9]+$`)

// CacheControl returns the Cache-Control that a file of [Site] is to be served with.
func CacheControl(name string) string {
	switch {
	case hashed.MatchString(name):
		return "public, max-age=31536000, immutable"
	case path.Ext(name) == ".html":
		return "no-store"
	default:
		return "public, max-age=3600"
	}
}

// Standalone serves a site and its API from one process, as an ordinary server would: no hop, no limit, no freeze. It is
// the baseline that a path through hops is compared with, in tests and benchmarks.
//
// A path without a dot that is no file is a route of the single-page app and gets index.html; a missing file is 404.
func Standalone(site fs.FS, api http.Handler) http.Handler {
	files := http.FileServerFS(site)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/api/") || r.URL.Path == "/health" {
			api.ServeHTTP(w, r)
			return
		}
		h := w.Header()
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "SAMEORIGIN")
		h.Set("Referrer-Policy", "strict-origin-when-cross-origin")
		name := strings.TrimPrefix(path.Clean(r.URL.Path), "/")
		if name == "" || path.Ext(name) == "" {
			h.Set("Cache-Control", CacheControl("index.html"))
			http.ServeFileFS(w, r, site, "index.html")
			return
		}
		if _, err := fs.Stat(site, name); err == nil {
			h.Set("Cache-Control", CacheControl(name))
		}
		files.ServeHTTP(w, r)
	})
}
