package probe

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"time"

	"github.com/aproorg/sluice/internal/probe/report"
)

const maskHint = "a rule turns answers of the API into index.html: custom error responses have no path condition, so rewrite SPA " +
	"routes in a viewer-request function on the site's behavior, and give the API's paths a behavior of their own"

func checkAPI(ctx context.Context, s *session) (report.Finding, error) {
	if s.d.API == nil {
		return report.Finding{}, s.absent("path of the API")
	}
	a, err := s.get(ctx, *s.d.API)
	if err != nil {
		return report.Finding{}, err
	}
	s.first, s.apiHead = &a.timings, a.Header
	switch {
	case a.isHTML():
		return report.Finding{}, report.Failed(maskHint, "%s got a page (%d %s)", s.d.API.Path, a.StatusCode, a.Header.Get("Content-Type"))
	case a.StatusCode != http.StatusOK:
		return report.Finding{}, report.Failed(apiHint(a), "%s got %d: %s", s.d.API.Path, a.StatusCode, excerpt(a.body))
	case !json.Valid(a.body):
		return report.Finding{}, report.Failed("a hop changes bodies, perhaps to base64", "%s got 200 and no JSON: %s", s.d.API.Path, excerpt(a.body))
	}
	return report.Found("%s got 200 and JSON in %s", s.d.API.Path, report.Seconds(a.head)).With("headMs", report.Millis(a.head)), nil
}

// apiHint knows the usual answers of API Gateway and Lambda.
func apiHint(a answer) string {
	switch {
	case a.StatusCode == 403 && bytes.Contains(a.body, []byte("Missing Authentication Token")):
		return "API Gateway has no such route: look at the origin path (the stage) and the resource tree"
	case a.StatusCode == 403:
		return "the secret origin header is missing or wrong, or a policy refuses"
	case a.StatusCode == 429:
		return "too few environments: look at the function's reserved concurrency and the account's limit"
	case a.StatusCode == 500 && a.refused():
		return "an instant 500 with no log line of the function: where API Gateway calls an alias (function.alias = true, or start = \"provisioned\"), " +
			"it may refuse to stream from one: set function.alias = false and start = \"on-demand\"; " +
			"else API Gateway lacks lambda:InvokeFunction, or no environment is free"
	case a.StatusCode == 500:
		return "the app failed: look at the function's log"
	case a.StatusCode == 502:
		return "the function answered without the streaming prelude, or ended: look at its last log lines"
	case a.StatusCode == 503 || a.StatusCode == 504:
		return "the app did not become ready or did not answer in time: look at the function's init and its timeout"
	}
	return ""
}

// refused tells whether API Gateway answered by itself, without the function: its own
// words, at once. A function that fails takes longer or is a 502.
func (a answer) refused() bool {
	const atOnce = 2 * time.Second // with the connection and CloudFront's part
	var said struct{ Message string }
	return json.Unmarshal(a.body, &said) == nil && said.Message == "Internal server error" && a.head < atOnce
}

func excerpt(body []byte) string {
	text := strings.Join(strings.Fields(strings.ToValidUTF8(string(body), "?")), " ")
	if len(text) > 120 {
		text = text[:120] + "…"
	}
	return text
}

func checkAPICache(ctx context.Context, s *session) (report.Finding, error) {
	if s.d.API == nil {
		return report.Finding{}, s.absent("path of the API")
	}
	for range 2 {
		a, err := s.get(ctx, *s.d.API)
		if err != nil {
			return report.Finding{}, err
		}
		if age, cache := a.Header.Get("Age"), a.Header.Get("X-Cache"); age != "" || strings.HasPrefix(strings.ToLower(cache), "hit") {
			return report.Finding{}, report.Failed("give the API's behaviors the managed cache policy CachingDisabled (4135ea2d-6df8-44a3-9df3-4b5a84be39ad)",
				"%s came from a cache (Age %q, X-Cache %q)", s.d.API.Path, age, cache)
		}
	}
	return report.Found("no Age, no hit"), nil
}

func checkErrors(ctx context.Context, s *session) (report.Finding, error) {
	if len(s.d.Errors) == 0 {
		return report.Finding{}, s.absent("path that answers with an error")
	}
	var seen []string
	for _, e := range s.d.Errors {
		a, err := s.get(ctx, e.Request)
		if err != nil {
			return report.Finding{}, err
		}
		if a.StatusCode != e.Status || a.isHTML() {
			hint := maskHint
			if !a.isHTML() {
				hint = apiHint(a)
			}
			return report.Finding{}, report.Failed(hint, "%s must get %d and got %d %s: %s", e.Path, e.Status, a.StatusCode, a.Header.Get("Content-Type"), excerpt(a.body))
		}
		seen = append(seen, http.StatusText(e.Status))
	}
	return report.Found("%s", strings.Join(seen, ", ")), nil
}

func checkLogin(ctx context.Context, s *session) (report.Finding, error) {
	if s.d.Login == nil {
		return report.Finding{}, s.absent("login")
	}
	a, err := s.get(ctx, *s.d.Login)
	if err != nil {
		return report.Finding{}, err
	}
	if a.StatusCode/100 != 2 {
		return report.Finding{}, report.Failed("are the user and password right?", "%s got %d", s.d.Login.Path, a.StatusCode)
	}
	return report.Found("%d, %d cookies", a.StatusCode, len(a.Header.Values("Set-Cookie"))), nil
}
