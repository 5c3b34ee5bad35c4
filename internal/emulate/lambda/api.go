package lambda

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
)

// api is the HTTP server of one environment, at the address in
// AWS_LAMBDA_RUNTIME_API: the Runtime API and the Extensions API.
type api struct {
	address string
	server  *http.Server
	done    chan struct{}

	mu      sync.Mutex
	session *session
}

func newAPI(e *environment) (*api, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	a := &api{address: listener.Addr().String(), done: make(chan struct{})}
	mux := http.NewServeMux()
	runtime := &runtimeAPI{env: e, api: a}
	mux.HandleFunc("GET /2018-06-01/runtime/invocation/next", runtime.next)
	mux.HandleFunc("POST /2018-06-01/runtime/invocation/{id}/response", runtime.response)
	mux.HandleFunc("POST /2018-06-01/runtime/invocation/{id}/error", runtime.invocationError)
	mux.HandleFunc("POST /2018-06-01/runtime/init/error", runtime.initError)
	mux.HandleFunc("GET /2018-06-01/runtime/restore/next", runtime.restore)
	mux.HandleFunc("POST /2018-06-01/runtime/restore/error", runtime.restore)
	mux.HandleFunc("GET /2018-06-01/ping", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "pong") })
	extensions := &extensionsAPI{env: e, api: a}
	mux.HandleFunc("POST /2020-01-01/extension/register", extensions.register)
	mux.HandleFunc("GET /2020-01-01/extension/event/next", extensions.next)
	mux.HandleFunc("POST /2020-01-01/extension/init/error", extensions.initError)
	mux.HandleFunc("POST /2020-01-01/extension/exit/error", extensions.exitError)
	a.server = &http.Server{Handler: mux, ReadHeaderTimeout: time.Minute}
	go func() {
		defer close(a.done)
		_ = a.server.Serve(listener)
	}()
	return a, nil
}

func (a *api) close() {
	a.use(nil)
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if a.server.Shutdown(ctx) != nil {
		_ = a.server.Close()
	}
	<-a.done
}

func (a *api) use(s *session) {
	a.mu.Lock()
	a.session = s
	a.mu.Unlock()
}

// get returns the session that asks, or answers that there is none: the caller
// is a process that outlived its environment.
func (a *api) get(w http.ResponseWriter) *session {
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

var errTooLarge = errors.New("too large")

// readLimited reads all of r, or errTooLarge.
func readLimited(r io.Reader, limit int64) ([]byte, error) {
	b, err := io.ReadAll(io.LimitReader(r, limit+1))
	if err == nil && int64(len(b)) > limit {
		return nil, errTooLarge
	}
	return b, err
}
