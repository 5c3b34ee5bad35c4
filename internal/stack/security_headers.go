package stack

import (
	"strconv"

	"github.com/aproorg/sluice/internal/stack/tfplan"
)

// securityHeaders reads security_headers_config into the headers it stands for.
// https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/understanding-response-headers-policies.html
func securityHeaders(a tfplan.Attributes) []ResponseHeader {
	var all []ResponseHeader
	add := func(block tfplan.Attributes, name, value string) {
		if block.Present() {
			all = append(all, ResponseHeader{Header{name, value}, block.Flag("override")})
		}
	}
	hsts := a.Block("strict_transport_security")
	add(hsts, "Strict-Transport-Security", strictTransport(hsts))
	add(a.Block("content_type_options"), "X-Content-Type-Options", "nosniff")
	frame := a.Block("frame_options")
	add(frame, "X-Frame-Options", frame.Str("frame_option"))
	referrer := a.Block("referrer_policy")
	add(referrer, "Referrer-Policy", referrer.Str("referrer_policy"))
	csp := a.Block("content_security_policy")
	add(csp, "Content-Security-Policy", csp.Str("content_security_policy"))
	xss := a.Block("xss_protection")
	add(xss, "X-XSS-Protection", xssProtection(xss))
	return all
}

func strictTransport(a tfplan.Attributes) string {
	value := "max-age=" + strconv.Itoa(a.Number("access_control_max_age_sec", 0))
	if a.Flag("include_subdomains") {
		value += "; includeSubDomains"
	}
	if a.Flag("preload") {
		value += "; preload"
	}
	return value
}

func xssProtection(a tfplan.Attributes) string {
	if !a.Flag("protection") {
		return "0"
	}
	if a.Flag("mode_block") {
		return "1; mode=block"
	}
	return "1"
}
