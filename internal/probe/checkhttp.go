package probe

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/aproorg/sluice/internal/probe/description"
	"github.com/aproorg/sluice/internal/probe/report"
)

// bodyless is how soon an answer without a body must have ended. Adapters are known to leave such answers open.
const bodyless = 10 * time.Second

const hangHint = "answers without a body are known to hang in streaming mode: always send the prelude, and Content-Length: 0 where a body could be"

// getBodyless makes a request whose answer must have no body and must end.
func (s *session) getBodyless(ctx context.Context, r description.Request) (answer, error) {
	ctx, cancel := context.WithTimeout(ctx, bodyless)
	defer cancel()
	a, err := s.get(ctx, r)
	if ctx.Err() != nil {
		return a, report.Failed(hangHint, "%s %s did not end within %s", r.Method, r.Path, bodyless)
	}
	if err == nil && len(a.body) > 0 {
		return a, report.Failed("a hop adds a body, perhaps an error page of its own", "%s %s got %d and a body of %d bytes: %s", r.Method, r.Path, a.StatusCode, len(a.body), excerpt(a.body))
	}
	return a, err
}

func checkHead(ctx context.Context, s *session) (report.Finding, error) {
	if s.d.Head == nil {
		return report.Finding{}, s.absent("path for HEAD")
	}
	r := *s.d.Head
	r.Method = http.MethodHead
	a, err := s.getBodyless(ctx, r)
	if err != nil {
		return report.Finding{}, err
	}
	if a.StatusCode != http.StatusOK {
		get, err := s.get(ctx, *s.d.Head)
		if err == nil && get.StatusCode == a.StatusCode {
			return report.Finding{}, report.Failed("what is checked answers 200 to anyone: give the URL at which the site does", "HEAD %s got %d, and so did GET", r.Path, a.StatusCode)
		}
		return report.Finding{}, report.Failed("the behavior must allow HEAD, and the API pass ANY", "HEAD %s got %d", r.Path, a.StatusCode)
	}
	return report.Found("200, no body, Content-Length %q", a.Header.Get("Content-Length")), nil
}

func checkNoContent(ctx context.Context, s *session) (report.Finding, error) {
	if s.d.NoContent == nil {
		return report.Finding{}, s.absent("path that answers 204")
	}
	a, err := s.getBodyless(ctx, *s.d.NoContent)
	if err != nil {
		return report.Finding{}, err
	}
	if a.StatusCode != http.StatusNoContent {
		return report.Finding{}, report.Failed(hangHint, "%s got %d", s.d.NoContent.Path, a.StatusCode)
	}
	return report.Found("no body, in %s", report.Seconds(a.head)), nil
}

func checkNotModified(ctx context.Context, s *session) (report.Finding, error) {
	if s.d.NotModified == nil {
		return report.Finding{}, s.absent("path with a validator")
	}
	r := *s.d.NotModified
	a, err := s.get(ctx, r)
	if err != nil {
		return report.Finding{}, err
	}
	etag := a.Header.Get("ETag")
	if a.StatusCode != http.StatusOK || etag == "" {
		return report.Finding{}, report.Failed("ETag must pass unchanged", "%s got %d with ETag %q", r.Path, a.StatusCode, etag)
	}
	r.Header = map[string]string{"If-None-Match": etag}
	for k, v := range s.d.NotModified.Header {
		r.Header[k] = v
	}
	if a, err = s.getBodyless(ctx, r); err != nil {
		return report.Finding{}, err
	}
	if a.StatusCode != http.StatusNotModified {
		return report.Finding{}, report.Failed("the origin request policy must pass If-None-Match, and 304 must pass back", "%s with If-None-Match %s got %d", r.Path, etag, a.StatusCode)
	}
	return report.Found("ETag %s, no body, in %s", etag, report.Seconds(a.head)), nil
}

func checkRedirect(ctx context.Context, s *session) (report.Finding, error) {
	if s.d.Redirect == nil {
		return report.Finding{}, s.absent("path that redirects")
	}
	r := s.d.Redirect
	a, err := s.get(ctx, r.Request)
	if err != nil {
		return report.Finding{}, err
	}
	got := a.Header.Get("Location")
	if a.StatusCode != r.Status || !s.sameLocation(got, r.Location) {
		return report.Finding{}, report.Failed("Location must pass unchanged: no stage in it, no other host, nothing decoded", "%s must get %d to %q and got %d to %q", r.Path, r.Status, r.Location, a.StatusCode, got)
	}
	return report.Found("%d to %s", a.StatusCode, got), nil
}

// sameLocation takes an absolute URL of this base for its path: some servers make one of what the app gave.
func (s *session) sameLocation(got, want string) bool {
	if got == want {
		return true
	}
	u, err := url.Parse(got)
	return err == nil && u.Host == s.base.Host && u.RequestURI() == want
}

func checkCookies(ctx context.Context, s *session) (report.Finding, error) {
	if s.d.Cookies == nil {
		return report.Finding{}, s.absent("path that sets several cookies")
	}
	a, err := s.get(ctx, s.d.Cookies.Request)
	if err != nil {
		return report.Finding{}, err
	}
	var names []string
	for _, line := range a.Header.Values("Set-Cookie") {
		name, _, _ := strings.Cut(line, "=")
		names = append(names, name)
	}
	for _, want := range s.d.Cookies.Names {
		if !slices.Contains(names, want) {
			return report.Finding{}, report.Failed("each Set-Cookie must stay a header of its own: a hop that joins them, or keeps the last, loses logins",
				"%s got the cookies %v, and not %s", s.d.Cookies.Path, names, want)
		}
	}
	return report.Found("%s", strings.Join(names, ", ")), nil
}
