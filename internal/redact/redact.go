// Package redact takes secrets out of what is shown or logged of requests: out of
// query strings and fragments, wherever they stand in a text, and out of headers
// that authorize. It decides by names and by looks, so that it may hide what is none
// and cannot know every secret: what must never be shown has a type of its own
// (settings.Secret), and is not shown.
package redact

import (
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// Mark stands for what was taken out.
const Mark = "[redacted]"

var (
	parameter = regexp.MustCompile(`([?&#;])([^?&#;=\s"'<>]+)=([^&#;\s"'<>\\]+)`)
	token     = regexp.MustCompile(`\beyJ[\w-]{6,}\.[\w-]{6,}(\.[\w-]*)*`) // JSON Web Tokens begin with {"
	scheme    = regexp.MustCompile(`(?i)\b(bearer|basic|digest)(\s+)[\w.~+/=-]{8,}`)
	header    = regexp.MustCompile(`(?i)\b((?:proxy-)?authorization|(?:set-)?cookie|x-api-key|x-origin-verify|x-amz-security-token)(["']?[ \t]*[:=][ \t]*["']?)([^"'\s][^"'\r\n]*)`)
)

// Text is a line or a URL without the secrets in it. A parameter (?name=value, or in a
// fragment) is one if its name says so (token, code, key, password, signature, X-Amz-…
// and the like), if its value looks like a token or a long random word, or if it is an
// encoded URL with such a parameter. Values of less than four characters are not.
func Text(s string) string { return text(s, 0) }

// deepest is how many times a value may be an encoded URL in another.
const deepest = 4

func text(s string, depth int) string {
	if strings.IndexByte(s, '=') >= 0 && strings.ContainsAny(s, "?&#;") {
		s = parameter.ReplaceAllStringFunc(s, func(found string) string {
			name, value, _ := strings.Cut(found, "=")
			if strings.HasPrefix(value, Mark) || !secret(name[1:], value, depth) {
				return found
			}
			return name + "=" + Mark
		})
	}
	if strings.Contains(s, "eyJ") {
		s = token.ReplaceAllString(s, Mark)
	}
	if strings.ContainsAny(s, ": ") && mentions(s) {
		s = header.ReplaceAllStringFunc(s, func(found string) string {
			m := header.FindStringSubmatch(found)
			if strings.HasPrefix(m[3], Mark) {
				return found
			}
			return m[1] + m[2] + Mark
		})
		s = scheme.ReplaceAllString(s, "$1$2"+Mark)
	}
	return s
}

// mentions looks for what header and scheme need, at little cost: most lines have none.
func mentions(s string) bool {
	s = strings.ToLower(s)
	return slices.ContainsFunc([]string{"authorization", "cookie", "x-", "bearer", "basic", "digest"}, func(w string) bool { return strings.Contains(s, w) })
}

func secret(name, value string, depth int) bool {
	if len(value) < 4 {
		return false
	}
	if decoded, err := url.QueryUnescape(name); err == nil {
		name = decoded
	}
	if named(name) {
		return true
	}
	for decoded := ""; depth < deepest; depth++ {
		if random(value) || strings.Contains(value, "eyJ") && token.MatchString(value) ||
			strings.Contains(value, "=") && text("?"+value, depth+1) != "?"+value {
			return true
		}
		var err error
		if decoded, err = url.QueryUnescape(value); err != nil || decoded == value {
			return false
		}
		value = decoded
	}
	return false
}

// Names of secrets, in small letters without anything between them.
var (
	names = []string{"code", "auth", "sig", "pwd", "pass", "pw", "pin", "otp", "sid", "ticket", "nonce", "policy", "keypairid", "bearer", "invite"}
	parts = []string{"token", "secret", "password", "passwd", "passphrase", "signature", "credential", "authorization", "authcode", "usercode", "devicecode",
		"codeverifier", "jwt", "session", "saml", "assertion", "cookie"}
)

func named(name string) bool {
	name = strings.Map(func(r rune) rune {
		switch {
		case 'A' <= r && r <= 'Z':
			return r - 'A' + 'a'
		case 'a' <= r && r <= 'z', '0' <= r && r <= '9':
			return r
		}
		return -1
	}, name)
	return strings.HasPrefix(name, "xamz") || strings.HasSuffix(name, "key") || slices.Contains(names, name) ||
		slices.ContainsFunc(parts, func(p string) bool { return strings.Contains(name, p) })
}

var (
	word     = regexp.MustCompile(`^[A-Za-z0-9_+=~.-]{32,}$`)
	uuid     = regexp.MustCompile(`^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$`)
	prefixed = regexp.MustCompile(`^(sk-|pk-|gh[pousr]_|github_pat_|xox[abprs]-|AKIA|ASIA|glpat-|AIza)[A-Za-z0-9_-]{12,}`)
)

// random reports whether a value looks like a key: 32 characters and more without a
// pause, with letters and digits. A UUID is an id, and words with dashes are a title.
func random(value string) bool {
	return prefixed.MatchString(value) || word.MatchString(value) && !uuid.MatchString(value) && strings.ContainsAny(value, "0123456789") &&
		strings.ContainsAny(value, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ") && strings.Count(value, "-")+strings.Count(value, ".") < 4
}
