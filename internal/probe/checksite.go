package probe

import (
	"bytes"
	"context"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aproorg/sluice/internal/probe/description"
	"github.com/aproorg/sluice/internal/probe/report"
)

func checkSite(ctx context.Context, s *session) (report.Finding, error) {
	if s.d.Site == nil {
		return report.Finding{}, s.absent("site")
	}
	a, err := s.get(ctx, description.Request{Path: "/"})
	if err != nil {
		return report.Finding{}, err
	}
	if a.StatusCode != http.StatusOK || !a.isHTML() {
		return report.Finding{}, report.Failed("is index.html in the bucket, the default root object set, and the distribution allowed to read (OAC and bucket policy)?",
			"/ got %d %s", a.StatusCode, a.Header.Get("Content-Type"))
	}
	s.index, s.policy = a.body, a.Header.Get("Content-Security-Policy")
	return report.Found("index.html, %d bytes in %s", len(a.body), report.Seconds(a.head)).With("headMs", report.Millis(a.head)).With("bytes", float64(len(a.body))), nil
}

func checkRoutes(ctx context.Context, s *session) (report.Finding, error) {
	if s.d.Site == nil || len(s.d.Site.Routes) == 0 {
		return report.Finding{}, s.absent("SPA route")
	}
	if s.index == nil {
		return report.Finding{}, report.Skipped("there is no index.html to compare with")
	}
	for _, route := range s.d.Site.Routes {
		a, err := s.get(ctx, description.Request{Path: route})
		if err != nil {
			return report.Finding{}, err
		}
		if a.StatusCode != http.StatusOK || !bytes.Equal(a.body, s.index) {
			return report.Finding{}, report.Failed("the viewer-request function on the site's behavior must rewrite paths without a file extension to /index.html",
				"%s got %d, and not index.html: a reload there fails", route, a.StatusCode)
		}
	}
	return report.Found("%s are index.html", strings.Join(s.d.Site.Routes, ", ")), nil
}

func checkMissing(ctx context.Context, s *session) (report.Finding, error) {
	if s.d.Site == nil || s.d.Site.Missing == "" {
		return report.Finding{}, s.absent("missing file")
	}
	a, err := s.get(ctx, description.Request{Path: s.d.Site.Missing})
	if err != nil {
		return report.Finding{}, err
	}
	path := a.Request.URL.Path // with its variables filled in
	if a.StatusCode < 400 || a.StatusCode >= 500 {
		return report.Finding{}, report.Failed("only paths without a file extension may become index.html: a page that gets HTML for a script of an old release breaks without a word",
			"%s does not exist and got %d %s", path, a.StatusCode, a.Header.Get("Content-Type"))
	}
	return report.Found("%s got %d", path, a.StatusCode), nil
}

func checkIndexCache(ctx context.Context, s *session) (report.Finding, error) {
	if s.d.Site == nil {
		return report.Finding{}, s.absent("site")
	}
	a, err := s.get(ctx, description.Request{Path: "/"})
	if err != nil {
		return report.Finding{}, err
	}
	cc := a.Header.Get("Cache-Control")
	if !has(cc, "no-store") && !has(cc, "no-cache") && !has(cc, "max-age=0") {
		return report.Finding{}, report.Failed("upload index.html with Cache-Control: no-store, or a new release is not seen without an invalidation", "Cache-Control is %q", cc)
	}
	return report.Found("%s", cc), nil
}

func checkAssetCache(ctx context.Context, s *session) (report.Finding, error) {
	if s.d.Site == nil || s.d.Site.Hashed == "" {
		return report.Finding{}, s.absent("pattern of hashed files")
	}
	refs := slices.Compact(slices.Sorted(slices.Values(regexp.MustCompile(s.d.Site.Hashed).FindAllString(string(s.index), -1))))
	if len(refs) == 0 {
		return report.Finding{}, report.Failed("is it the right index.html?", "index.html names no file that matches %s", s.d.Site.Hashed)
	}
	for _, ref := range refs[:min(len(refs), 4)] {
		a, err := s.get(ctx, description.Request{Path: "/" + strings.TrimPrefix(ref, "/")})
		if err != nil {
			return report.Finding{}, err
		}
		cc := a.Header.Get("Cache-Control")
		switch {
		case a.StatusCode != http.StatusOK || a.isHTML():
			return report.Finding{}, report.Failed("index.html and its assets are of different releases", "%s got %d %s", ref, a.StatusCode, a.Header.Get("Content-Type"))
		case !has(cc, "immutable") || maxAge(cc) < 30*24*time.Hour:
			return report.Finding{}, report.Failed("upload files with a hash in their name with Cache-Control: public, max-age=31536000, immutable", "%s has Cache-Control %q", ref, cc)
		}
	}
	return report.Found("%d of %d hashed files, all immutable", min(len(refs), 4), len(refs)), nil
}

// has reports whether a comma-separated header has a directive (RFC 9110, 5.6.1).
func has(header, directive string) bool {
	for part := range strings.SplitSeq(header, ",") {
		if strings.EqualFold(strings.TrimSpace(part), directive) {
			return true
		}
	}
	return false
}

func maxAge(cc string) time.Duration {
	for part := range strings.SplitSeq(cc, ",") {
		name, v, _ := strings.Cut(strings.TrimSpace(part), "=")
		if strings.EqualFold(name, "max-age") {
			n, _ := strconv.ParseInt(v, 10, 32) // what is no number has no age
			return time.Duration(n) * time.Second
		}
	}
	return 0
}

func checkSecurityHeaders(ctx context.Context, s *session) (report.Finding, error) {
	if s.d.Site == nil {
		return report.Finding{}, s.absent("site")
	}
	a, err := s.get(ctx, description.Request{Path: "/"})
	if err != nil {
		return report.Finding{}, err
	}
	h := a.Header
	var missing []string
	if !strings.EqualFold(h.Get("X-Content-Type-Options"), "nosniff") {
		missing = append(missing, "X-Content-Type-Options: nosniff")
	}
	if h.Get("X-Frame-Options") == "" && !strings.Contains(h.Get("Content-Security-Policy"), "frame-ancestors") {
		missing = append(missing, "X-Frame-Options")
	}
	if h.Get("Referrer-Policy") == "" {
		missing = append(missing, "Referrer-Policy")
	}
	if s.base.Scheme == "https" && h.Get("Strict-Transport-Security") == "" {
		missing = append(missing, "Strict-Transport-Security")
	}
	if len(missing) > 0 {
		return report.Finding{}, report.Failed("give the site's behavior the managed response headers policy SecurityHeadersPolicy (67f7725c-6f97-4210-82d7-5512b31e9d03)",
			"/ lacks %s", strings.Join(missing, ", "))
	}
	return report.Found("nosniff, framing, referrer%s", map[bool]string{true: ", HSTS"}[s.base.Scheme == "https"]), nil
}
