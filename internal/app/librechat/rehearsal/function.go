package rehearsal

import (
	"maps"
	"net"
	"net/url"
	"slices"
	"strings"
)

// ofPlace are variables whose values are of where LibreChat runs: the plan's are
// of AWS and of its image.
var ofPlace = []string{"DOMAIN_CLIENT", "DOMAIN_SERVER", "NODE_PATH", "NODE_OPTIONS", "AWS_ENDPOINT_URL"}

// planned is what the plan gives LibreChat itself, with Cloud Map's names as
// addresses of this machine. The bootstrap's settings are not LibreChat's.
func (c *Chat) planned() map[string]string {
	env := map[string]string{}
	for name, value := range c.cfg.Function {
		if !strings.HasPrefix(name, "SLUICE_") && !slices.Contains(ofPlace, name) {
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
func (c *Chat) overridden(env map[string]string) map[string]string {
	out := map[string]string{}
	for name, planned := range c.cfg.Function {
		if value, ok := env[name]; ok && value != planned {
			out[name] = value
		}
	}
	return out
}

// replacements are those of the plan that the configuration has a place for,
// with the rehearsal's address for the site's.
func (c *Chat) replacements(viewerURL string) string {
	const name = "SLUICE_CONFIG_REPLACE"
	var kept []string
	for pair := range strings.SplitSeq(c.cfg.Function[name], ",") {
		from, to, _ := strings.Cut(strings.TrimSpace(pair), "=")
		if from == "" || !strings.Contains(string(c.config), from) {
			continue
		}
		if to == c.cfg.Function["DOMAIN_CLIENT"] {
			to = viewerURL
		}
		kept = append(kept, from+"="+to)
	}
	return strings.Join(kept, ",")
}

// function is the environment of the function, on top of the plan's.
func (c *Chat) function(viewerURL string, env map[string]string) map[string]string {
	out := c.cfg.Release.Bootstrap()
	maps.Copy(out, c.overridden(env))
	maps.Copy(out, c.settings())
	if c.cfg.Function["SLUICE_CONFIG_REPLACE"] != "" {
		out["SLUICE_CONFIG_REPLACE"] = c.replacements(viewerURL)
	}
	return out
}

// bucket is the one for files.
func (c *Chat) bucket() string {
	if name := c.cfg.Function["AWS_BUCKET_NAME"]; name != "" {
		return name
	}
	return filesBucket
}
