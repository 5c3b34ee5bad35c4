// Package stores runs what stands beside an app in a rehearsal: a database, a
// cache, object storage, the parameter store and a language model, each an
// emulator on a loopback address, or a real one that the caller names. Cloud Map
// names of a deployment are loopback addresses here.
//
// It leaves out what the app makes of them: an app's own package says which
// variables lead to which store.
package stores

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/aproorg/sluice/internal/emulate/llm"
	"github.com/aproorg/sluice/internal/emulate/mongo"
	"github.com/aproorg/sluice/internal/emulate/mongo/guard"
	"github.com/aproorg/sluice/internal/emulate/redis"
	"github.com/aproorg/sluice/internal/emulate/s3"
	"github.com/aproorg/sluice/internal/emulate/sigv4"
	"github.com/aproorg/sluice/internal/emulate/ssm"
	"github.com/aproorg/sluice/internal/loopback"
	"github.com/aproorg/sluice/internal/timeline"
)

// Config says which stores are real and which are emulated. Dir is required.
type Config struct {
	// Region is the rehearsal's, for S3 and SSM; see rehearse.Config.
	Region string
	// Dir holds the embedded database, which outlives the rehearsal, and large
	// objects of S3, which do not.
	Dir string
	// Mongo is the URI of a real server; empty is the embedded database. Either
	// way the guard watches for what Amazon DocumentDB refuses.
	Mongo string
	// MongoAdvice says how to have a real server, for what the embedded database lacks.
	MongoAdvice string
	// Redis is the URI of a real server; empty is the embedded one.
	Redis string
	// Strict refuses what Amazon DocumentDB refuses.
	Strict bool
	// Model is the stub's pace.
	Model llm.Config
	// PathKeys is S3's, see s3.Config.
	PathKeys bool
	// Wrote, if not nil, is called after each write to the database.
	Wrote func(mongo.Write)

	Record timeline.Record
	Log    *slog.Logger
}

// FilesBucket is the bucket of users' files where the plan does not know its name.
const FilesBucket = "sluice-rehearsal-files"

// Stores are running. Close them when the app is gone.
type Stores struct {
	Mongo *mongo.Server
	Redis *redis.Server // nil where a real one is used
	S3    *s3.Store
	SSM   *ssm.Store
	Model *llm.Server

	S3URL, SSMURL string // http://127.0.0.1:PORT
	// Role is the key of the function's role, and User one without a session token,
	// for a program that is not the function. S3 and SSM serve nobody else.
	Role, User sigv4.Key

	redisURI string
	clients  clients
	closers  []io.Closer
}

// Start brings the stores up, or none of them. ctx bounds the start.
func Start(ctx context.Context, cfg Config) (*Stores, error) {
	if err := cfg.reachable(ctx); err != nil {
		return nil, err
	}
	s := &Stores{redisURI: cfg.Redis, Role: sigv4.NewTemporaryKey(), User: sigv4.NewKey()}
	s.closers = append(s.closers, &s.clients)
	if err := errors.Join(s.startMongo(ctx, cfg), s.startRedis(ctx, cfg), s.startModel(cfg), s.startS3(cfg), s.startSSM(cfg)); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// Close ends what was started, last first.
func (s *Stores) Close() error {
	var errs []error
	for i := len(s.closers) - 1; i >= 0; i-- {
		errs = append(errs, s.closers[i].Close())
	}
	s.closers = nil
	return errors.Join(errs...)
}

// RedisURI is the one the app is given.
func (s *Stores) RedisURI() string { return s.redisURI }

func (s *Stores) startMongo(ctx context.Context, cfg Config) (err error) {
	s.Mongo, err = mongo.Start(ctx, mongo.Config{
		Dir: filepath.Join(cfg.Dir, "mongo"), Upstream: cfg.Mongo, Advice: cfg.MongoAdvice, Strict: cfg.Strict, Logger: cfg.Log, Wrote: cfg.Wrote,
		Caller: s.clients.caller, Connected: s.clients.connect, Finding: func(f guard.Finding) { cfg.Record.Emit(finding(f)) },
	})
	if err != nil {
		return fmt.Errorf("start the database: %w", err)
	}
	s.closers = append(s.closers, s.Mongo)
	return nil
}

// finding is a line of the timeline, with the newest caller.
func finding(f guard.Finding) timeline.Event {
	e := timeline.Event{Kind: timeline.Store, Note: "DocumentDB: " + f.String()}
	if n := len(f.Callers); n > 0 {
		e.Environment, e.Request = f.Callers[n-1].Environment, f.Callers[n-1].Request
	}
	return e
}

func (s *Stores) startRedis(ctx context.Context, cfg Config) (err error) {
	if cfg.Redis != "" {
		return nil
	}
	if s.Redis, err = redis.Start(redis.Config{Password: rand.Text()}); err != nil {
		return fmt.Errorf("start Redis: %w", err)
	}
	s.redisURI = s.Redis.URI()
	s.closers = append(s.closers, s.Redis)
	return nil
}

func (s *Stores) startS3(cfg Config) (err error) {
	dir := filepath.Join(cfg.Dir, "s3")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("start S3: %w", err)
	}
	if s.S3, err = s3.New(s3.Config{Dir: dir, Region: cfg.Region, PathKeys: cfg.PathKeys, Record: cfg.Record, Log: cfg.Log}); err != nil {
		return fmt.Errorf("start S3: %w", err)
	}
	s.closers = append(s.closers, s.S3)
	s.S3URL, err = s.serve(s.S3.API(s.Role, s.User))
	return err
}

func (s *Stores) startSSM(cfg Config) (err error) {
	if s.SSM, err = ssm.New(ssm.Config{Region: cfg.Region}); err != nil {
		return fmt.Errorf("start Parameter Store: %w", err)
	}
	s.SSMURL, err = s.serve(loopback.Program(sigv4.Guard(s.SSM, "ssm", []sigv4.Key{s.Role, s.User}, maxParameter)))
	return err
}

// maxParameter bounds a request to Parameter Store, of which a value has 8 KB at most.
const maxParameter = 64 << 10

// PutSecrets puts values into Parameter Store as SecureStrings: parameter -> value.
func (s *Stores) PutSecrets(secrets map[string]string) error {
	for _, name := range slices.Sorted(maps.Keys(secrets)) {
		if err := s.SSM.Put(name, secrets[name]); err != nil {
			return fmt.Errorf("put a secret into Parameter Store: %w", err)
		}
	}
	return nil
}

func (s *Stores) startModel(cfg Config) (err error) {
	if s.Model, err = llm.Start("", cfg.Model); err != nil {
		return fmt.Errorf("start the stub model: %w", err)
	}
	s.closers = append(s.closers, s.Model)
	return nil
}

// serve gives a handler an address of its own.
func (s *Stores) serve(handler http.Handler) (string, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("find a free port on 127.0.0.1: %w", err)
	}
	server := &served{Server: &http.Server{Handler: handler, ReadHeaderTimeout: 30 * time.Second}, done: make(chan struct{})}
	go func() {
		defer close(server.done)
		_ = server.Serve(listener) // ends with Close
	}()
	s.closers = append(s.closers, server)
	return "http://" + listener.Addr().String(), nil
}

// served is an HTTP server whose Close waits for its loop.
type served struct {
	*http.Server
	done chan struct{}
}

func (s *served) Close() error {
	err := s.Server.Close()
	<-s.done
	return err
}
