package facts

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"path/filepath"
	"strings"
)

// Stores is what a deployment or a rehearsal puts around LibreChat. Empty
// fields are left out of the environment.
type Stores struct {
	PublicURL string // of the site, without a final slash
	MongoURI  string
	RedisURI  string
	Bucket    string // for files, with fileStrategy s3
	Region    string
	// S3Endpoint is the URL of an S3 that is not AWS's. Give it as
	// http://127.0.0.1:PORT: with an address for a host the SDK asks for
	// /BUCKET/KEY.
	S3Endpoint string
	// ConfigPath is where librechat.yaml is; the bootstrap sets it on Lambda.
	ConfigPath string
	// Config is the content of librechat.yaml, for the prefix of Redis's keys.
	Config []byte
	// FirstBoot is set for the one environment that makes the indexes of an
	// empty database.
	FirstBoot bool
}

// ReleaseVariable differs between releases: the image sets it to a digest of what it is
// made of, and a rehearsal from a directory to what stands there.
const ReleaseVariable = "REDIS_KEY_PREFIX"

// Env returns LibreChat's environment, less its secrets.
func (r Release) Env(s Stores) map[string]string {
	env := map[string]string{}
	for _, v := range provided {
		if v.Value != "" {
			env[v.Name] = v.Value
		}
	}
	around := map[string]string{
		"DOMAIN_CLIENT": s.PublicURL, "DOMAIN_SERVER": s.PublicURL, "MONGO_URI": s.MongoURI, "REDIS_URI": s.RedisURI,
		"AWS_BUCKET_NAME": s.Bucket, "AWS_REGION": s.Region, "AWS_ENDPOINT_URL": s.S3Endpoint, "CONFIG_PATH": s.ConfigPath,
	}
	for name, value := range around {
		if value != "" {
			env[name] = value
		}
	}
	env[ReleaseVariable] = r.keyPrefix(s.Config)
	env["NODE_PATH"] = r.nodePath()
	if r.KeepsJobs {
		env[keepJobsVariable] = keepJobs.Value
	}
	if r.AcrossProcesses {
		env[protocolVariable] = protocol.Value
	}
	if options := r.nodeOptions(); options != "" {
		env["NODE_OPTIONS"] = options
	}
	if s.FirstBoot {
		env["MONGO_AUTO_INDEX"], env["MONGO_AUTO_CREATE"] = "true", "true"
	}
	return env
}

// nodePath lets packages/api find what npm put into api/node_modules only, as
// it does for rc1 with @smithy/node-http-handler.
func (r Release) nodePath() string {
	return filepath.Join(r.Dir, "api", "node_modules") + ":" + filepath.Join(r.Dir, "node_modules")
}

// keyPrefix differs for each release and configuration.
func (r Release) keyPrefix(config []byte) string {
	sum := sha256.Sum256(config)
	return strings.TrimPrefix(r.Version, "v") + "-" + hex.EncodeToString(sum[:4])
}

// Rehearsal returns what makes a release useful to a person who tries it:
// anyone may register with an address and a password.
func Rehearsal() map[string]string {
	return map[string]string{
		"ALLOW_EMAIL_LOGIN": "true", "ALLOW_REGISTRATION": "true", "ALLOW_UNVERIFIED_EMAIL_LOGIN": "true",
		"ENDPOINTS": "custom,agents", "APP_TITLE": "LibreChat (rehearsal)", "NO_INDEX": "true",
		// Tests log in more often than the limits for strangers allow.
		"LIMIT_CONCURRENT_MESSAGES": "false", "LOGIN_MAX": "1000", "REGISTER_MAX": "1000", "BAN_VIOLATIONS": "false",
	}
}

// NewSecrets makes the secrets that LibreChat needs of its own, from random.
func NewSecrets(random io.Reader) (map[string]string, error) {
	env := map[string]string{}
	for _, s := range []struct {
		name  string
		bytes int
	}{{"JWT_SECRET", 32}, {"JWT_REFRESH_SECRET", 32}, {"CREDS_KEY", 32}, {"CREDS_IV", 16}} {
		b := make([]byte, s.bytes)
		if _, err := io.ReadFull(random, b); err != nil {
			return nil, fmt.Errorf("make %s: %w", s.name, err)
		}
		env[s.name] = hex.EncodeToString(b)
	}
	return env, nil
}

// Secrets returns the names of the variables that come from Parameter Store.
func Secrets() []string {
	var names []string
	for _, v := range required {
		if v.Secret {
			names = append(names, v.Name)
		}
	}
	return names
}

// Bootstrap returns the bootstrap's settings (SLUICE_…) for the release.
func (r Release) Bootstrap() map[string]string {
	s := map[string]string{
		"SLUICE_READY_PATH":       r.ReadyPath(),
		"SLUICE_REACH":            "MONGO_URI,REDIS_URI",
		"SLUICE_WRITABLE":         strings.Join(append(r.Writable(), "/tmp/librechat/logs"), ","),
		"SLUICE_CREDENTIALS":      "endpoint",
		"SLUICE_UPLOAD_AUTHORIZE": UserPath,
		"SLUICE_CONFIG_VARIABLE":  "CONFIG_PATH",
		"SLUICE_CONFIG_EXPECT":    "fileStrategy=s3,fileStrategies", // or uploads vanish with their environment
		"SLUICE_DEADLINE_EVENT":   r.DeadlineEvent(),
		"SLUICE_HEARTBEAT_FORM":   heartbeatForm,
	}
	if r.ReadyLog != "" {
		s["SLUICE_READY_LOG"] = r.ReadyLog
	}
	if r.Design == GeneratesAfterPost {
		s["SLUICE_SILENCE_LIMIT"] = silenceLimit
	}
	return s
}

// heartbeatForm is what LibreChat's client bears: it takes a comment at the end of a
// stream for an event without data.
const heartbeatForm = "event"

// silenceLimit breaks off a stream whose generation may be gone: a process was
// killed, or Redis was away when the last event was published. The client asks
// again and gets the last event, or hears that there is none. A model that thinks
// for longer costs a reconnect.
const silenceLimit = "2m"

// Break stands for no last event: the stream is broken off.
const Break = "break"

// DeadlineEvent is the data of the `event: error` that ends a stream which
// Lambda's deadline cuts. rc1's client shows its text in place of the answer, and
// takes no further question before it is loaded again.
// A client that can resume does so after a broken connection only: newer ones
// show an error event with data as the end of the answer.
func (r Release) DeadlineEvent() string {
	if r.Design == GeneratesAfterPost {
		return Break
	}
	return `{"text":"The time limit of this request has been reached before the answer was complete. Reload the page to see what there is of it.","error":true}`
}
