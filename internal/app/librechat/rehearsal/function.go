package rehearsal

import (
	"maps"
	"net"
	"net/url"
	"slices"
	"strings"

	"github.com/aproorg/sluice/internal/bootstrap/settings"
	"github.com/aproorg/sluice/internal/rehearse/stores"
)

// ofPlace are variables whose values are of where LibreChat runs: the plan's are
// of AWS and of its image.
var ofPlace = []string{"DOMAIN_CLIENT", "DOMAIN_SERVER", "NODE_PATH", "NODE_OPTIONS", "AWS_ENDPOINT_URL"}

// ofLibreChat is what is for LibreChat itself of what the plan gives the function or its
// image, with Cloud Map's names as addresses of this machine. The bootstrap's settings
// are not LibreChat's.
func ofLibreChat(planned map[string]string) map[string]string {
	env := map[string]string{}
	for name, value := range planned {
		if !strings.HasPrefix(name, settings.Prefix) && !slices.Contains(ofPlace, name) {
			env[name] = atLoopback(value)
		}
	}
	return env
}

// atLoopback turns the URL of a service in a private namespace into one of this machine.
func atLoopback(value string) string {
	u, err := url.Parse(value)
	if err != nil || !strings.HasSuffix(u.Hostname(), ".internal") {
		return value
	}
	host := "127.0.0.1"
	if port := u.Port(); port != "" {
		host = net.JoinHostPort(host, port)
	}
	u.Host = host
	return u.String()
}

// overridden is what must be configured on the function, for what is there wins
// over the object in S3.
func (l *LibreChat) overridden() map[string]string {
	out := map[string]string{}
	for name, planned := range l.cfg.Function {
		if value, ok := l.env[name]; ok && value != planned {
			out[name] = value
		}
	}
	return out
}

// replacements are those of the plan that the configuration has a place for,
// with the rehearsal's address for the site's.
func (l *LibreChat) replacements() string {
	const name = settings.ConfigReplaceVariable
	var kept []string
	for pair := range strings.SplitSeq(l.cfg.Function[name], ",") {
		from, to, _ := strings.Cut(strings.TrimSpace(pair), "=")
		if from == "" || !strings.Contains(string(l.yaml), from) {
			continue
		}
		if to == l.cfg.Function["DOMAIN_CLIENT"] {
			to = l.cfg.SiteURL
		}
		kept = append(kept, from+"="+to)
	}
	return strings.Join(kept, ",")
}

// function is the environment of the function, on top of the plan's.
func (l *LibreChat) function() map[string]string {
	out := l.cfg.Release.Bootstrap()
	maps.Copy(out, l.overridden())
	maps.Copy(out, l.settings())
	if l.cfg.Function[settings.ConfigReplaceVariable] != "" {
		out[settings.ConfigReplaceVariable] = l.replacements()
	}
	return out
}

// filesBucket is where what users upload goes.
func (l *LibreChat) filesBucket() string {
	if name := l.cfg.Function["AWS_BUCKET_NAME"]; name != "" {
		return name
	}
	return stores.FilesBucket
}
