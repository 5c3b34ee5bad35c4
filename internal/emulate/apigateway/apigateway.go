package apigateway

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"hash/fnv"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"time"

	"golang.org/x/time/rate"

	"github.com/aproorg/sluice/internal/stack"
	"github.com/aproorg/sluice/internal/timeline"
)

// Config says what to serve. API and, where the API has AWS_PROXY
// integrations, LambdaEndpoint and Functions are required.
type Config struct {
	API stack.RestAPI
	// LambdaEndpoint is the base URL of Lambda's API, without a trailing slash.
	LambdaEndpoint string
	// Functions maps the Terraform address of a function to its name or ARN.
	Functions map[string]string

	Region    string // eu-west-1 if empty
	AccountID string // 123456789012 if empty
	// Hosts are the Host headers that reach this API; any other gets 403, as when
	// CloudFront forwards the viewer's Host. Empty accepts every host.
	Hosts []string

	// Sign signs a call to Lambda with its payload; nil leaves calls unsigned.
	Sign func(r *http.Request, payload []byte)
	// Transport carries the calls to Lambda; nil is one of the gateway's own.
	Transport http.RoundTripper
	Record    timeline.Record
	Log       *slog.Logger // nil discards
}

// Gateway serves /{stage}/... It is safe for concurrent use.
type Gateway struct {
	cfg       Config
	apiID     string
	routes    *node
	throttle  *rate.Limiter
	transport http.RoundTripper
	owned     *http.Transport // what Close has to close
	log       *slog.Logger
}

// New checks that every part of the API can be emulated. Its errors name the
// Terraform address of what cannot.
func New(cfg Config) (*Gateway, error) {
	cfg.Region = or(cfg.Region, "eu-west-1")
	cfg.AccountID = or(cfg.AccountID, "123456789012")
	cfg.LambdaEndpoint = strings.TrimSuffix(cfg.LambdaEndpoint, "/")
	if cfg.API.StageName == "" {
		return nil, fmt.Errorf("rest api %s: it has no stage", cfg.API.Address)
	}
	routes, err := buildRoutes(cfg)
	if err != nil {
		return nil, err
	}
	g := &Gateway{cfg: cfg, apiID: shortID(cfg.API.Address), routes: routes, transport: cfg.Transport, log: cfg.Log,
		throttle: newThrottle(cfg.API.Throttling)}
	if g.log == nil {
		g.log = slog.New(slog.DiscardHandler)
	}
	if g.transport == nil {
		g.owned = &http.Transport{
			DialContext:         (&net.Dialer{Timeout: 5 * time.Second}).DialContext,
			MaxIdleConnsPerHost: 256,
			DisableCompression:  true,
		}
		g.transport = g.owned
	}
	return g, nil
}

// newThrottle is the stage's token bucket. An API that says nothing has the account's.
func newThrottle(t stack.Throttling) *rate.Limiter {
	if t == (stack.Throttling{}) {
		t = stack.AccountThrottling
	}
	return rate.NewLimiter(rate.Limit(t.RateLimit), t.BurstLimit)
}

// Close closes idle connections to Lambda. Requests under way go on.
func (g *Gateway) Close() {
	if g.owned != nil {
		g.owned.CloseIdleConnections()
	}
}

// DomainName is what the API would be called in its region.
func (g *Gateway) DomainName() string {
	return g.apiID + ".execute-api." + g.cfg.Region + ".amazonaws.com"
}

// ServeHTTP answers one request of the stage.
func (g *Gateway) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	x := g.newExchange(w, r)
	x.record(timeline.Event{Kind: timeline.RequestStart, Method: r.Method, Path: r.URL.RequestURI()})
	err := g.serve(x)
	end := timeline.Event{Kind: timeline.RequestEnd, Status: x.status, Bytes: x.bytes}
	if err != nil {
		end.Error = err.Error()
		level := slog.LevelWarn
		if r.Context().Err() != nil {
			level = slog.LevelInfo // the client left, as clients do
		}
		g.log.Log(r.Context(), level, "api gateway request failed", "request", x.requestID, "error", err)
	}
	x.record(end)
	if err != nil && x.started {
		panic(http.ErrAbortHandler) // the only way to cut a response that has begun
	}
}

