// Package rehearsal puts a built LibreChat into a rehearsal: stores beside it,
// secrets in Parameter Store, librechat.yaml and the larger part of its
// environment in S3, its writable directories in /tmp, all as a deployment has
// them. What LibreChat needs is package librechat's knowledge; how the path runs
// is package rehearse's.
package rehearsal

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"

	"github.com/aproorg/sluice/internal/app/librechat"
	"github.com/aproorg/sluice/internal/dotenv"
	"github.com/aproorg/sluice/internal/hint"
	"github.com/aproorg/sluice/internal/rehearse"
	"github.com/aproorg/sluice/internal/rehearse/stores"
)

// Config says which LibreChat is rehearsed, and with what. Release is required.
type Config struct {
	Release librechat.Release
	Stores  stores.Config
	// ConfigFile is a librechat.yaml to use instead of one with the stub model.
	ConfigFile string
	// Function is the environment that the plan gives the function. Its names of
	// parameters and of the configuration's object are kept.
	Function map[string]string
	// Env is added to LibreChat's environment: keys of providers, settings.
	Env map[string]string
	// Temporary removes Stores.Dir in Close.
	Temporary bool
	// Path is the search path of programs, for node.
	Path string
}

// Names in the account of a rehearsal, where the plan has none.
const (
	defaultConfig = "s3://sluice-rehearsal-config/librechat.yaml"
	envBucket     = "sluice-rehearsal-environment"
	envKey        = "librechat.env"
	filesBucket   = "sluice-rehearsal-files"
	prefix        = "/sluice/rehearsal/"
	database      = "LibreChat"
)

// Chat is LibreChat with its stores. Close it after the rehearsal's World.
type Chat struct {
	cfg    Config
	config []byte
	env    map[string]string // all that LibreChat sees, once App has made it

	mu     sync.Mutex
	stores *stores.Stores
	boot   *boot
	world  *rehearse.World // once it takes requests

	required required
}

// New reads what the user gave before anything is started.
func New(cfg Config) (*Chat, error) {
	c := &Chat{cfg: cfg}
	if cfg.ConfigFile == "" {
		return c, nil
	}
	var err error
	if c.config, err = os.ReadFile(cfg.ConfigFile); err != nil {
		return nil, hint.With(fmt.Errorf("read librechat.yaml: %w", err), "--config takes a file; without it a stub model answers")
	}
	return c, nil
}

// FilesURL is the bucket with what users upload, at the emulated S3.
func (c *Chat) FilesURL() string { return c.Stores().S3URL + "/" + c.bucket() }

// Stores are those that App has started; nil before.
func (c *Chat) Stores() *stores.Stores {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.stores
}

// Close ends the stores.
func (c *Chat) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.boot.stop()
	c.required.close()
	var err error
	if c.stores != nil {
		err = c.stores.Close()
	}
	if c.cfg.Temporary {
		err = errors.Join(err, os.RemoveAll(c.cfg.Stores.Dir))
	}
	return err
}

// App starts the stores and describes the app as it is seen at the viewer's URL.
func (c *Chat) App(ctx context.Context, viewerURL string) (rehearse.App, error) {
	if err := c.checkConfig(ctx); err != nil {
		return rehearse.App{}, err
	}
	secrets, err := librechat.NewSecrets(rand.Reader)
	if err != nil {
		return rehearse.App{}, err
	}
	started, err := stores.Start(ctx, c.withSecrets(secrets))
	if err != nil {
		return rehearse.App{}, err
	}
	c.mu.Lock()
	c.stores = started
	c.mu.Unlock()
	if c.config == nil {
		if c.config, err = librechat.RehearsalConfig(started.Model.URL(), true); err != nil {
			return rehearse.App{}, err
		}
	}
	env := c.environment(viewerURL, secrets)
	c.env = env
	if err := c.cfg.Release.Check(env); err != nil {
		return rehearse.App{}, err
	}
	if err := c.upload(env, secrets); err != nil {
		return rehearse.App{}, err
	}
	if err := c.firstBoot(ctx); err != nil {
		return rehearse.App{}, err
	}
	return c.app(c.function(viewerURL, env), secrets)
}

