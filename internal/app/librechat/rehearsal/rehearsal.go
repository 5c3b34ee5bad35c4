// Package rehearsal puts a built LibreChat into a rehearsal: stores beside it,
// secrets in Parameter Store, librechat.yaml and the larger part of its
// environment in S3, its writable directories in /tmp, all as a deployment has
// them. What LibreChat needs is package librechat's knowledge; how the path runs
// is package rehearse's.
package rehearsal

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/aproorg/sluice/internal/app/librechat/facts"
	"github.com/aproorg/sluice/internal/bootstrap/settings"
	"github.com/aproorg/sluice/internal/dotenv"
	"github.com/aproorg/sluice/internal/rehearse"
	"github.com/aproorg/sluice/internal/rehearse/stores"
)

// Config says which LibreChat is rehearsed, and with what. Release, SiteURL and
// Stores.Dir are required.
type Config struct {
	Release facts.Release
	SiteURL string // where it will be seen, without a final slash
	Stores  stores.Config
	// YAML is a librechat.yaml to use instead of one with the stub model, and YAMLFile
	// the path that it was read from.
	YAML     []byte
	YAMLFile string
	// Function is the environment that the plan gives the function. Its names of
	// parameters and of the configuration's object are kept.
	Function map[string]string
	// Image is what the plan's image adds to its own environment.
	Image map[string]string
	// Env is added to LibreChat's environment: keys of providers, settings.
	Env map[string]string
	// Path is the search path of programs, for node.
	Path string
}

// Names in the account of a rehearsal, where the plan has none.
const (
	envBucket = "sluice-rehearsal-environment"
	envKey    = "librechat.env"
	prefix    = "/sluice/rehearsal/"
	database  = "LibreChat"
)

// LibreChat is a release with its stores, ready to be rehearsed. Close it after the
// rehearsal's World.
type LibreChat struct {
	App    rehearse.App
	Stores *stores.Stores

	cfg     Config
	yaml    []byte            // librechat.yaml
	secrets map[string]string // variable -> value
	env     map[string]string // all that LibreChat sees, secrets included
	boot    *boot

	users  []settings.SecretRef // the user's references to secrets
	known  []settings.SecretRef // those and then the plan's
	config settings.Object      // of librechat.yaml
}

// Start brings up the stores, fills them, lets LibreChat make its indexes, and
// describes the app. ctx bounds the start only; the first boot goes on after it, and requests wait for it (see
// [LibreChat.Prepared]).
func Start(ctx context.Context, cfg Config) (*LibreChat, error) {
	if cfg.Stores.Region == "" {
		cfg.Stores.Region = rehearse.DefaultRegion
	}
	cfg.Stores.PathKeys = true // releases to 0.8.2 take the path of a file's URL for its key
	l := &LibreChat{cfg: cfg, yaml: cfg.YAML}
	if err := l.start(ctx); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return l, nil
}

// start is the order of things: each step uses what the steps before it have made.
func (l *LibreChat) start(ctx context.Context) (err error) {
	if err = l.checkYAML(ctx); err != nil {
		return err
	}
	if err = l.readReferences(); err != nil {
		return err
	}
	if l.Stores, err = stores.Start(ctx, l.cfg.Stores); err != nil {
		return err
	}
	if l.secrets, err = l.makeSecrets(); err != nil {
		return err
	}
	if l.yaml == nil {
		if l.yaml, err = facts.RehearsalConfig(l.Stores.Model.URL(), true); err != nil {
			return err
		}
	}
	l.env = l.environment()
	if err = l.cfg.Release.Check(l.env); err != nil {
		return err
	}
	if err = l.fillStores(); err != nil {
		return err
	}
	if l.boot, err = l.firstBoot(ctx); err != nil {
		return err
	}
	if err = l.makeWritable(); err != nil {
		return err
	}
	l.App = l.app()
	return nil
}

// Close ends the first boot and the stores.
func (l *LibreChat) Close() error {
	l.boot.stop()
	if l.Stores == nil {
		return nil
	}
	return l.Stores.Close()
}

// FilesURL is the bucket with what users upload, at the emulated S3.
func (l *LibreChat) FilesURL() string { return l.Stores.S3URL + "/" + l.filesBucket() }

