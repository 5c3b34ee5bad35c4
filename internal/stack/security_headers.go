package stack

import "strconv"

// securityHeaders reads security_headers_config into the headers it stands for.
// https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/understanding-response-headers-policies.html
func securityHeaders(a attributes) []ResponseHeader {
	var all []ResponseHeader
	add := func(block attributes, name, value string) {
		if block.values != nil {
			all = append(all, ResponseHeader{Header{name, value}, block.flag("override")})
		}
	}
	hsts := a.block("strict_transport_security")
	add(hsts, "Strict-Transport-Security", strictTransport(hsts))
	add(a.block("content_type_options"), "X-Content-Type-Options", "nosniff")
	frame := a.block("frame_options")
	add(frame, "X-Frame-Options", frame.str("frame_option"))
	referrer := a.block("referrer_policy")
	add(referrer, "Referrer-Policy", referrer.str("referrer_policy"))
	csp := a.block("content_security_policy")
	add(csp, "Content-Security-Policy", csp.str("content_security_policy"))
	xss := a.block("xss_protection")
	add(xss, "X-XSS-Protection", xssProtection(xss))
	return all
}

func strictTransport(a attributes) string {
	value := "max-age=" + strconv.Itoa(a.number("access_control_max_age_sec", 0))
	if a.flag("include_subdomains") {
		value += "; includeSubDomains"
	}
	if a.flag("preload") {
		value += "; preload"
	}
	return value
}

func xssProtection(a attributes) string {
	if !a.flag("protection") {
		return "0"
	}
	if a.flag("mode_block") {
		return "1; mode=block"
	}
	return "1"
}