// withSecrets puts the secrets and, once they are known, the stores' addresses
// into Parameter Store, as a deployment has them.
func (c *Chat) withSecrets(secrets map[string]string) stores.Config {
	cfg := c.cfg.Stores
	cfg.Region = c.region()
	cfg.Caller, cfg.Connected = c.caller, c.required.met
	cfg.Secure = func(s *stores.Stores) map[string]string {
		secrets["MONGO_URI"] = s.Mongo.URI(database, "LibreChat")
		secrets["REDIS_URI"] = s.RedisURI()
		c.given(secrets)
		parameters := map[string]string{}
		for name, value := range secrets {
			parameters[c.parameter(name)] = value
		}
		return parameters
	}
	return cfg
}

// region is that of the stores and of the app, which is the rehearsal's.
func (c *Chat) region() string { return cmp.Or(c.cfg.Stores.Region, rehearse.DefaultRegion) }

// configObject is the bucket and key of librechat.yaml.
func (c *Chat) configObject() (bucket, key string) {
	url := c.cfg.Function["SLUICE_CONFIG_S3"]
	if url == "" {
		url = defaultConfig
	}
	bucket, key, _ = strings.Cut(strings.TrimPrefix(url, "s3://"), "/")
	return bucket, key
}

// environment is all that LibreChat will see, secrets included.
func (c *Chat) environment(viewerURL string, secrets map[string]string) map[string]string {
	env := c.cfg.Release.Env(librechat.Stores{
		PublicURL: viewerURL, Bucket: c.bucket(), Region: c.region(),
		S3Endpoint: c.stores.S3URL, Config: c.config,
	})
	maps.Copy(env, c.planned())
	maps.Copy(env, librechat.Rehearsal())
	maps.Copy(env, secrets)
	maps.Copy(env, c.cfg.Env)
	return env
}

// upload puts what does not fit into the function's 4 KB into the bucket.
func (c *Chat) upload(env, secrets map[string]string) error {
	store := c.stores.S3
	configBucket, configKey := c.configObject()
	for _, bucket := range []string{configBucket, envBucket, c.bucket()} {
		store.Bucket(bucket)
	}
	var file strings.Builder
	for _, name := range slices.Sorted(maps.Keys(env)) {
		_, secret := secrets[name]
		_, planned := c.cfg.Function[name]
		// Lambda sets AWS_REGION, and no deployment can set another.
		if !secret && !planned && name != "AWS_REGION" && !strings.HasPrefix(name, setting) {
			fmt.Fprintf(&file, "%s=%s\n", name, dotenv.Quote(env[name]))
		}
	}
	return errors.Join(
		store.Put(configBucket, configKey, bytes.NewReader(c.config), nil),
		store.Put(envBucket, envKey, strings.NewReader(file.String()), nil),
	)
}

// app is what the rehearsal starts.
func (c *Chat) app(env, secrets map[string]string) (rehearse.App, error) {
	r := c.cfg.Release
	configBucket, configKey := c.configObject()
	maps.Copy(env, map[string]string{
		"SLUICE_SECRETS":       c.references(secrets),
		"SLUICE_ENV_S3":        "s3://" + envBucket + "/" + envKey,
		"SLUICE_CONFIG_S3":     "s3://" + configBucket + "/" + configKey,
		"AWS_ENDPOINT_URL_SSM": c.stores.SSMURL,
		"AWS_ENDPOINT_URL_S3":  c.stores.S3URL,
	})
	scratch := r.Writable()
	for _, dir := range scratch {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return rehearse.App{}, fmt.Errorf("make a place for what LibreChat writes: %w", err)
		}
	}
	return rehearse.App{
		Name: "LibreChat " + r.Version, Command: r.Command(), Dir: r.WorkDir(),
		Env: env, ImageEnv: []string{"PATH=" + c.cfg.Path}, Scratch: scratch,
		ReadyPath: librechat.ReadyPath, Started: c.started,
	}, nil
}
