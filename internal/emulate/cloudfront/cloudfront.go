package cloudfront

import (
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"hash/fnv"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/aproorg/sluice/internal/emulate/cloudfront/cache"
	"github.com/aproorg/sluice/internal/emulate/cloudfront/function"
	"github.com/aproorg/sluice/internal/emulate/cloudfront/origin"
	"github.com/aproorg/sluice/internal/emulate/cloudfront/policy"
	"github.com/aproorg/sluice/internal/stack"
	"github.com/aproorg/sluice/internal/timeline"
)

// Config says what to serve. Distribution and Origins are required.
type Config struct {
	Distribution stack.Distribution
	// Origins maps an origin id to a base URL that stands for the origin's domain.
	// A path in it is put before everything, OriginPath included.
	Origins map[string]string
	// AssumeHTTPS takes every viewer for an HTTPS viewer, as a rehearsal on a
	// loopback address must.
	AssumeHTTPS bool

	DomainName string // d111111abcdef8.cloudfront.net if empty
	// SignBucket signs a request to a bucket, as origin access control does; nil puts a
	// signature there that nobody can check.
	SignBucket func(*http.Request)
	CacheBytes int64             // bound of the cache's memory; 64 MiB if 0
	Transport  http.RoundTripper // towards origins; nil is one of the distribution's own, per origin
	Record     timeline.Record
	Log        *slog.Logger // nil discards
}

// Distribution serves viewers. It is safe for concurrent use.
type Distribution struct {
	cfg       Config
	behaviors []*behavior // in order of precedence, the default one last
	errors    map[int]stack.CustomErrorResponse
	origins   map[string]*origin.Origin
	cache     *cache.Store
	log       *slog.Logger
	via, pop  string
}

// behavior is a cache behavior that is ready to run.
type behavior struct {
	stack.CacheBehavior
	origin         *origin.Origin
	viewerRequest  *function.Function
	viewerResponse *function.Function
}

// New checks that the distribution can be emulated; its errors name the part that
// cannot.
func New(cfg Config) (*Distribution, error) {
	if cfg.DomainName == "" {
		cfg.DomainName = "d111111abcdef8.cloudfront.net"
	}
	if cfg.CacheBytes == 0 {
		cfg.CacheBytes = 64 << 20
	}
	d := &Distribution{cfg: cfg, log: cfg.Log, cache: cache.New(cfg.CacheBytes), pop: "FRA56-P1",
		origins: map[string]*origin.Origin{}, errors: map[int]stack.CustomErrorResponse{}}
	d.via = "1.1 " + hostID(cfg.DomainName) + ".cloudfront.net (CloudFront)"
	if d.log == nil {
		d.log = slog.New(slog.DiscardHandler)
	}
	for _, o := range cfg.Distribution.Origins {
		base, ok := cfg.Origins[o.OriginID]
		if !ok {
			return nil, fmt.Errorf("distribution %s: origin %s: there is no base URL for it", cfg.Distribution.Address, o.OriginID)
		}
		built, err := origin.New(o, base, cfg.Transport)
		if err != nil {
			return nil, fmt.Errorf("distribution %s: origin %s: %w", cfg.Distribution.Address, o.OriginID, err)
		}
		d.origins[o.OriginID] = built
	}
	for _, e := range cfg.Distribution.CustomErrorResponses {
		d.errors[e.ErrorCode] = e
	}
	return d, d.addBehaviors()
}

func (d *Distribution) addBehaviors() error {
	all := append([]stack.CacheBehavior{}, d.cfg.Distribution.OrderedCacheBehaviors...)
	last := d.cfg.Distribution.DefaultCacheBehavior
	last.PathPattern = "*"
	for _, b := range append(all, last) {
		built, err := d.newBehavior(b)
		if err != nil {
			return fmt.Errorf("distribution %s: behavior %q: %w", d.cfg.Distribution.Address, b.PathPattern, err)
		}
		d.behaviors = append(d.behaviors, built)
	}
	return nil
}

