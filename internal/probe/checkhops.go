package probe

import (
	"context"
	"crypto/tls"
	"net/http"
	"strings"
	"time"

	"github.com/aproorg/sluice/internal/probe/description"
	"github.com/aproorg/sluice/internal/probe/report"
)

func checkTLS(ctx context.Context, s *session) (report.Finding, error) {
	if s.base.Scheme != "https" {
		return report.Finding{}, report.Skipped("the base URL is plain http")
	}
	res, _, err := s.send(ctx, description.Request{Method: http.MethodHead, Path: "/"}, nil, 0)
	if err != nil {
		return report.Finding{}, err
	}
	res.Body.Close()
	leaf := res.TLS.PeerCertificates[0]
	left := time.Until(leaf.NotAfter)
	f := report.Found("%s, %s, certificate valid for %.0f days, from %s", tls.VersionName(res.TLS.Version), res.Proto, left.Hours()/24, leaf.Issuer.CommonName).
		With("certificateDays", left.Hours()/24)
	if left < 14*24*time.Hour {
		return f, report.Failed("ACM renews 60 days before the end, if its validation record is still there", "the certificate ends on %s", leaf.NotAfter.Format(time.DateOnly))
	}
	if res.TLS.Version < tls.VersionTLS12 {
		return f, report.Failed("set minimum_protocol_version to TLSv1.2_2021 or later", "%s was agreed on", tls.VersionName(res.TLS.Version))
	}
	return f, nil
}

// checkHops tells where the time goes, as far as it is visible from here: the connection's parts, the first request to
// the API against a later one, and what hops say in their headers.
func checkHops(ctx context.Context, s *session) (report.Finding, error) {
	if s.d.API == nil {
		return report.Finding{}, s.absent("path of the API")
	}
	if s.first == nil {
		return report.Finding{}, report.Skipped("the API was not reached")
	}
	s.client.CloseIdleConnections() // for the connection's parts
	fresh, err := s.get(ctx, *s.d.API)
	if err != nil {
		return report.Finding{}, err
	}
	warm, err := s.get(ctx, *s.d.API)
	if err != nil {
		return report.Finding{}, err
	}
	f := report.Found("first call %s, warm %s; connect %s", report.Seconds(s.first.head), report.Seconds(warm.timings.head), report.Seconds(fresh.connect)).
		With("firstHeadMs", report.Millis(s.first.head)).With("warmHeadMs", report.Millis(warm.timings.head)).With("dnsMs", report.Millis(fresh.dns)).
		With("connectMs", report.Millis(fresh.connect)).With("tlsMs", report.Millis(fresh.tls))
	if s.base.Scheme == "https" {
		f.Detail += ", TLS " + report.Seconds(fresh.tls)
	}
	if marks := hopMarks(warm.Header); len(marks) > 0 {
		f.Detail += "; " + strings.Join(marks, ", ")
	}
	return f, nil
}

// hopMarks are what hops tell of themselves.
func hopMarks(h http.Header) []string {
	var marks []string
	for _, name := range []string{"X-Cache", "X-Amz-Cf-Pop", "X-Amz-Apigw-Id", "X-Amzn-Trace-Id", "Server-Timing", "X-Demo-Environment"} {
		if v := h.Get(name); v != "" {
			marks = append(marks, name+": "+v)
		}
	}
	return marks
}