func (g *Gateway) serve(x *exchange) error {
	if gr := g.admit(x); gr != nil {
		x.drain()
		return x.fail(*gr, nil)
	}
	route, ok := g.routes.find(x.path)
	if !ok {
		return x.fail(missingToken, nil)
	}
	method, ok := route.method(x.method)
	if !ok {
		return x.fail(missingToken, nil)
	}
	if method.APIKeyRequired && !g.knows(x) {
		x.limit("the method needs the API key, which the distribution sends as X-Api-Key")
		x.drain()
		return x.fail(forbidden, nil)
	}
	if !g.throttle.Allow() {
		x.limit(fmt.Sprintf("the stage admits %v requests a second and %d at once", float64(g.throttle.Limit()), g.throttle.Burst()))
		x.drain()
		return x.fail(tooManyRequests, nil)
	}
	body, err := io.ReadAll(io.LimitReader(x.r.Body, maxBody+1))
	if err != nil {
		return x.fail(badRequest, fmt.Errorf("read request body: %w", err))
	}
	if len(body) > maxBody {
		x.limit(noteBody)
		x.drain()
		return x.fail(bodyTooLarge, nil)
	}
	if method.mock != nil {
		return x.serveMock(method.mock)
	}
	return g.serveProxy(x, route, method, body)
}

// knows says whether the request has the API's key.
func (g *Gateway) knows(x *exchange) bool {
	return g.cfg.API.APIKey != "" && subtle.ConstantTimeCompare([]byte(x.r.Header.Get("X-Api-Key")), []byte(g.cfg.API.APIKey)) == 1
}

// drain reads what is left of a refused request, up to a bound: a client that is
// still writing when the connection closes never sees the answer.
func (x *exchange) drain() {
	_, _ = io.CopyN(io.Discard, x.r.Body, 8*maxBody) // a client that breaks off is answered all the same
}

// exchange is one request and its response.
type exchange struct {
	w      http.ResponseWriter
	r      *http.Request
	rc     *http.ResponseController
	emit   timeline.Record
	start  time.Time
	method string // after X-HTTP-Method-Override
	path   string // without the stage, escaped as it came

	id        string // for the timeline
	requestID string // $context.requestId
	extended  string // $context.extendedRequestId
	trace     string // X-Amzn-Trace-Id

	environment string // that answers, where it is the emulator's

	status  int
	bytes   int64
	started bool // the status line is out
}

func (g *Gateway) newExchange(w http.ResponseWriter, r *http.Request) *exchange {
	x := &exchange{w: w, r: r, rc: http.NewResponseController(w), emit: g.cfg.Record, start: time.Now()}
	x.requestID, x.extended = uuid(), base64.StdEncoding.EncodeToString(random(11))
	if x.id = r.Header.Get("X-Amz-Cf-Id"); x.id == "" {
		x.id = x.requestID
	}
	if x.trace = r.Header.Get("X-Amzn-Trace-Id"); x.trace == "" {
		x.trace = fmt.Sprintf("Root=1-%08x-%s", x.start.Unix(), hex.EncodeToString(random(12)))
	}
	x.method = r.Method
	if o := r.Header.Get("X-Http-Method-Override"); o != "" {
		x.method = strings.ToUpper(o)
	}
	_, rest := splitStage(r.URL.EscapedPath())
	x.path = rest
	return x
}

func (x *exchange) record(e timeline.Event) {
	e.Request, e.Hop = x.id, timeline.APIGateway
	x.emit.Emit(e)
}

func (x *exchange) limit(note string) { x.record(timeline.Event{Kind: timeline.Limit, Note: note}) }

// begin writes the status line. The caller has set the headers.
func (x *exchange) begin(status int) error {
	h := x.w.Header()
	h.Set("X-Amzn-Requestid", x.requestID)
	h.Set("X-Amz-Apigw-Id", x.extended)
	if x.environment != "" {
		h.Set(environmentHeader, x.environment)
	}
	x.w.WriteHeader(status)
	x.started, x.status = true, status
	x.record(timeline.Event{Kind: timeline.RequestFirstByte, Status: status})
	return x.rc.Flush()
}

// write passes one chunk on at once.
func (x *exchange) write(p []byte) error {
	n, err := x.w.Write(p)
	x.bytes += int64(n)
	if err == nil {
		err = x.rc.Flush()
	}
	x.record(timeline.Event{Kind: timeline.RequestChunk, Bytes: int64(n)})
	return err
}

// splitStage divides /stage/rest; rest begins with a slash.
func splitStage(path string) (stage, rest string) {
	stage, rest, _ = strings.Cut(strings.TrimPrefix(path, "/"), "/")
	return stage, "/" + rest
}

func or(s, fallback string) string {
	if s == "" {
		return fallback
	}
	return s
}

func random(n int) []byte {
	b := make([]byte, n)
	rand.Read(b) // never fails
	return b
}

func uuid() string {
	b := random(16)
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	h := hex.EncodeToString(b)
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}

// shortID is a stable id of ten characters, as API Gateway gives to APIs.
func shortID(s string) string {
	const digits = "abcdefghijklmnopqrstuvwxyz0123456789"
	f := fnv.New64a()
	f.Write([]byte(s))
	id := make([]byte, 10)
	for n, i := f.Sum64(), 0; i < len(id); i++ {
		id[i] = digits[n%36]
		n /= 36
	}
	return string(id)
}
