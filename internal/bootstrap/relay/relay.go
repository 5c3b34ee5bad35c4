// Package relay serves one invocation: the event becomes a request to the app, and the app's response goes to Lambda as it
// is written. It adds what Lambda's path needs: an answer when the app has none, heartbeats in silent event streams, an
// end before the deadline.
//
// A request is written to the app at most once. Each request has a connection of its own, made for it and closed after it:
// between two invocations the environment may have been frozen for hours, and a connection kept over that time may be dead
// without looking so.
//
// It leaves out the loop over invocations (bootstrap), the app's life (supervise), and what events look like (proxyevent).
package relay

import (
	"context"
	"crypto/subtle"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"time"

	"github.com/aproorg/sluice/internal/bootstrap/proxyevent"
	"github.com/aproorg/sluice/internal/bootstrap/runtimeapi"
	"github.com/aproorg/sluice/internal/bootstrap/sse"
	"github.com/aproorg/sluice/internal/bootstrap/supervise"
	"github.com/aproorg/sluice/internal/bootstrap/uploads"
)

// Config of a Relay. All of it is used; zero durations switch their feature off.
type Config struct {
	API *runtimeapi.Client
	App *supervise.App

	Events proxyevent.Reader
	// EventsPath is where events that are not HTTP are posted. A request from the web that could pass for one is refused there.
	EventsPath string
	// OwnPaths are paths of the app that only the bootstrap asks. A request from the web to one of them is refused, whatever its method.
	OwnPaths []string
	// OriginSecret, if set, must be in X-Origin-Verify.
	OriginSecret string
	// LateSecret, if set, takes OriginSecret's place: the secret is fetched at the cold start and known once the app is
	// ready. A request waits for that. Without a secret, then, none is trusted.
	LateSecret func() string
	// Buffered is set where the gateway does not take streams.
	Buffered bool

	// Uploads, if set, lets bodies come by way of S3.
	Uploads *Uploads

	Heartbeat     time.Duration
	HeartbeatForm sse.Form
	EarlyHeaders  time.Duration
	// SilenceLimit breaks off an event stream on which the app has sent nothing for so long but comments, which are its own heartbeats.
	SilenceLimit   time.Duration
	DeadlineMargin time.Duration
	// DeadlineEvent is the data of the last event of a stream cut at the deadline; empty breaks the stream. To a JSON-RPC request
	// it is the data of an error.
	DeadlineEvent string

	Logger *slog.Logger
}

// Relay serves invocations. It is safe for concurrent use.
type Relay struct {
	cfg    Config
	dialer net.Dialer
	closed string // plain spelling of the path of events; empty without one
	own    []string
}

// New makes a Relay.
func New(cfg Config) *Relay {
	r := &Relay{cfg: cfg, dialer: net.Dialer{Timeout: 5 * time.Second, KeepAlive: -1}}
	if cfg.EventsPath != "" {
		r.closed = plain(cfg.EventsPath)
	}
	for _, path := range cfg.OwnPaths {
		r.own = append(r.own, plain(path))
	}
	return r
}

// invocation is one call of Serve.
type invocation struct {
	*Relay
	*runtimeapi.Invocation
	log *slog.Logger
	req *proxyevent.Request
	// cut is when the response must end; margin is the time from then to Lambda's own deadline.
	cut    time.Time
	margin time.Duration
	upload *uploads.Body // the request's body, where it comes from S3
	// ended is closed at the end of the process that was asked; broke is set when its response broke off.
	ended <-chan struct{}
	broke bool
}

// Serve answers the invocation and returns when the answer is sent. What the app does after that is not waited for.
// An error means that the Runtime API could not be spoken to; the invocation is lost then.
func (r *Relay) Serve(ctx context.Context, in *runtimeapi.Invocation) error {
	inv := &invocation{Relay: r, Invocation: in, log: r.cfg.Logger.With("requestId", in.ID)}
	inv.margin = min(r.cfg.DeadlineMargin, time.Until(in.Deadline)/4)
	inv.cut = in.Deadline.Add(-inv.margin)
	if in.TooLarge != nil {
		inv.log.Error("the event is not read", "error", in.TooLarge)
		return inv.sent(r.cfg.API.Fail(ctx, in.ID, runtimeapi.Failure{Type: "Sluice.EventTooLarge", Message: in.TooLarge.Error()}))
	}

	req, err := r.cfg.Events.Read(in.Payload)
	inv.req = req
	switch {
	case errors.Is(err, proxyevent.ErrBadRequest):
		inv.log.Warn("the event is no request that the app could be asked", "error", err)
		return inv.answer(ctx, http.StatusBadRequest, err.Error())
	case err != nil:
		return inv.sent(r.cfg.API.Fail(ctx, in.ID, runtimeapi.Failure{Type: "Sluice.BadEvent", Message: err.Error()}))
	case req.Kind == proxyevent.Other:
		return inv.serveEvent(ctx)
	case inv.forEvents():
		inv.log.Warn("a request from the web to the path of events is refused; SLUICE_EVENTS_PATH moves that path", "method", req.Method, "path", req.Path)
		return inv.answer(ctx, http.StatusForbidden, "This path takes events that are not HTTP, and nothing from the web.")
	case inv.forBootstrap():
		inv.log.Warn("a request from the web to a path that only the bootstrap asks is refused", "method", req.Method, "path", req.Path)
		return inv.answer(ctx, http.StatusForbidden, "This path takes nothing from the web.")
	case r.cfg.LateSecret != nil:
		return inv.serveLate(ctx)
	case r.cfg.OriginSecret != "":
		return inv.serveTrusted(ctx, r.cfg.OriginSecret)
	}
	inv.identify()
	return inv.serveHTTP(ctx)
}

// serveLate waits until the app is ready, when the origin secret is known.
func (inv *invocation) serveLate(ctx context.Context) error {
	appCtx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	alarm := time.AfterFunc(time.Until(inv.cut), func() { cancel(errCut) })
	err := inv.cfg.App.Ready(appCtx)
	alarm.Stop()
	if err != nil {
		return inv.noAnswer(ctx, appCtx, err)
	}
	return inv.serveTrusted(ctx, inv.cfg.LateSecret())
}

// serveTrusted serves a request that brings the secret, which is not empty.
func (inv *invocation) serveTrusted(ctx context.Context, secret string) error {
	if !verified(inv.req.OriginVerify, secret) {
		return inv.answer(ctx, http.StatusForbidden, "Forbidden")
	}
	inv.identify()
	return inv.serveHTTP(ctx)
}

// verified says whether the values of X-Origin-Verify are the secret, all of them: a client's own beside the distribution's, in
// another spelling, is refused whichever of them comes first.
func verified(values []string, secret string) bool {
	good := secret != "" && len(values) > 0
	for _, value := range values {
		good = subtle.ConstantTimeCompare([]byte(value), []byte(secret)) == 1 && good
	}
	return good
}

// identify hands the ids on, so that the app's logs can be matched with Lambda's and the gateway's, and the time at which
// Lambda kills, so that an app can end its work before that.
func (inv *invocation) identify() {
	h := inv.req.Header
	h["Lambda-Runtime-Aws-Request-Id"] = []string{inv.ID}
	h["Lambda-Runtime-Deadline-Ms"] = []string{strconv.FormatInt(inv.Deadline.UnixMilli(), 10)}
	if inv.TraceID != "" {
		h["X-Amzn-Trace-Id"] = []string{inv.TraceID}
	}
	if inv.req.GatewayID != "" && h["X-Request-Id"] == nil {
		h["X-Request-Id"] = []string{inv.req.GatewayID}
	}
}
