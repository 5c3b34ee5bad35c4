// Package runtimetest is a stub of Lambda's Runtime API for tests of the bootstrap: it hands out events and lets a test
// read the answers as they arrive. It is written from AWS's pages alone, apart from the emulator, so that a mistake in one does not hide in
// the other.
//
// It models next, response (whole and streamed, with trailers), the errors, SnapStart's restore, and the registration of an extension. It
// enforces the order of calls. It has no freeze, no snapshot, no limits of size or time, and starts no process.
//
// See https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
package runtimetest

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Server is the stub. Make it with Start; it is safe for concurrent use.
type Server struct {
	server *http.Server
	addr   string
	queue  chan *Invocation

	mu         sync.Mutex
	open       map[string]*Invocation
	serial     int
	initErrors []Failure
	extensions []string

	eventsAsked int
	nexts       int

	restoreAsked  chan struct{} // closed when the runtime first waits for a restore
	restored      chan struct{} // closed by Restore
	restoreErrors []Failure

	waiting  chan struct{} // closed and replaced at each next
	problems []string
	conns    map[net.Conn]bool
}

// Failure is an error as a runtime reports it.
type Failure struct {
	Message string   `json:"errorMessage"`
	Type    string   `json:"errorType"`
	Trace   []string `json:"stackTrace"`
}

// Invocation is one event and its answer.
type Invocation struct {
	ID      string
	payload []byte
	header  http.Header

	answered chan struct{} // closed when the answer begins or an error came
	released chan struct{} // closed when the next `next` arrives
	isLast   bool

	// Valid once answered:
	Header  http.Header
	Body    *io.PipeReader
	Failure *Failure
	// Trailer is valid once Body is read to its end.
	Trailer http.Header
}

// Start serves on a free loopback port.
func Start() (*Server, error) { return StartAt("127.0.0.1:0") }

// StartAt serves at an address, such as that of a stub that was closed: the one that a process knows that was restored.
func StartAt(address string) (*Server, error) {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return nil, err
	}
	s := &Server{addr: listener.Addr().String(), queue: make(chan *Invocation, 1024), open: map[string]*Invocation{}, waiting: make(chan struct{}),
		restoreAsked: make(chan struct{}), restored: make(chan struct{}), conns: map[net.Conn]bool{}}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /2018-06-01/runtime/invocation/next", s.next)
	mux.HandleFunc("POST /2018-06-01/runtime/invocation/{id}/response", s.response)
	mux.HandleFunc("POST /2018-06-01/runtime/invocation/{id}/error", s.fail)
	mux.HandleFunc("POST /2018-06-01/runtime/init/error", s.failInit)
	mux.HandleFunc("GET /2018-06-01/runtime/restore/next", s.nextRestore)
	mux.HandleFunc("POST /2018-06-01/runtime/restore/error", s.failRestore)
	mux.HandleFunc("POST /2020-01-01/extension/register", s.register)
	mux.HandleFunc("GET /2020-01-01/extension/event/next", s.nextEvent)
	s.server = &http.Server{Handler: mux, ConnState: s.note}
	go func() { _ = s.server.Serve(listener) }()
	return s, nil
}

func (s *Server) note(conn net.Conn, state http.ConnState) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch state {
	case http.StateNew:
		s.conns[conn] = true
	case http.StateClosed, http.StateHijacked:
		delete(s.conns, conn)
	}
}

// Addr is the value for AWS_LAMBDA_RUNTIME_API.
func (s *Server) Addr() string { return s.addr }

// Close breaks every connection off.
func (s *Server) Close() { s.server.Close() }

// Invoke queues an event with this time to its deadline.
func (s *Server) Invoke(payload []byte, timeout time.Duration) *Invocation {
	s.mu.Lock()
	s.serial++
	inv := &Invocation{ID: fmt.Sprintf("00000000-0000-4000-8000-%012d", s.serial), payload: payload,
		answered: make(chan struct{}), released: make(chan struct{})}
	s.open[inv.ID] = inv
	s.mu.Unlock()
	inv.header = http.Header{
		"Lambda-Runtime-Aws-Request-Id":       {inv.ID},
		"Lambda-Runtime-Deadline-Ms":          {strconv.FormatInt(time.Now().Add(timeout).UnixMilli(), 10)},
		"Lambda-Runtime-Invoked-Function-Arn": {"arn:aws:lambda:eu-west-1:123456789012:function:stub"},
		"Lambda-Runtime-Trace-Id":             {"Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Parent=9a9197af755a6419;Sampled=1"},
		"Content-Type":                        {"application/json"},
	}
	s.queue <- inv
	return inv
}

// Answered waits for the begin of the answer.
func (inv *Invocation) Answered(ctx context.Context) error {
	select {
	case <-inv.answered:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("invocation %s has no answer: %w", inv.ID, ctx.Err())
	}
}

// Released is closed when the runtime asks for another invocation after this one.
func (inv *Invocation) Released() <-chan struct{} { return inv.released }

// Nexts counts the calls of next so far; the channel is closed at the following one.
func (s *Server) Nexts() (int, <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.nexts, s.waiting
}

// InitErrors are the reported errors of the init phase.
func (s *Server) InitErrors() []Failure {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Failure(nil), s.initErrors...)
}

// Extensions are the names registered.
func (s *Server) Extensions() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.extensions...)
}

// Problems are calls that broke the protocol.
func (s *Server) Problems() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.problems...)
}

