package runtimeapi

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/aproorg/sluice/internal/loopback"
)

// Config says which function the APIs belong to.
type Config struct {
	Account, Function, Version, Handler string
	// Extensions are the names of the external ones: programs beside the runtime. Who
	// registers under any other name is the runtime's own, internal one.
	Extensions []string
	Limits     Limits
	// Client, if set, begins the User-Agent of the one program that is to ask for
	// invocations; another that does ends the session, and Stranger hears of it.
	Client   string
	Stranger func(userAgent string)
	// SnapStart, if not nil, adds what a runtime has with it.
	SnapStart *SnapStart
	// Listener is where the APIs are, instead of a free port of 127.0.0.1.
	Listener net.Listener
	// Limit is called when the invocation at hand runs into a limit.
	Limit func(note string)
}

// SnapStart is what restored runtimes and their snapshots have in common.
type SnapStart struct {
	Token       string             // who sends it as Authorization gets the credentials
	Credentials func() Credentials // those of now
}

// Limits are the quotas of a response. All are required.
type Limits struct {
	Buffered int64 // bytes of an answer that is not streamed
	Streamed int64 // bytes of a streamed answer
	// The first Burst bytes of a streamed answer pass unhindered, the rest at Rate
	// bytes per second.
	Burst, Rate int64
}

// Server serves the two APIs to the processes of one environment, one session
// after the other.
type Server struct {
	cfg     Config
	address string
	server  *http.Server
	done    chan struct{}

	mu      sync.Mutex
	session *Session
}

// Listen starts a server.
func Listen(cfg Config) (*Server, error) {
	listener := cfg.Listener
	if listener == nil {
		var err error
		if listener, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
			return nil, err
		}
	}
	a := &Server{cfg: cfg, address: listener.Addr().String(), done: make(chan struct{})}
	a.server = &http.Server{Handler: loopback.Program(a.routes()), ReadHeaderTimeout: time.Minute}
	go func() {
		defer close(a.done)
		_ = a.server.Serve(listener)
	}()
	return a, nil
}

type route struct {
	method, path string
	serve        http.HandlerFunc
}

// routes answers a wrong method as rapid does: HEAD is not GET, and takes no event.
func (a *Server) routes() http.Handler {
	runtime, extensions := runtimeAPI{a}, extensionsAPI{a}
	mux := http.NewServeMux()
	routes := []route{
		{"GET", "/2018-06-01/ping", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "pong") }},
		{"GET", "/2018-06-01/runtime/invocation/next", runtime.next},
		{"POST", "/2018-06-01/runtime/invocation/{id}/response", runtime.response},
		{"POST", "/2018-06-01/runtime/invocation/{id}/error", runtime.invocationError},
		{"POST", "/2018-06-01/runtime/init/error", runtime.initError},
		{"POST", "/2020-01-01/extension/register", extensions.register},
		{"GET", "/2020-01-01/extension/event/next", extensions.next},
		{"POST", "/2020-01-01/extension/init/error", extensions.initError},
		{"POST", "/2020-01-01/extension/exit/error", extensions.exitError},
		{"PUT", "/2020-08-15/logs", logsNotSupported},
		{"PUT", "/2022-07-01/telemetry", extensions.subscribe},
	}
	if a.cfg.SnapStart != nil {
		routes = append(routes, runtime.snapStart()...)
	}
	for _, route := range routes {
		mux.HandleFunc(route.path, func(w http.ResponseWriter, r *http.Request) {
			if r.Method != route.method {
				w.Header().Set("Allow", route.method)
				w.WriteHeader(http.StatusMethodNotAllowed)
				return
			}
			route.serve(w, r)
		})
	}
	return mux
}

// logsNotSupported is the answer of rapid where it has no service behind an API, so
// that extensions go on without it. The Telemetry API has superseded this one.
func logsNotSupported(w http.ResponseWriter, _ *http.Request) {
	answerError(w, http.StatusAccepted, "Logs.NotSupported", "Logs API is not supported")
}

// Address is what the processes find in AWS_LAMBDA_RUNTIME_API.
func (a *Server) Address() string { return a.address }

// Close ends the server and waits for its goroutine.
func (a *Server) Close() {
	a.Use(nil)
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if a.server.Shutdown(ctx) != nil {
		_ = a.server.Close()
	}
	<-a.done
}

// Use makes s the session of whoever calls; nil is none.
func (a *Server) Use(s *Session) {
	a.mu.Lock()
	a.session = s
	a.mu.Unlock()
}

// get returns the session that asks, or answers that there is none: the caller
// is a process that outlived its environment.
func (a *Server) get(w http.ResponseWriter) *Session {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.session == nil {
		answerError(w, http.StatusGone, "Sandbox.Ended", "the environment of this process was reset")
	}
	return a.session
}

func answer(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body)
}

func accepted(w http.ResponseWriter) {
	answer(w, http.StatusAccepted, map[string]string{"status": "OK"})
}

func answerError(w http.ResponseWriter, status int, kind, format string, args ...any) {
	answer(w, status, struct {
		Message string `json:"errorMessage"`
		Type    string `json:"errorType"`
	}{fmt.Sprintf(format, args...), kind})
}

func wrongPhase(w http.ResponseWriter, from, to string) {
	answerError(w, http.StatusForbidden, "InvalidStateTransition",
		"State transition from %s to %s failed for runtime. Error: State transition is not allowed", from, to)
}

// ErrTooLarge is the error of what is over its limit.
var ErrTooLarge = errors.New("too large")

// ReadLimited reads all of r, up to limit bytes, or returns ErrTooLarge.
func ReadLimited(r io.Reader, limit int64) ([]byte, error) {
	b, err := io.ReadAll(io.LimitReader(r, limit+1))
	if err == nil && int64(len(b)) > limit {
		return nil, ErrTooLarge
	}
	return b, err
}
