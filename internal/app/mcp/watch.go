package mcp

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"

	"github.com/aproorg/sluice/internal/hint"
	"github.com/aproorg/sluice/internal/timeline"
)

// Header fields of the transport, and CloudFront's by which the timeline knows a
// request.
const (
	sessionHeader = "Mcp-Session-Id"
	eventHeader   = "Last-Event-ID"
	requestHeader = "X-Amz-Cf-Id"
)

// Advice for servers that do not survive on Lambda.
const (
	statelessHint = "make the server stateless (sessionIdGenerator: undefined in the TypeScript SDK, stateless_http=True in Python's, Stateless in Go's), " +
		"or keep its sessions in a store that all environments share"
	streamHint = "answer GET with 405, as the protocol allows: clients then do without the stream"
	hostHint   = "switch the server's guard against DNS rebinding off (Python: transport_security=TransportSecuritySettings(enable_dns_rebinding_protection=False), " +
		"TypeScript: createMcpExpressApp({ host: \"0.0.0.0\" })): it is for servers on a desk, and only the distribution reaches this one"
)

// watch looks at the answers of a rehearsed server on their way to the client, and
// puts into the timeline, once each, what of the protocol cannot work across environments.
type watch struct {
	path     string
	timeline *timeline.Recorder // knows which environment served a request, and takes what is said

	mu        sync.Mutex
	opened    map[string]string // session -> the environment that opened it
	strangers int               // requests that reached an environment without their session
	streams   int               // GET streams
	hosts     int               // requests that were refused for their Host
}

// observe stands between the client and the server.
func (w *watch) observe(next http.Handler) http.Handler {
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if r.URL.Path != w.path {
			next.ServeHTTP(rw, r)
			return
		}
		t := &tap{ResponseWriter: rw, head: func(status int, header http.Header) { w.head(r, status, header) }}
		next.ServeHTTP(t, r)
		w.ended(r, t)
	})
}

// head sees an answer before the client does.
func (w *watch) head(r *http.Request, status int, header http.Header) {
	if status != http.StatusOK {
		return
	}
	id := header.Get(requestHeader)
	if session := header.Get(sessionHeader); session != "" && r.Header.Get(sessionHeader) == "" {
		w.open(session, w.environment(id))
	}
	if r.Method == http.MethodGet && r.Header.Get(eventHeader) == "" && isEventStream(header) {
		w.stream(id)
	}
}

func isEventStream(h http.Header) bool {
	return strings.HasPrefix(strings.ToLower(h.Get("Content-Type")), "text/event-stream")
}

func (w *watch) open(session, environment string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.opened == nil {
		w.opened = map[string]string{}
	}
	w.opened[session] = environment
}

func (w *watch) stream(request string) {
	if w.first(&w.streams) {
		environment := w.environment(request)
		w.say(request, environment, streamHint, "GET %s is a stream without an end: it keeps %s busy, and billed, up to the function's timeout, "+
			"even when its client has gone; each client has one", w.path, or(environment, "an environment"))
	}
}

// first counts, and reports whether it is the first time.
func (w *watch) first(count *int) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	*count++
	return *count == 1
}

// say puts a sentence and its advice beside the request.
func (w *watch) say(request, environment, advice, format string, args ...any) {
	w.timeline.Record(timeline.Event{
		Kind: timeline.Notice, Request: request, Environment: environment, Note: hint.Text(hint.With(fmt.Errorf(format, args...), "%s", advice)),
	})
}

// ended looks at a refusal.
func (w *watch) ended(r *http.Request, t *tap) {
	switch t.status {
	case http.StatusBadRequest, http.StatusNotFound:
		if session := r.Header.Get(sessionHeader); session != "" {
			w.stranger(r, t, session)
		}
	case http.StatusForbidden, http.StatusMisdirectedRequest:
		if bytes.Contains(t.body, []byte("Invalid Host")) {
			w.host(r, t)
		}
	}
}

func (w *watch) host(r *http.Request, t *tap) {
	if w.first(&w.hosts) {
		id := t.Header().Get(requestHeader)
		w.say(id, w.environment(id), hostHint, "%s %s got %d because of its Host: behind a distribution, the server sees the name of the API, "+
			"and it accepts its own alone", r.Method, w.path, t.status)
	}
}

// stranger warns where another environment opened the session.
func (w *watch) stranger(r *http.Request, t *tap, session string) {
	id := t.Header().Get(requestHeader)
	served := w.environment(id)
	w.mu.Lock()
	opened := w.opened[session]
	w.mu.Unlock()
	if opened == "" || served == "" || opened == served || !w.first(&w.strangers) {
		return
	}
	w.say(id, served, statelessHint, "%s does not know the MCP session that %s opened, so that %s %s got %d%s: the session lives in the memory of one process, "+
		"and Lambda sends each request to any environment", served, opened, r.Method, w.path, t.status, reason(t.body))
}

// reason is the message of a JSON-RPC error.
func reason(body []byte) string {
	var answer struct{ Error struct{ Message string } }
	if json.Unmarshal(body, &answer) != nil || answer.Error.Message == "" {
		return ""
	}
	return fmt.Sprintf(" %q", answer.Error.Message)
}

// summary says at the end of the rehearsal how often sessions were missed.
func (w *watch) summary(int, int) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch w.strangers {
	case 0:
		return ""
	case 1:
		return "1 request reached an environment that did not know its MCP session"
	}
	return fmt.Sprintf("%d requests reached an environment that did not know their MCP session", w.strangers)
}

// environment names the environment that served a request; empty if the timeline
// does not know it.
func (w *watch) environment(request string) string {
	events, _ := w.timeline.Since(0)
	for i := len(events) - 1; i >= 0; i-- {
		if e := events[i]; e.Kind == timeline.Invoke && e.Request == request {
			return e.Environment
		}
	}
	return ""
}

// keep is how much of a refusal is read for its reason.
const keep = 4 << 10

// tap passes an answer on at once, and keeps the beginning of a refusal.
type tap struct {
	http.ResponseWriter
	head   func(status int, header http.Header)
	status int
	body   []byte
}

// Unwrap lets http.ResponseController flush.
func (t *tap) Unwrap() http.ResponseWriter { return t.ResponseWriter }

func (t *tap) WriteHeader(status int) {
	if t.status == 0 && status >= 200 {
		t.status = status
		t.head(status, t.Header())
	}
	t.ResponseWriter.WriteHeader(status)
}

func (t *tap) Write(p []byte) (int, error) {
	if t.status == 0 {
		t.WriteHeader(http.StatusOK)
	}
	if room := keep - len(t.body); t.status >= 400 && room > 0 {
		t.body = append(t.body, p[:min(room, len(p))]...)
	}
	return t.ResponseWriter.Write(p)
}

func or(text, otherwise string) string {
	if text == "" {
		return otherwise
	}
	return text
}
