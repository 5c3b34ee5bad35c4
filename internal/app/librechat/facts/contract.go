package facts

import (
	"encoding/hex"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/aproorg/sluice/internal/app"
)

// Contract returns all variables that Sluice has an opinion on, in reading
// order. LibreChat knows many more, which pass through.
func (r Release) Contract() []app.Variable {
	all := slices.Concat(required, provided, forbidden)
	if r.Design == GeneratesAfterPost {
		all = append(all, streams)
	}
	if r.KeepsJobs {
		all = append(all, keepJobs)
	}
	if r.AcrossProcesses {
		all = append(all, protocol)
	}
	if len(r.hooks()) > 0 {
		all = append(all, options)
	}
	return all
}

var required = []app.Variable{
	{Name: "MONGO_URI", Need: app.Required, Secret: true, Check: mongoURI,
		Why: "the database; for DocumentDB with tls=true, tlsCAFile and retryWrites=false, because it has no retryable writes"},
	{Name: "REDIS_URI", Need: app.Required, Secret: true, Check: redisURI,
		Why: "sessions, caches and streams live between environments; rediss:// for TLS"},
	{Name: "JWT_SECRET", Need: app.Required, Secret: true, Check: atLeast(32), Why: "signs access tokens"},
	{Name: "JWT_REFRESH_SECRET", Need: app.Required, Secret: true, Check: atLeast(32), Why: "signs the cookie of a session"},
	{Name: "CREDS_KEY", Need: app.Required, Secret: true, Check: hexOf(32), Why: "encrypts users' keys: 64 hex digits"},
	{Name: "CREDS_IV", Need: app.Required, Secret: true, Check: hexOf(16), Why: "encrypts users' keys: 32 hex digits"},
	{Name: "DOMAIN_CLIENT", Need: app.Required, Check: siteURL, Why: "links in mails and after a social login"},
	{Name: "DOMAIN_SERVER", Need: app.Required, Check: siteURL, Why: "callbacks of a social login"},
}

var provided = []app.Variable{
	{Name: "NODE_ENV", Need: app.Provided, Value: "production", Why: "secure cookies, cache headers"},
	{Name: "HOST", Need: app.Provided, Value: "127.0.0.1", Why: "the bootstrap is its only client"},
	{Name: "TRUST_PROXY", Need: app.Provided, Value: "1", Check: number(1),
		Why: "the bootstrap sends one clean X-Forwarded-For"},
	{Name: "USE_REDIS", Need: app.Provided, Value: "true", Check: isTrue, Why: "without it each environment has caches of its own"},
	{Name: ReleaseVariable, Need: app.Provided,
		Why: "differs between releases, and comes with the image: cached settings never expire, so that one release would go on with those of another"},
	{Name: "MONGO_MAX_POOL_SIZE", Need: app.Provided, Value: "5", Check: number(1),
		Why: "an environment serves one request at a time; the driver's default is 100"},
	{Name: "MONGO_AUTO_INDEX", Need: app.Provided, Value: "false",
		Why: "one environment makes indexes once; parallel first boots on an empty database race"},
	{Name: "MONGO_AUTO_CREATE", Need: app.Provided, Value: "false", Why: "as MONGO_AUTO_INDEX"},
	{Name: "S3_URL_EXPIRY_SECONDS", Need: app.Provided, Value: "14400", Check: number(3600),
		Why: "links are renewed every 30 minutes at most, and live 2 minutes by default"},
	{Name: "DEBUG_LOGGING", Need: app.Provided, Value: "false", Why: "it writes files of every message"},
	{Name: "LIBRECHAT_LOG_DIR", Need: app.Provided, Value: "/tmp/librechat/logs", Why: "only /tmp is writable; later releases heed it"},
	{Name: "SEARCH", Need: app.Provided, Value: "false", Why: "there is no Meilisearch beside a function"},
}

var forbidden = []app.Variable{
	{Name: "AWS_ACCESS_KEY_ID", Need: app.Forbidden, Check: never,
		Why: "it is passed to S3 without the session token, and every call fails; the bootstrap serves credentials on 127.0.0.1"},
	{Name: "AWS_SECRET_ACCESS_KEY", Need: app.Forbidden, Secret: true, Check: never, Why: "as AWS_ACCESS_KEY_ID"},
	{Name: "AWS_SESSION_TOKEN", Need: app.Forbidden, Secret: true, Check: never, Why: "as AWS_ACCESS_KEY_ID"},
	{Name: "REDIS_KEY_PREFIX_VAR", Need: app.Forbidden, Check: never, Why: "it and REDIS_KEY_PREFIX exclude each other, and LibreChat exits"},
	{Name: "USE_REDIS_CLUSTER", Need: app.Forbidden, Check: notTrue, Why: "with cluster mode off there is one node; across slots its DEL of several keys fails"},
}