func (s *Server) next(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	s.nexts++
	close(s.waiting)
	s.waiting = make(chan struct{})
	for id, inv := range s.open {
		if inv.isLast { // answered: this next ends it
			close(inv.released)
			delete(s.open, id)
		}
	}
	s.mu.Unlock()
	select {
	case inv := <-s.queue:
		for name, values := range inv.header {
			w.Header()[name] = values
		}
		w.Header().Set("Content-Length", strconv.Itoa(len(inv.payload)))
		_, _ = w.Write(inv.payload)
	case <-r.Context().Done():
	}
}

// begin finds the invocation and notes that its answer has begun.
func (s *Server) begin(w http.ResponseWriter, r *http.Request) *Invocation {
	s.mu.Lock()
	defer s.mu.Unlock()
	inv := s.open[r.PathValue("id")]
	if inv == nil || inv.Header != nil {
		s.problems = append(s.problems, "answer to an invocation that is not open: "+r.URL.Path)
		http.Error(w, `{"errorType":"InvalidRequestID"}`, http.StatusBadRequest)
		return nil
	}
	inv.Header = r.Header
	return inv
}

func (s *Server) end(inv *Invocation) {
	s.mu.Lock()
	defer s.mu.Unlock()
	inv.isLast = true
}

func (s *Server) response(w http.ResponseWriter, r *http.Request) {
	inv := s.begin(w, r)
	if inv == nil {
		return
	}
	reader, writer := io.Pipe()
	inv.Body = reader
	close(inv.answered)
	_, err := io.Copy(writer, r.Body)
	inv.Trailer = r.Trailer
	s.end(inv)
	writer.CloseWithError(err)
	w.WriteHeader(http.StatusAccepted)
	_, _ = io.WriteString(w, `{"status":"OK"}`)
}

func (s *Server) fail(w http.ResponseWriter, r *http.Request) {
	inv := s.begin(w, r)
	if inv == nil {
		return
	}
	inv.Failure = new(Failure)
	if err := json.NewDecoder(r.Body).Decode(inv.Failure); err != nil {
		s.problem("error without JSON: " + err.Error())
	}
	s.end(inv)
	close(inv.answered)
	w.WriteHeader(http.StatusAccepted)
}

func (s *Server) failInit(w http.ResponseWriter, r *http.Request) {
	var f Failure
	if err := json.NewDecoder(r.Body).Decode(&f); err != nil {
		s.problem("init error without JSON: " + err.Error())
	}
	if !strings.Contains(r.Header.Get("Lambda-Runtime-Function-Error-Type"), ".") {
		s.problem("init error without the type header")
	}
	s.mu.Lock()
	if s.nexts > 0 || isClosed(s.restored) {
		s.problems = append(s.problems, "init error after the init phase")
	}
	s.initErrors = append(s.initErrors, f)
	s.mu.Unlock()
	w.WriteHeader(http.StatusAccepted)
}

// EventsAsked is how often an extension has asked for an event. None ever comes.
func (s *Server) EventsAsked() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.eventsAsked
}

func (s *Server) nextEvent(_ http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	s.eventsAsked++
	s.mu.Unlock()
	<-r.Context().Done()
}

func (s *Server) register(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.nexts > 0 {
		s.problems = append(s.problems, "extension registered after next")
	}
	s.extensions = append(s.extensions, r.Header.Get("Lambda-Extension-Name"))
	w.Header().Set("Lambda-Extension-Identifier", "00000000-0000-4000-8000-00000000e000")
	_, _ = io.WriteString(w, `{"functionName":"stub","functionVersion":"$LATEST","handler":""}`)
}

func (s *Server) problem(text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.problems = append(s.problems, text)
}

// RestoreAsked is closed when the runtime says, by restore/next, that a snapshot can be taken.
func (s *Server) RestoreAsked() <-chan struct{} { return s.restoreAsked }

// Restore answers restore/next, from now on, as in an environment that was restored.
func (s *Server) Restore() { close(s.restored) }

// CutRestore breaks all connections off, as a restore does where none survives it.
func (s *Server) CutRestore() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for conn := range s.conns {
		conn.Close()
	}
}

// RestoreErrors are the reported errors of what follows a restore.
func (s *Server) RestoreErrors() []Failure {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Failure(nil), s.restoreErrors...)
}

func (s *Server) nextRestore(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	if s.nexts > 0 {
		s.problems = append(s.problems, "restore/next after invocation/next")
	}
	if !isClosed(s.restoreAsked) {
		close(s.restoreAsked)
	}
	s.mu.Unlock()
	select {
	case <-s.restored:
	case <-r.Context().Done():
	}
}

func (s *Server) failRestore(w http.ResponseWriter, r *http.Request) {
	var f Failure
	if err := json.NewDecoder(r.Body).Decode(&f); err != nil {
		s.problem("restore error without JSON: " + err.Error())
	}
	if kind := r.Header.Get("Lambda-Runtime-Function-Error-Type"); kind != f.Type {
		s.problem("restore error of type " + f.Type + " with the type header " + kind)
	}
	s.mu.Lock()
	if s.nexts > 0 || !isClosed(s.restored) {
		s.problems = append(s.problems, "restore error outside of a restore")
	}
	s.restoreErrors = append(s.restoreErrors, f)
	s.mu.Unlock()
	w.WriteHeader(http.StatusAccepted)
}

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}
