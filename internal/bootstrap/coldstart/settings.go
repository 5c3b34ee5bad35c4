package coldstart

import (
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"time"

	"github.com/aproorg/sluice/internal/bootstrap/settings"
	"github.com/aproorg/sluice/internal/dotenv"
)

// Settings say what is to be fetched. The zero value fetches nothing and serves no credentials.
type Settings struct {
	// Secrets are variables of the app, each with the name or ARN of its parameter.
	Secrets []SecretRef
	// EnvS3 and EnvParameter hold further variables in dotenv format. The parameter wins over the object.
	EnvS3        Object
	EnvParameter string
	// ConfigS3 is written to ConfigPath, which ConfigVariable names to the app, after the replacements, if it is valid YAML.
	ConfigS3       Object
	ConfigPath     string
	ConfigVariable string
	ConfigReplace  []Replacement
	// Writable are directories to be made. A symbolic link stands for what it points at.
	Writable []string
	// Reach are variables of the app with URIs of servers that must answer before it is started.
	Reach []string
	// ServeCredentials keeps Lambda's keys from the app and serves them at an endpoint.
	ServeCredentials bool
	// Limit is the time that all of it may take.
	Limit time.Duration

	Region string
	Keys   Keys
	// ContainerURI and ContainerToken are Lambda's own endpoint, where it gives no keys.
	ContainerURI   string
	ContainerToken Secret
	// EndpointSSM and EndpointS3 are used instead of AWS's, by a rehearsal.
	EndpointSSM, EndpointS3 string

	// Log gets a line per step, without values. Nil discards.
	Log *slog.Logger
}

// Keys are the role's credentials as Lambda gives them.
type Keys struct {
	ID            string
	Secret, Token Secret
}

// SecretRef is a variable and the parameter that it comes from.
type SecretRef struct{ Variable, Parameter string }

// Object is an object in S3. The zero value is none.
type Object struct{ Bucket, Key string }

func (o Object) String() string { return "s3://" + o.Bucket + "/" + o.Key }

// Replacement is made wherever From stands in the configuration.
type Replacement struct{ From, To string }

type variable struct {
	settings.Setting
	parse func(*Settings, string) error
}

var table = []variable{
	{settings.Setting{Name: "SLUICE_SECRETS", Meaning: "variables of the app that are secrets: NAME=parameter name or ARN, divided by commas or white space"},
		func(s *Settings, v string) (err error) { s.Secrets, err = parseSecrets(v); return err }},
	{settings.Setting{Name: "SLUICE_ENV_S3", Meaning: "s3://bucket/key of further variables of the app in dotenv format, for what passes Lambda's 4 KB; the function's own win"},
		func(s *Settings, v string) (err error) { s.EnvS3, err = parseObject(v); return err }},
	{settings.Setting{Name: "SLUICE_ENV_PARAMETER", Meaning: "name or ARN of a parameter with further variables, as above; it wins over the object"},
		func(s *Settings, v string) error { s.EnvParameter = v; return nil }},
	{settings.Setting{Name: "SLUICE_CONFIG_S3", Meaning: "s3://bucket/key of the app's configuration file, valid YAML"},
		func(s *Settings, v string) (err error) { s.ConfigS3, err = parseObject(v); return err }},
	{settings.Setting{Name: "SLUICE_CONFIG_PATH", Default: "/tmp/sluice/config.yaml", Meaning: "where it is written"},
		func(s *Settings, v string) (err error) { s.ConfigPath, err = absolute(v); return err }},
	{settings.Setting{Name: "SLUICE_CONFIG_VARIABLE", Default: "CONFIG_PATH", Meaning: "the variable that names this path to the app"},
		func(s *Settings, v string) (err error) { s.ConfigVariable, err = variableName(v); return err }},
	{settings.Setting{Name: "SLUICE_CONFIG_REPLACE", Meaning: "replacements in the configuration, such as the domain: FROM=TO, divided by commas"},
		func(s *Settings, v string) (err error) { s.ConfigReplace, err = parseReplacements(v); return err }},
	{settings.Setting{Name: "SLUICE_WRITABLE", Meaning: "directories to make before the app starts, divided by commas; a symbolic link in the image stands for what it points at"},
		func(s *Settings, v string) (err error) { s.Writable, err = parsePaths(v); return err }},
	{settings.Setting{Name: "SLUICE_REACH", Meaning: "variables of the app with URIs of servers that it cannot start without, such as MONGO_URI,REDIS_URI: one that does not answer within 3 s is the error of the init phase"},
		func(s *Settings, v string) (err error) { s.Reach, err = parseNames(v); return err }},
	{settings.Setting{Name: "SLUICE_CREDENTIALS", Default: "endpoint", Meaning: "endpoint keeps Lambda's keys from the app and serves them at a loopback address; environment leaves them where they are"},
		func(s *Settings, v string) error {
			s.ServeCredentials = v == "endpoint"
			if v != "endpoint" && v != "environment" {
				return fmt.Errorf("want endpoint or environment")
			}
			return nil
		}},
	{settings.Setting{Name: "SLUICE_COLDSTART_LIMIT", Default: "8s", Meaning: "time for all that is fetched before the app starts; Lambda's init phase has 10 s"},
		func(s *Settings, v string) (err error) {
			if s.Limit, err = time.ParseDuration(v); err == nil && s.Limit <= 0 {
				err = fmt.Errorf("want a duration above zero")
			}
			return err
		}},
}