var streams = app.Variable{Name: "USE_REDIS_STREAMS", Need: app.Forbidden, Check: isTrue,
	Why: "streams in one process's memory cannot be read in another environment"}

const keepJobsVariable = "STREAM_KEEP_COMPLETED_JOBS"

var keepJobs = app.Variable{Name: keepJobsVariable, Need: app.Provided, Value: "true", Check: isTrue,
	Why: "an answer that has ended is still given to a reader that comes late, from a cold environment"}

const protocolVariable = "GENERATION_PROTOCOL_VERSION"

var protocol = app.Variable{Name: protocolVariable, Need: app.Provided, Value: "2", Check: number(1),
	Why: "1, its default, is for releases that share their keys in Redis; " + ReleaseVariable + " keeps those apart"}

var options = app.Variable{Name: "NODE_OPTIONS", Need: app.Provided, Why: "loads the hooks of a release that needs some"}

// Check reports all that is wrong with the environment that LibreChat will
// get, by name and never by value.
func (r Release) Check(env map[string]string) error {
	var wrong []error
	for _, v := range r.Contract() {
		value, set := env[v.Name]
		switch {
		case v.Need == app.Required && value == "":
			wrong = append(wrong, fmt.Errorf("%s is missing: %s", v.Name, v.Why))
		case set && value != "" && v.Check != nil:
			if err := v.Check(value); err != nil {
				wrong = append(wrong, fmt.Errorf("%s %w: %s", v.Name, err, v.Why))
			}
		}
	}
	if len(wrong) > 0 {
		return fmt.Errorf("environment of LibreChat: %w", errors.Join(wrong...))
	}
	return nil
}

func never(string) error { return errors.New("must not be set") }

func isTrue(v string) error {
	if !strings.EqualFold(strings.TrimSpace(v), "true") {
		return errors.New("must be true")
	}
	return nil
}

func notTrue(v string) error {
	if isTrue(v) == nil {
		return errors.New("must not be true")
	}
	return nil
}

func number(least int) func(string) error {
	return func(v string) error {
		if n, err := strconv.Atoi(v); err != nil || n < least {
			return fmt.Errorf("must be a whole number of at least %d", least)
		}
		return nil
	}
}

func atLeast(n int) func(string) error {
	return func(v string) error {
		if len(v) < n {
			return fmt.Errorf("must have at least %d characters", n)
		}
		return nil
	}
}

func hexOf(bytes int) func(string) error {
	return func(v string) error {
		if b, err := hex.DecodeString(v); err != nil || len(b) != bytes {
			return fmt.Errorf("must be %d hex digits", 2*bytes)
		}
		return nil
	}
}

// parse reads a URI without showing it in the error, for it can hold a password.
func parse(v string, schemes ...string) (*url.URL, error) {
	u, err := url.Parse(v)
	if err != nil || u.Host == "" || !slices.Contains(schemes, u.Scheme) {
		return nil, fmt.Errorf("must be a URI of %s:// with a host", strings.Join(schemes, ":// or "))
	}
	return u, nil
}

// mongoURI checks what DocumentDB needs where the host is DocumentDB's.
func mongoURI(v string) error {
	// Several hosts with ports are valid here, and not to url.Parse.
	if strings.HasPrefix(v, "mongodb://") && strings.Contains(v, ",") {
		return nil
	}
	u, err := parse(v, "mongodb", "mongodb+srv")
	if err != nil {
		return err
	}
	if !strings.Contains(u.Hostname(), ".docdb.") {
		return nil
	}
	q := u.Query()
	if q.Get("retryWrites") != "false" {
		return errors.New("is of DocumentDB and lacks retryWrites=false")
	}
	if q.Get("tls") == "true" && q.Get("tlsCAFile") == "" {
		return errors.New("is of DocumentDB with TLS and lacks tlsCAFile")
	}
	return nil
}

func redisURI(v string) error {
	_, err := parse(v, "redis", "rediss")
	return err
}

func siteURL(v string) error {
	_, err := parse(v, "http", "https")
	return err
}
