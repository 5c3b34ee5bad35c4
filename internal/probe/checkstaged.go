package probe

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/aproorg/sluice/internal/probe/description"
	"github.com/aproorg/sluice/internal/probe/report"
)

// The protocol of bodies that come by way of S3, as docs/uploads.md has it.
const (
	ticketPath   = "/_sluice/uploads"
	ticketHeader = "Sluice-Upload"
)

// offer is the answer to a wish for a ticket.
type offer struct {
	Ticket, Message string
	Parts           []struct {
		URL     string
		Size    int64
		Headers map[string]string
	}
}

// checkStaged brings 20 MB to the app as a page does: a ticket, the body into S3, and the request without it.
func checkStaged(ctx context.Context, s *session) (report.Finding, error) {
	u, err := s.newUpload(20 << 20)
	if err != nil {
		return report.Finding{}, err
	}
	began := time.Now()
	o, err := s.ticket(ctx, u)
	if err != nil {
		return report.Finding{}, err
	}
	ticket := time.Since(began)
	rest := u.body
	for _, p := range o.Parts {
		if p.Size < 0 || p.Size > int64(len(rest)) {
			return report.Finding{}, report.Failed("", "the offer's parts are larger than the body")
		}
		if err := s.lets(ctx, p.URL, slices.Sorted(maps.Keys(p.Headers))); err != nil {
			return report.Finding{}, err
		}
		if err := s.put(ctx, p.URL, p.Headers, rest[:p.Size]); err != nil {
			return report.Finding{}, err
		}
		rest = rest[p.Size:]
	}
	put := time.Since(began) - ticket
	r := u.request
	r.Header = maps.Clone(r.Header)
	r.Header[ticketHeader] = o.Ticket
	a, err := s.get(ctx, r)
	if err != nil {
		return report.Finding{}, err
	}
	if a.StatusCode/100 != 2 {
		return report.Finding{}, report.Failed("the function's log says why, where the answer does not", "20 MB are in S3, and the request that they are for got %d: %s", a.StatusCode, excerpt(a.body))
	}
	if err := s.arrived(ctx, a, u); err != nil {
		return report.Finding{}, err
	}
	f := report.Found("arrived whole: ticket %s, S3 %s, request %s", report.Seconds(ticket), report.Seconds(put), report.Seconds(a.head)).
		With("ticketMs", report.Millis(ticket)).With("putMs", report.Millis(put)).With("headMs", report.Millis(a.head))
	if s.index != nil && !bytes.Contains(s.index, []byte("sluice-uploads.")) && !bytes.Contains(s.index, []byte(ticketPath+".js")) {
		f.Detail += "; but the page does not load the script that makes browsers do so, see docs/uploads.md"
	}
	return f, nil
}

// ticket asks for the right to put a body into S3. Where uploads are off it is the reason to skip the check.
func (s *session) ticket(ctx context.Context, u upload) (offer, error) {
	path, err := s.expand(u.request.Path)
	if err != nil {
		return offer{}, err
	}
	at, err := url.Parse(s.url(path))
	if err != nil {
		return offer{}, err
	}
	wish, err := json.Marshal(map[string]any{"method": u.request.Method, "url": at.RequestURI(), "size": len(u.body), "type": u.request.Header["Content-Type"]})
	if err != nil {
		return offer{}, err
	}
	r := description.Request{Method: http.MethodPost, Path: ticketPath, Header: maps.Clone(u.request.Header)}
	r.Header["Content-Type"] = "application/json"
	a, err := s.getBody(ctx, r, bytes.NewReader(wish), int64(len(wish)))
	if err != nil {
		return offer{}, err
	}
	var o offer
	notOurs := json.Unmarshal(a.body, &o) != nil || o.Ticket == "" && o.Message == ""
	switch {
	case a.StatusCode == http.StatusOK && o.Ticket != "":
		return o, nil
	case a.StatusCode < 500 && notOurs, a.StatusCode == http.StatusNotFound, a.StatusCode == http.StatusMethodNotAllowed:
		return offer{}, report.Skipped(fmt.Sprintf("uploads are off (POST %s got %d): SLUICE_UPLOADS_S3 brings what Lambda's 6 MB do not hold, see docs/uploads.md", ticketPath, a.StatusCode))
	}
	hint := apiHint(a)
	switch a.StatusCode {
	case http.StatusUnauthorized, http.StatusForbidden:
		hint = "does SLUICE_UPLOAD_AUTHORIZE name a path that answers 2xx to this user?"
	case http.StatusRequestEntityTooLarge:
		hint = "raise what the answer names in brackets"
	case http.StatusBadGateway:
		hint = "may the function's role put objects below the prefix of SLUICE_UPLOADS_S3? Its log says what failed"
	}
	return offer{}, report.Failed(hint, "no ticket for 20 MB: %d %s", a.StatusCode, excerpt(a.body))
}

