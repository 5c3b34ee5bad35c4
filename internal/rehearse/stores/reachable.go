package stores

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"regexp"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
	driver "go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/aproorg/sluice/internal/bounded"
	"github.com/aproorg/sluice/internal/serveruri"
)

// reachLimit is the time for a real server to answer. Mongo's driver says why it has found none after selectLimit.
const (
	reachLimit  = 5 * time.Second
	selectLimit = 3 * time.Second
)

// ConfigError says that the real server which a field of Config names cannot be used.
type ConfigError struct {
	Field string // Mongo or Redis
	Err   error
}

func (e *ConfigError) Error() string { return e.Err.Error() }
func (e *ConfigError) Unwrap() error { return e.Err }

// reachable logs in to the real servers that were named, side by side: a wrong
// address or password is an error before an app waits for it. No error holds a
// password.
func (cfg Config) reachable(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, reachLimit)
	defer cancel()
	mongo := make(chan error, 1)
	go func() { mongo <- reachMongo(ctx, cfg.Mongo) }()
	err := reachRedis(ctx, cfg.Redis)
	return errors.Join(<-mongo, err)
}

func reachRedis(ctx context.Context, uri string) error {
	if uri == "" {
		return nil
	}
	u, err := url.Parse(uri)
	if err != nil || (u.Scheme != "redis" && u.Scheme != "rediss") || u.Hostname() == "" {
		return fmt.Errorf("the URI of Redis: want redis://HOST:PORT or rediss://HOST:PORT (yours is not shown, for it may hold a password)")
	}
	config, err := redis.ParseURL(uri)
	if err != nil {
		return &ConfigError{"Redis", fmt.Errorf("the URI of Redis at %s cannot be used", u.Host)}
	}
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", config.Addr) // the client would write its failures to standard error
	if err != nil {
		return &ConfigError{"Redis", fmt.Errorf("reach Redis at %s: %w", u.Host, within(ctx, err))}
	}
	conn.Close()
	config.MaxRetries, config.ContextTimeoutEnabled = -1, true
	client := redis.NewClient(config)
	defer client.Close()
	if err := client.Ping(ctx).Err(); err != nil {
		return &ConfigError{"Redis", fmt.Errorf("reach Redis at %s: %w", u.Host, within(ctx, err))}
	}
	return nil
}

func reachMongo(ctx context.Context, uri string) error {
	if uri == "" {
		return nil
	}
	u, err := serveruri.Parse(uri)
	if err != nil || u.Scheme != "mongodb" {
		return nil // the database's own start says what is wrong with it
	}
	hosts := strings.Join(u.Hosts, ",") // the part that may be shown
	if err := checkFiles(u.Query); err != nil {
		return &ConfigError{"Mongo", fmt.Errorf("the URI of MongoDB at %s cannot be used: %w", hosts, err)}
	}
	client, err := driver.Connect(options.Client().ApplyURI(uri).SetServerSelectionTimeout(selectLimit))
	if err != nil {
		return &ConfigError{"Mongo", fmt.Errorf("the URI of MongoDB at %s cannot be used: %w", hosts, err)}
	}
	defer client.Disconnect(context.WithoutCancel(ctx))
	if err := client.Ping(ctx, nil); err != nil {
		return &ConfigError{"Mongo", fmt.Errorf("reach MongoDB at %s: %w", hosts, within(ctx, plain(err)))}
	}
	return nil
}

// maxCertificates bounds what is read of certificates and keys.
const maxCertificates = 4 << 20

// checkFiles reads the files that a URI names, as its driver does, but with a limit.
func checkFiles(options url.Values) error {
	for name := range options {
		switch strings.ToLower(name) {
		case "tlscafile", "tlscertificatekeyfile", "sslcertificateauthorityfile", "sslclientcertificatekeyfile":
			if _, err := bounded.ReadFile(options.Get(name), maxCertificates); err != nil {
				return fmt.Errorf("read %s: %w", name, err)
			}
		}
	}
	return nil
}

// lastError is what the driver says of a server, in the description of all of them.
var lastError = regexp.MustCompile(`Last error: (.*?)\s*\}(?:,| \])`)

// plain takes the cause out of the driver's description of a topology.
func plain(err error) error {
	if m := lastError.FindStringSubmatch(err.Error()); m != nil {
		return errors.New(m[1])
	}
	return err
}

// within says why a call ended whose time was over.
func within(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return fmt.Errorf("no answer within %s", reachLimit)
	}
	return err
}
