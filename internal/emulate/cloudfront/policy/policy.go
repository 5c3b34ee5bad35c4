package policy

import (
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/aproorg/sluice/internal/stack"
)

// Check refuses choices that no policy has.
func Check(b stack.CacheBehavior) error {
	key, forward := b.CachePolicy, b.OriginRequestPolicy
	for _, c := range []struct {
		what    string
		got     stack.Selection
		allowed []string
	}{
		{"cache policy headers", key.Headers, []string{"none", "whitelist"}},
		{"cache policy cookies", key.Cookies, []string{"none", "whitelist", "allExcept", "all"}},
		{"cache policy query strings", key.Queries, []string{"none", "whitelist", "allExcept", "all"}},
		{"origin request policy headers", forward.Headers, []string{"none", "whitelist", "allExcept", "allViewer", "allViewerAndWhitelistCloudFront"}},
		{"origin request policy cookies", forward.Cookies, []string{"none", "whitelist", "allExcept", "all"}},
		{"origin request policy query strings", forward.Queries, []string{"none", "whitelist", "allExcept", "all"}},
	} {
		if c.got.Behavior != "" && !slices.Contains(c.allowed, c.got.Behavior) {
			return fmt.Errorf("%s: unknown behavior %q", c.what, c.got.Behavior)
		}
	}
	if key.MinTTL > key.MaxTTL {
		return fmt.Errorf("cache policy: minimum TTL %s is over the maximum %s", key.MinTTL, key.MaxTTL)
	}
	switch b.ViewerProtocolPolicy {
	case "", "allow-all", "https-only", "redirect-to-https":
		return nil
	}
	return fmt.Errorf("unknown viewer protocol policy %q", b.ViewerProtocolPolicy)
}

// Header reports whether a selection of headers takes a name.
func Header(s stack.Selection, name string) bool { return selects(s, name, true) }

// selects reports whether a selection takes a name. Header names compare without
// case, others with it.
func selects(s stack.Selection, name string, fold bool) bool {
	listed := slices.ContainsFunc(s.Items, func(item string) bool {
		return item == name || fold && strings.EqualFold(item, name)
	})
	switch s.Behavior {
	case "all", "allViewer":
		return true
	case "whitelist":
		return listed
	case "allExcept":
		return !listed
	case "allViewerAndWhitelistCloudFront":
		return listed || !strings.HasPrefix(strings.ToLower(name), "cloudfront-")
	}
	return false
}

// Query keeps the parameters that either selection takes, as they came and
// in their order.
func Query(raw string, selections ...stack.Selection) string {
	return selectPairs(raw, "&", "&", selections)
}

// Cookies does the same for the values of Cookie headers.
func Cookies(values []string, selections ...stack.Selection) string {
	return selectPairs(strings.Join(values, "; "), ";", "; ", selections)
}

func selectPairs(raw, cut, join string, selections []stack.Selection) string {
	var kept []string
	for pair := range strings.SplitSeq(raw, cut) {
		pair = strings.TrimSpace(pair)
		name, _, _ := strings.Cut(pair, "=")
		taken := slices.ContainsFunc(selections, func(s stack.Selection) bool { return selects(s, name, false) })
		if pair != "" && taken {
			kept = append(kept, pair)
		}
	}
	return strings.Join(kept, join)
}

// ForwardsCookies reports whether a behavior passes cookies on. Without it the
// origin's Set-Cookie does not reach the viewer either.
func ForwardsCookies(b stack.CacheBehavior) bool {
	for _, s := range []stack.Selection{b.CachePolicy.Cookies, b.OriginRequestPolicy.Cookies} {
		if s.Behavior != "none" && s.Behavior != "" {
			return true
		}
	}
	return false
}

// Encoding is the Accept-Encoding that counts for the cache: br and gzip in this
// order, as far as viewer and policy have them.
func Encoding(p stack.CachePolicy, r *http.Request) string {
	if !r.ProtoAtLeast(1, 1) {
		return ""
	}
	var out []string
	accepted := strings.Join(r.Header.Values("Accept-Encoding"), ",")
	if p.Brotli && accepts(accepted, "br") {
		out = append(out, "br")
	}
	if p.Gzip && accepts(accepted, "gzip") {
		out = append(out, "gzip")
	}
	return strings.Join(out, ",")
}

func accepts(header, coding string) bool {
	for part := range strings.SplitSeq(header, ",") {
		name, parameters, _ := strings.Cut(part, ";")
		if strings.EqualFold(strings.TrimSpace(name), coding) {
			q := strings.ReplaceAll(parameters, " ", "")
			return q != "q=0" && strings.Trim(q, "0") != "q=0."
		}
	}
	return false
}

// Object is what a request asks for.
type Object struct {
	Method, Path, Query string
	Cookies             []string                   // values of Cookie headers
	Encoding            string                     // see the function of that name
	Header              func(name string) []string // of the viewer; name is in lower case
}

// Key names the object in the cache. HEAD asks for GET's.
func (o Object) Key(p stack.CachePolicy) string {
	method := o.Method
	if method == http.MethodHead {
		method = http.MethodGet
	}
	var k strings.Builder
	for _, part := range []string{method, o.Path, Query(o.Query, p.Queries), Cookies(o.Cookies, p.Cookies), o.Encoding} {
		k.WriteString(part)
		k.WriteByte('\n')
	}
	for _, name := range slices.Sorted(slices.Values(lower(p.Headers.Items))) {
		k.WriteString(name + "=" + strings.Join(o.Header(name), ",") + "\n")
	}
	return k.String()
}

func lower(names []string) []string {
	out := make([]string, len(names))
	for i, n := range names {
		out[i] = strings.ToLower(n)
	}
	return out
}