// makeSecrets makes LibreChat's own secrets and the stores' addresses, and takes the
// user's values instead where there are some.
func (l *LibreChat) makeSecrets() (map[string]string, error) {
	secrets, err := facts.NewSecrets(rand.Reader)
	if err != nil {
		return nil, err
	}
	secrets["MONGO_URI"] = l.Stores.Mongo.URI(database, "LibreChat")
	secrets["REDIS_URI"] = l.Stores.RedisURI()
	l.takeFromUser(secrets)
	return secrets, nil
}

// environment is all that LibreChat will see. Later layers go over earlier ones.
func (l *LibreChat) environment() map[string]string {
	env := l.cfg.Release.Env(facts.Stores{
		PublicURL: l.cfg.SiteURL, Bucket: l.filesBucket(), Region: l.cfg.Stores.Region,
		S3Endpoint: l.Stores.S3URL, Config: l.yaml,
	})
	maps.Copy(env, ofLibreChat(l.cfg.Image))
	maps.Copy(env, ofLibreChat(l.cfg.Function))
	maps.Copy(env, facts.Rehearsal())
	maps.Copy(env, l.secrets)
	for name, value := range l.cfg.Env {
		if own := env[name]; slices.Contains(lists, name) && own != "" {
			value += listSeparator(name) + own
		}
		env[name] = value
	}
	return env
}

// lists are variables to which the user's values are added. What LibreChat needs is in
// them.
var lists = []string{"NODE_OPTIONS", "NODE_PATH"}

func listSeparator(variable string) string {
	if variable == "NODE_PATH" {
		return ":"
	}
	return " "
}

// fillStores puts secrets into Parameter Store, and librechat.yaml and what does not
// fit into the function's 4 KB into S3, as a deployment has them.
func (l *LibreChat) fillStores() error {
	parameters := map[string]string{}
	for name, value := range l.secrets {
		parameters[l.parameter(name)] = value
	}
	if err := l.Stores.PutSecrets(parameters); err != nil {
		return err
	}
	for _, bucket := range []string{l.config.Bucket, envBucket, l.filesBucket()} {
		l.Stores.S3.Bucket(bucket)
	}
	return errors.Join(
		l.Stores.S3.Put(l.config.Bucket, l.config.Key, bytes.NewReader(l.yaml), nil),
		l.Stores.S3.Put(envBucket, envKey, strings.NewReader(l.environmentFile()), nil),
	)
}

// environmentFile is the part of the environment that goes into S3.
func (l *LibreChat) environmentFile() string {
	var file strings.Builder
	for _, name := range slices.Sorted(maps.Keys(l.env)) {
		_, secret := l.secrets[name]
		_, planned := l.cfg.Function[name]
		// Lambda sets AWS_REGION, and no deployment can set another.
		if !secret && !planned && name != "AWS_REGION" && !strings.HasPrefix(name, settings.Prefix) {
			fmt.Fprintf(&file, "%s=%s\n", name, dotenv.Quote(l.env[name]))
		}
	}
	return file.String()
}

// makeWritable makes the directories that are links into /tmp in the image.
func (l *LibreChat) makeWritable() error {
	for _, dir := range l.cfg.Release.Writable() {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return fmt.Errorf("make a place for what LibreChat writes: %w", err)
		}
	}
	return nil
}

// app is what the rehearsal starts.
func (l *LibreChat) app() rehearse.App {
	env := l.function()
	maps.Copy(env, map[string]string{
		settings.SecretsVariable:     l.references(),
		settings.EnvS3Variable:       settings.Object{Bucket: envBucket, Key: envKey}.String(),
		settings.ConfigS3Variable:    l.config.String(),
		settings.EndpointSSMVariable: l.Stores.SSMURL,
		settings.EndpointS3Variable:  l.Stores.S3URL,
	})
	r := l.cfg.Release
	return rehearse.App{
		Name: "LibreChat " + r.Version, Command: r.Command(), Dir: r.WorkDir(),
		Env: env, ImageEnv: []string{"PATH=" + l.cfg.Path}, Scratch: r.Writable(), ReadyPath: r.ReadyPath(), Await: l.Prepared,
		Uploads: &rehearse.Uploads{Authorize: facts.UserPath, Secret: "JWT_SECRET"},
	}
}