// Table documents the variables that Read knows.
func Table() []settings.Setting {
	out := make([]settings.Setting, len(table))
	for i, v := range table {
		out[i] = v.Setting
	}
	return out
}

// Read takes the settings from lookup (os.LookupEnv in main). From AWS it knows the variables that Lambda sets, and the
// endpoint overrides of all SDKs: AWS_ENDPOINT_URL_SSM, AWS_ENDPOINT_URL_S3, AWS_ENDPOINT_URL.
func Read(lookup func(string) (string, bool)) (Settings, error) {
	var s Settings
	for _, v := range table {
		text, _ := lookup(v.Name)
		if text == "" {
			text = v.Default
		}
		if text == "" {
			continue
		}
		if err := v.parse(&s, text); err != nil {
			return Settings{}, fmt.Errorf("setting %s: %w", v.Name, err)
		}
	}
	get := func(names ...string) string {
		for _, name := range names {
			if v, _ := lookup(name); v != "" {
				return v
			}
		}
		return ""
	}
	s.Region = get("AWS_REGION", "AWS_DEFAULT_REGION")
	s.Keys = Keys{get("AWS_ACCESS_KEY_ID"), Secret{get("AWS_SECRET_ACCESS_KEY")}, Secret{get("AWS_SESSION_TOKEN")}}
	s.ContainerURI, s.ContainerToken = get("AWS_CONTAINER_CREDENTIALS_FULL_URI"), Secret{get("AWS_CONTAINER_AUTHORIZATION_TOKEN")}
	s.EndpointSSM, s.EndpointS3 = get("AWS_ENDPOINT_URL_SSM", "AWS_ENDPOINT_URL"), get("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL")
	return s, nil
}

func fields(v string) []string {
	return strings.FieldsFunc(v, func(r rune) bool { return r == ',' || r == ' ' || r == '\n' || r == '\t' || r == '\r' })
}

func parseSecrets(v string) ([]SecretRef, error) {
	var refs []SecretRef
	seen := map[string]bool{}
	for _, f := range fields(v) {
		name, parameter, ok := strings.Cut(f, "=")
		if !ok || parameter == "" {
			return nil, fmt.Errorf("%q is not NAME=parameter", f)
		}
		if _, err := variableName(name); err != nil {
			return nil, err
		}
		if seen[name] {
			return nil, fmt.Errorf("%s is there twice", name)
		}
		seen[name] = true
		refs = append(refs, SecretRef{name, parameter})
	}
	return refs, nil
}

func parseObject(v string) (Object, error) {
	rest, ok := strings.CutPrefix(v, "s3://")
	bucket, key, _ := strings.Cut(rest, "/")
	if !ok || bucket == "" || key == "" {
		return Object{}, fmt.Errorf("%q is not s3://bucket/key", v)
	}
	return Object{bucket, key}, nil
}

func parseReplacements(v string) ([]Replacement, error) {
	var all []Replacement
	for f := range strings.SplitSeq(v, ",") {
		if f = strings.TrimSpace(f); f == "" {
			continue
		}
		from, to, ok := strings.Cut(f, "=")
		if !ok || from == "" {
			return nil, fmt.Errorf("%q is not FROM=TO", f)
		}
		all = append(all, Replacement{from, to})
	}
	return all, nil
}

func parsePaths(v string) ([]string, error) {
	var all []string
	for _, f := range fields(v) {
		p, err := absolute(f)
		if err != nil {
			return nil, err
		}
		all = append(all, p)
	}
	return all, nil
}

func parseNames(v string) ([]string, error) {
	names := fields(v)
	for _, name := range names {
		if _, err := variableName(name); err != nil {
			return nil, err
		}
	}
	return names, nil
}

func absolute(v string) (string, error) {
	if !filepath.IsAbs(v) {
		return "", fmt.Errorf("%q is not an absolute path", v)
	}
	return filepath.Clean(v), nil
}

func variableName(v string) (string, error) {
	if !dotenv.IsName(v) {
		return "", fmt.Errorf("%q is not the name of a variable", v)
	}
	return v, nil
}