// lets asks whether a browser may put the body: whether the page's policy lets it connect to the bucket, and the bucket's
// CORS the page's origin put.
func (s *session) lets(ctx context.Context, to string, headers []string) error {
	at, err := url.Parse(to)
	if err != nil {
		return report.Failed("", "the offer's URL is none: %v", err)
	}
	if !connects(s.policy, at, s.base) {
		return report.Failed("add the bucket to connect-src of the page's Content-Security-Policy", "the page's policy keeps browsers from %s://%s", at.Scheme, at.Host)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodOptions, to, nil)
	if err != nil {
		return err
	}
	req.Header.Set("Origin", s.origin())
	req.Header.Set("Access-Control-Request-Method", http.MethodPut)
	if len(headers) > 0 {
		req.Header.Set("Access-Control-Request-Headers", strings.Join(headers, ","))
	}
	res, err := s.client.Do(req)
	if err != nil {
		return explain(ctx, req.Method, at.Host, err)
	}
	res.Body.Close()
	if allowed := res.Header.Get("Access-Control-Allow-Origin"); res.StatusCode != http.StatusOK || allowed != s.origin() && allowed != "*" {
		return report.Failed("the bucket's CORS must allow PUT with any header to "+s.origin(), "S3 does not let a browser put the body: the preflight got %d, and %q is allowed", res.StatusCode, allowed)
	}
	return nil
}

func (s *session) put(ctx context.Context, to string, headers map[string]string, body []byte) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPut, to, bytes.NewReader(body))
	if err != nil {
		return report.Failed("", "the offer's URL is none: %v", err)
	}
	for name, value := range headers {
		req.Header.Set(name, value)
	}
	res, err := s.client.Do(req)
	if err != nil {
		return explain(ctx, req.Method, req.URL.Host, err)
	}
	defer res.Body.Close()
	said, err := io.ReadAll(io.LimitReader(res.Body, maxBody))
	if err != nil || res.StatusCode != http.StatusOK {
		return report.Failed("may the function's role put objects below the prefix of SLUICE_UPLOADS_S3, and is the bucket in its region?", "S3 answered the body with %d: %s%s", res.StatusCode, excerpt(said), because(err))
	}
	return nil
}

// connects reports whether a page's policy lets it connect to an address.
// https://www.w3.org/TR/CSP3/#match-url-to-source-expression
func connects(policy string, to, page *url.URL) bool {
	sources, found := directive(policy, "connect-src")
	if !found {
		if sources, found = directive(policy, "default-src"); !found {
			return true
		}
	}
	return slices.ContainsFunc(sources, func(source string) bool {
		switch scheme, ok := strings.CutSuffix(source, ":"); {
		case source == "*":
			return true
		case source == "'self'":
			return to.Scheme == page.Scheme && to.Host == page.Host
		case ok:
			return scheme == to.Scheme
		}
		scheme, host, ok := strings.Cut(source, "://")
		if !ok {
			scheme, host = page.Scheme, source
		}
		host, _, _ = strings.Cut(host, "/")
		name, port, _ := strings.Cut(host, ":")
		sub, wild := strings.CutPrefix(name, "*")
		return scheme == to.Scheme && (port == "*" || port == to.Port()) && (name == to.Hostname() || wild && strings.HasSuffix(to.Hostname(), sub))
	})
}

// directive are the sources of a policy's directive, in lower case.
func directive(policy, name string) ([]string, bool) {
	for text := range strings.SplitSeq(strings.ToLower(policy), ";") {
		if words := strings.Fields(text); len(words) > 0 && words[0] == name {
			return words[1:], true
		}
	}
	return nil, false
}
