package bootstrap

import (
	"context"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"

	"github.com/aproorg/sluice/internal/bootstrap/proxyevent"
	"github.com/aproorg/sluice/internal/bootstrap/relay"
	"github.com/aproorg/sluice/internal/bootstrap/settings"
	"github.com/aproorg/sluice/internal/bootstrap/uploads"
	"github.com/aproorg/sluice/internal/freeport"
	"github.com/aproorg/sluice/internal/hint"
)

// appAddress is host:port, with a free port for 0.
func appAddress(host string, port int) (string, error) {
	if port == 0 {
		var err error
		if port, err = freeport.Pick(host); err != nil {
			return "", fmt.Errorf("find a free port for the app: %w", err)
		}
	}
	return net.JoinHostPort(host, strconv.Itoa(port)), nil
}

// originSecret is the one setting that the app must not see.
const originSecret = settings.OriginSecretVariable

// appEnvironment is the environment that the app is started with: Lambda's, the port, what drain needs, and what Prepare makes of it.
func (e *environment) appEnvironment(ctx context.Context) ([]string, error) {
	env, err := e.inherited()
	if err != nil {
		return nil, err
	}
	if e.cfg.Prepare != nil {
		if env, err = e.cfg.Prepare(ctx, env); err != nil {
			return nil, fmt.Errorf("prepare the app's environment: %w", err)
		}
	}
	if err := e.makeUploads(env); err != nil {
		return nil, err
	}
	if e.cfg.Prepare != nil {
		env = e.keepSecret(env)
	}
	env = e.drain.AddTo(env)
	if e.processes != nil {
		env = e.processes.AddTo(env)
	}
	if env, err = withCompileCache(env); err != nil { // a start without is slower, and no worse
		e.cfg.Logger.Warn("the app's compiled code is not used", "error", err)
	}
	return env, nil
}

// inherited is the app's environment before Prepare.
func (e *environment) inherited() ([]string, error) {
	_, port, err := net.SplitHostPort(e.address)
	if err != nil {
		return nil, err
	}
	return append(without(e.cfg.Env, originSecret, "PORT"), "PORT="+port), nil
}

// makeUploads derives the key of tickets from a variable of the app, or from the origin secret.
func (e *environment) makeUploads(env []string) error {
	s := e.cfg.Settings.Uploads
	if e.cfg.UploadStore == nil {
		return nil
	}
	secret, _ := settings.Lookup(env)(s.Secret)
	if s.Secret == originSecret && secret == "" {
		secret = e.cfg.Settings.OriginSecret.Reveal()
	}
	if secret == "" {
		return hint.With(fmt.Errorf("uploads need a secret, and %s is not set", s.Secret), "set it, or name another variable by SLUICE_UPLOAD_SECRET")
	}
	key, err := uploads.NewKey(secret)
	if err != nil {
		return err
	}
	e.uploads.Store(uploads.New(uploads.Config{Store: *e.cfg.UploadStore, Prefix: s.Object.Key, Key: key, Limit: s.Limit, Log: e.cfg.Logger}))
	return nil
}

// keepSecret takes the origin secret out of what Prepare made.
func (e *environment) keepSecret(env []string) []string {
	for _, entry := range env {
		if value, ok := strings.CutPrefix(entry, originSecret+"="); ok {
			e.lateSecret.Store(&value)
		}
	}
	return without(env, originSecret)
}

func (e *environment) secret() string {
	if s := e.lateSecret.Load(); s != nil {
		return *s
	}
	return ""
}

func without(env []string, names ...string) []string {
	out := make([]string, 0, len(env)+4)
next:
	for _, entry := range env {
		for _, name := range names {
			if strings.HasPrefix(entry, name+"=") {
				continue next
			}
		}
		out = append(out, entry)
	}
	return out
}

func busyURL(s settings.Settings, address string) string {
	if s.BusyPath == "" || s.DrainLimit == 0 {
		return ""
	}
	return "http://" + address + s.BusyPath
}

func relayConfig(e *environment) relay.Config {
	s := e.cfg.Settings
	var late func() string
	if e.cfg.LateSecret {
		late = e.secret
	}
	var bodies *relay.Uploads
	if e.cfg.UploadStore != nil {
		bodies = &relay.Uploads{Uploads: e.uploads.Load, Authorize: s.Uploads.Authorize, User: s.Uploads.User}
	}
	return relay.Config{
		Uploads: bodies,
		API:     e.api, App: e.app, LateSecret: late,
		Events:     proxyevent.Reader{BasePath: s.BasePath, PublicHost: s.PublicHost, ForwardedHops: s.ForwardedHops},
		EventsPath: s.EventsPath, OwnPaths: ownPaths(s), OriginSecret: s.OriginSecret.Reveal(), Buffered: s.Buffered,
		Heartbeat: s.Heartbeat, HeartbeatForm: s.HeartbeatForm, EarlyHeaders: s.EarlyHeaders, SilenceLimit: s.SilenceLimit,
		DeadlineMargin: s.DeadlineMargin, DeadlineEvent: s.DeadlineEvent, Logger: e.cfg.Logger,
	}
}

func ownPaths(s settings.Settings) []string {
	return slices.DeleteFunc([]string{s.Snapshot.BeforePath, s.Snapshot.AfterPath}, func(path string) bool { return path == "" })
}
