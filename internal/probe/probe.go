// Package probe checks a base URL from outside, as a browser would see it: the same code for a rehearsal and for AWS.
//
// Each check asks for one thing that some hop between the app's write and the browser's read is known to spoil: a
// stream that is collected, an error that becomes index.html, a cookie that is lost, a body cut short. What the checks
// need from the app they find in a [description.Description]; one whose path the app does not offer is skipped, with the
// reason.
//
// It leaves out everything that needs an account or a look inside. It cannot tell a slow app from a slow hop unless the
// app writes its own clock into its events, and it judges one visitor at a time: it is no load test. Package stream judges
// how an event stream arrived, and package report writes what a run came to.
package probe

import (
	"context"
	"crypto/x509"
	"fmt"
	"net"
	"net/url"
	"slices"
	"time"

	"github.com/aproorg/sluice/internal/hint"
	"github.com/aproorg/sluice/internal/probe/description"
	"github.com/aproorg/sluice/internal/probe/report"
)

// UserAgent passes for a browser, for some apps refuse what is none.
const UserAgent = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36 sluice-verify"

// Options bound and shape a run. The zero value is the full run, of a little over a minute.
type Options struct {
	// Quick shortens the long silence to 2 s. What only a long one can show is skipped, with that reason.
	Quick bool
	// Silence is how long a stream is asked to say nothing; 0 is 60 s, or 2 s if Quick.
	Silence time.Duration
	// Late is how long a stream is asked to hold back its headers; 0 is 10 s, or 1 s if Quick.
	Late time.Duration
	// Events and Interval shape the stream whose cadence is measured; 0 is 30 events, one each 100 ms.
	Events   int
	Interval time.Duration
	// Environments is how many are asked for ids at the same time; 0 is some in a rehearsal of SnapStart, and else none.
	Environments int
	// Timeout bounds each check, beyond the silence that it asks for; 0 is 60 s.
	Timeout time.Duration
	// Vars fill ${name} in the description's paths, headers and bodies, such as a login's password. Their values are
	// in no report.
	Vars map[string]string
	// UserAgent is sent with each request; empty is [UserAgent].
	UserAgent string
	// RootCAs, if set, replace the system's.
	RootCAs *x509.CertPool
	// Progress, if set, is called as each check begins (done false) and ends (done true), from one goroutine.
	Progress func(r report.Result, done bool)
}

func (o Options) withDefaults() Options {
	pick := func(d *time.Duration, full, quick time.Duration) {
		if *d == 0 {
			*d = full
			if o.Quick {
				*d = quick
			}
		}
	}
	pick(&o.Silence, time.Minute, 2*time.Second)
	pick(&o.Late, 10*time.Second, time.Second)
	pick(&o.Interval, 100*time.Millisecond, 100*time.Millisecond)
	pick(&o.Timeout, time.Minute, time.Minute)
	if o.Events == 0 {
		o.Events = 30
	}
	if o.UserAgent == "" {
		o.UserAgent = UserAgent
	}
	return o
}

// check is one line of the report.
type check struct {
	name string
	run  func(context.Context, *session) (report.Finding, error)
	// extra is time that the check needs beyond Options.Timeout.
	extra func(Options) time.Duration
}

// checks are run in this order: what comes first explains failures of what comes later.
var checks = []check{
	{name: "site", run: checkSite},
	{name: "SPA routes", run: checkRoutes},
	{name: "missing file", run: checkMissing},
	{name: "cache: index.html", run: checkIndexCache},
	{name: "cache: hashed assets", run: checkAssetCache},
	{name: "security headers", run: checkSecurityHeaders},
	{name: "TLS", run: checkTLS},
	{name: "API reached", run: checkAPI},
	{name: "API not cached", run: checkAPICache},
	{name: "API errors stay errors", run: checkErrors},
	{name: "login", run: checkLogin},
	{name: "HEAD", run: checkHead},
	{name: "204", run: checkNoContent},
	{name: "304", run: checkNotModified},
	{name: "redirect", run: checkRedirect},
	{name: "several cookies", run: checkCookies},
	{name: "binary body", run: checkBinary},
	{name: "large body", run: checkDownload},
	{name: "request of 4 MB", run: checkUpload4},
	{name: "request of 7 MB", run: checkUpload7},
	{name: "20 MB by way of S3", run: checkStaged, extra: func(Options) time.Duration { return 2 * time.Minute }},
	{name: "stream cadence", run: checkCadence},
	{name: "late headers", run: checkLate, extra: func(o Options) time.Duration { return o.Late }},
	{name: "silence", run: checkSilence, extra: func(o Options) time.Duration { return o.Silence }},
	{name: "heartbeats", run: checkHeartbeats},
	{name: "timings per hop", run: checkHops},
}

// Run makes all checks of the base URL, one after the other, and reports on each of them. The error is for what keeps
// the checks from being made at all: a URL that is none, a description with a fault, an ended context. A failed check
// is in the report, not an error.
func Run(ctx context.Context, baseURL string, d description.Description, o Options) (report.Report, error) {
	base, err := url.Parse(baseURL)
	if err != nil || base.Host == "" || (base.Scheme != "http" && base.Scheme != "https") {
		return report.Report{}, fmt.Errorf("verify %q: not an http or https URL", baseURL)
	}
	if err := d.Check(); err != nil {
		return report.Report{}, fmt.Errorf("verify %s: %w", baseURL, err)
	}
	s := newSession(base, d, o.withDefaults())
	defer s.client.CloseIdleConnections()
	if err := s.reach(ctx); err != nil {
		return report.Report{}, hint.With(fmt.Errorf("verify %s: %w", baseURL, err), "is it running, and is the address right?")
	}
	found := report.Report{BaseURL: base.String(), App: d.App, Started: time.Now().UTC()}
	for _, c := range all(d) {
		if err := ctx.Err(); err != nil {
			return found, fmt.Errorf("verify %s: %w", baseURL, context.Cause(ctx))
		}
		found.Results = append(found.Results, s.runCheck(ctx, c))
	}
	found.Duration = time.Since(found.Started)
	return found, nil
}

// all are the checks of a description. Ids come soon after the login, while most environments are yet to be made.
func all(d description.Description) []check {
	login := 1 + slices.IndexFunc(checks, func(c check) bool { return c.name == "login" })
	return slices.Concat(checks[:login], distinct(d), checks[login:], stopping(d), conversation(d))
}

// reach finds out that somebody listens, so that a missing server is reported once and not by
// every check. Whatever else is wrong is a check's to say.
func (s *session) reach(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, s.o.Timeout)
	defer cancel()
	port := s.base.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[s.base.Scheme]
	}
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", net.JoinHostPort(s.base.Hostname(), port))
	if err != nil {
		return err
	}
	return conn.Close()
}

func (s *session) runCheck(ctx context.Context, c check) report.Result {
	s.progress(report.Result{Name: c.name}, false)
	limit := s.o.Timeout
	if c.extra != nil {
		limit += c.extra(s.o)
	}
	ctx, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("no end within %s", limit))
	defer cancel()
	began := time.Now()
	f, err := c.run(ctx, s)
	r := report.ResultOf(c.name, f, err, time.Since(began))
	s.progress(r, true)
	return r
}

func (s *session) progress(r report.Result, done bool) {
	if s.o.Progress != nil {
		s.o.Progress(r, done)
	}
}