func (d *Distribution) newBehavior(b stack.CacheBehavior) (*behavior, error) {
	out := &behavior{CacheBehavior: b, origin: d.origins[b.TargetOriginID]}
	if out.origin == nil {
		return nil, fmt.Errorf("there is no origin %q", b.TargetOriginID)
	}
	if err := policy.Check(b); err != nil {
		return nil, err
	}
	for _, f := range b.Functions {
		built, err := function.New(f)
		if err != nil {
			return nil, fmt.Errorf("function %q: %w", f.Name, err)
		}
		switch f.EventType {
		case "viewer-request":
			out.viewerRequest = built
		case "viewer-response":
			out.viewerResponse = built
		default:
			return nil, fmt.Errorf("function %q: event type %q", f.Name, f.EventType)
		}
	}
	return out, nil
}

// Close closes idle connections to origins.
func (d *Distribution) Close() {
	for _, o := range d.origins {
		o.Close()
	}
}

// Invalidate drops cached objects by path, as a CreateInvalidation does. A path
// begins with a slash; a * at its end takes everything that begins so.
func (d *Distribution) Invalidate(paths ...string) error {
	for _, p := range paths {
		if !strings.HasPrefix(p, "/") || strings.Contains(strings.TrimSuffix(p, "*"), "*") {
			return fmt.Errorf("invalidate %q: a path begins with / and has * only at its end", p)
		}
		d.cache.Invalidate(p)
	}
	return nil
}

// ServeHTTP answers one viewer request.
func (d *Distribution) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	x := d.newExchange(w, r)
	x.record(timeline.Event{Kind: timeline.RequestStart, Method: r.Method, Path: r.URL.RequestURI()})
	err := d.serve(x)
	end := timeline.Event{Kind: timeline.RequestEnd, Status: x.status, Bytes: x.bytes, Note: x.xCache}
	if err != nil {
		end.Error = err.Error()
		level := slog.LevelWarn
		if r.Context().Err() != nil {
			level = slog.LevelInfo // the viewer left, as viewers do
		}
		d.log.Log(r.Context(), level, "cloudfront request failed", "request", x.id, "error", err)
	}
	x.record(end)
	if err != nil && x.cut {
		panic(http.ErrAbortHandler) // the only way to break off a response that has begun
	}
}

// exchange is a viewer's request and the response to it.
type exchange struct {
	w     http.ResponseWriter
	rc    *http.ResponseController
	r     *http.Request // what the viewer sent
	emit  timeline.Record
	start time.Time
	id    string // X-Amz-Cf-Id
	https bool

	request function.Request // what the behavior goes on with, after its function
	b       *behavior        // nil until matched
	accept  string           // normalized Accept-Encoding: what may be stored and sent

	status int
	bytes  int64
	xCache string
	cut    bool // the response has begun and is not whole
}

func (d *Distribution) newExchange(w http.ResponseWriter, r *http.Request) *exchange {
	x := &exchange{w: w, rc: http.NewResponseController(w), r: r, emit: d.cfg.Record, start: time.Now(),
		id: newID(), https: d.cfg.AssumeHTTPS || r.TLS != nil}
	x.request = function.Request{Method: r.Method, Path: r.URL.EscapedPath(), Query: r.URL.RawQuery, Header: r.Header.Clone(), Host: r.Host}
	if x.request.Path == "" {
		x.request.Path = "/"
	}
	return x
}

// match returns the first behavior whose pattern matches the path. The default
// behavior matches every path.
func (d *Distribution) match(path string) *behavior {
	for _, b := range d.behaviors {
		if policy.Match(b.PathPattern, path) {
			return b
		}
	}
	return d.behaviors[len(d.behaviors)-1]
}

// key names the object that the exchange asks for, in the cache.
func (x *exchange) key() string {
	o := policy.Object{Method: x.r.Method, Path: x.request.Path, Query: x.request.Query,
		Cookies: x.request.Header.Values("Cookie"), Encoding: x.accept, Header: x.viewerHeader}
	return o.Key(x.b.CachePolicy)
}

func (x *exchange) record(e timeline.Event) {
	e.Request, e.Hop = x.id, timeline.CloudFront
	x.emit.Emit(e)
}

// newID is like an X-Amz-Cf-Id: 56 characters of URL-safe base64.
func newID() string {
	b := make([]byte, 40)
	rand.Read(b) // never fails
	return base64.URLEncoding.EncodeToString(b)
}

func hostID(s string) string {
	f := fnv.New128a()
	f.Write([]byte(s))
	return fmt.Sprintf("%x", f.Sum(nil))
}
