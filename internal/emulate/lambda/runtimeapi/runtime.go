package runtimeapi

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// runtimeAPI is the API of version 2018-06-01 that a custom runtime calls.
// https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
type runtimeAPI struct{ *Server }

const (
	headerErrorType = "Lambda-Runtime-Function-Error-Type"
	headerErrorBody = "Lambda-Runtime-Function-Error-Body"
	headerMode      = "Lambda-Runtime-Function-Response-Mode"
	modeStreaming   = "streaming"
)

// next ends the init phase or the invocation at hand and waits, for as long as
// it takes, for another one. A runtime that asks twice for the same invocation
// gets it twice.
func (a runtimeAPI) next(w http.ResponseWriter, r *http.Request) {
	s := a.get(w)
	if s == nil || a.strange(w, r, s) {
		return
	}
	s.mu.Lock()
	switch s.phase {
	case phaseStarted, phaseReady, phaseSent, phaseRestoring:
		s.phase, s.waiting = phaseReady, true
		s.settle()
	case phaseRunning:
		if v := s.current; !s.waiting {
			s.mu.Unlock()
			giveOut(w, v)
			return
		}
	default:
		defer s.mu.Unlock()
		wrongPhase(w, s.phase, phaseReady)
		return
	}
	s.mu.Unlock()
	select {
	case v := <-s.work:
		s.mu.Lock()
		s.waiting = false
		s.mu.Unlock()
		giveOut(w, v)
	case <-s.ended:
		answerError(w, http.StatusGone, "Sandbox.Ended", "the environment ends")
	case <-r.Context().Done():
	}
}

// strange refuses a program that is not the one to ask for invocations: on AWS it
// would take every other one away.
func (a runtimeAPI) strange(w http.ResponseWriter, r *http.Request, s *Session) bool {
	client := r.UserAgent()
	if strings.HasPrefix(client, a.cfg.Client) {
		return false
	}
	f := Fail(TwoRuntimes, "", "a second program uses the Runtime API (User-Agent %q)", client)
	answerError(w, http.StatusForbidden, f.Kind, "%s", f.Message())
	a.cfg.Stranger(client)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.reportInitError(f)
	return true
}

func giveOut(w http.ResponseWriter, v *Invocation) {
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Lambda-Runtime-Aws-Request-Id", v.ID)
	h.Set("Lambda-Runtime-Deadline-Ms", strconv.FormatInt(v.Deadline.UnixMilli(), 10))
	h.Set("Lambda-Runtime-Invoked-Function-Arn", v.ARN)
	if v.Trace != "" {
		h.Set("Lambda-Runtime-Trace-Id", v.Trace)
	}
	if v.ClientContext != "" {
		h.Set("Lambda-Runtime-Client-Context", v.ClientContext)
	}
	h.Set("Content-Length", strconv.Itoa(len(v.Event)))
	_, _ = w.Write(v.Event)
}

// enter checks the request id and takes the runtime from Running to phase.
func (a runtimeAPI) enter(w http.ResponseWriter, r *http.Request, phase string) (*Session, *Invocation) {
	s := a.get(w)
	if s == nil {
		return nil, nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	v := s.current
	if v == nil || v.ID != r.PathValue("id") {
		answerError(w, http.StatusBadRequest, "InvalidRequestID", "Invalid request ID")
		return nil, nil
	}
	if s.phase != phaseRunning {
		wrongPhase(w, s.phase, phase)
		return nil, nil
	}
	s.phase = phaseResponse
	return s, v
}

// answered ends the runtime's answer, with an error of its own if f is not nil.
func (s *Session) answered(v *Invocation, f *Failure) {
	v.respond(f, false)
	s.sent()
}

func (s *Session) sent() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.phase = phaseSent
}

// response passes the answer on as it comes where the invoker asked for a stream,
// whatever the runtime says of it: its header only lets trailers count in an answer
// that is not streamed, as in Amazon's SendDirectInvokeResponse (package directinvoke
// of github.com/aws/aws-lambda-runtime-interface-emulator).
func (a runtimeAPI) response(w http.ResponseWriter, r *http.Request) {
	s, v := a.enter(w, r, phaseResponse)
	if v == nil {
		return
	}
	mode := r.Header.Get(headerMode)
	v.sentFrom = time.Now()
	switch {
	case mode != "" && mode != modeStreaming: // this runtime may not answer or ask any more
		v.respond(&Failure{Kind: InvalidMode}, false)
		answerError(w, http.StatusBadRequest, "InvalidFunctionResponseMode", "Invalid function response mode")
	case v.Streaming:
		a.stream(w, r, s, v)
	default:
		a.buffered(w, r, s, v, mode == modeStreaming)
	}
}

func (a runtimeAPI) buffered(w http.ResponseWriter, r *http.Request, s *Session, v *Invocation, trailers bool) {
	limit := a.cfg.Limits.Buffered
	body, err := ReadLimited(r.Body, limit)
	v.sent, v.sentUntil = int64(len(body)), time.Now()
	switch {
	case errors.Is(err, ErrTooLarge):
		a.tooLarge(w, s, v, limit)
	case err != nil:
		truncated(w, s, v)
	default:
		_, _ = v.write.Write(body)
		var f *Failure
		if trailers {
			f = trailerFailure(r.Trailer)
		}
		s.answered(v, f)
		accepted(w)
	}
}

// truncated answers a request that broke off. The runtime may go on; mostly it ends.
func truncated(w http.ResponseWriter, s *Session, v *Invocation) {
	v.respond(nil, true)
	s.sent()
	answerError(w, http.StatusBadRequest, "TruncatedHTTPRequest", "HTTP request detected as truncated")
}

func (a runtimeAPI) tooLarge(w http.ResponseWriter, s *Session, v *Invocation, limit int64) {
	a.cfg.Limit("the response is larger than " + strconv.FormatInt(limit, 10) + " bytes")
	s.answered(v, TooLarge(limit))
	// The runtime is told the limit of an answer that is not streamed in either case.
	answerError(w, http.StatusRequestEntityTooLarge, "RequestEntityTooLarge", "Exceeded maximum allowed payload size (%d bytes).", a.cfg.Limits.Buffered)
}

// stream passes each read on at once. What the invoker no longer wants is read
// and dropped: the function is not told that its client went away.
func (a runtimeAPI) stream(w http.ResponseWriter, r *http.Request, s *Session, v *Invocation) {
	limits := a.cfg.Limits
	throttle := newBucket(limits.Burst, limits.Rate)
	buf := make([]byte, 64<<10)
	slowed := false
	for total := int64(0); ; {
		n, err := r.Body.Read(buf)
		v.sent, v.sentUntil = v.sent+int64(n), time.Now()
		if total += int64(n); total > limits.Streamed {
			a.tooLarge(w, s, v, limits.Streamed)
			return
		}
		if total > limits.Burst && !slowed {
			slowed = true
			a.cfg.Limit("the response passed its first " + strconv.FormatInt(limits.Burst, 10) + " bytes; the rest is slowed down")
		}
		if n > 0 && throttle.take(v.ctx, n) {
			_, _ = v.write.Write(buf[:n])
		}
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			truncated(w, s, v)
			return
		}
	}
	s.answered(v, trailerFailure(r.Trailer))
	accepted(w)
}

// trailerFailure reads an error that came in the middle of a streamed response.
func trailerFailure(trailer http.Header) *Failure {
	kind, encoded := trailer.Get(headerErrorType), trailer.Get(headerErrorBody)
	if kind == "" && encoded == "" {
		return nil
	}
	body, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil {
		body = []byte(encoded)
	}
	if kind == "" {
		kind = errorType(kind)
	}
	return &Failure{kind, body} // of any type: those of aws-lambda-go are names of Go's types
}

var errorTypePattern = regexp.MustCompile(`(Runtime|Function)\.[A-Z][a-zA-Z]+`)

// errorType keeps to the form category.Reason that Lambda asks for in a header.
func errorType(kind string) string {
	switch {
	case errorTypePattern.MatchString(kind):
		return kind
	case len(kind) > 9 && kind[:9] == "Function.":
		return "Function.Unknown"
	}
	return "Runtime.Unknown"
}

func (a runtimeAPI) invocationError(w http.ResponseWriter, r *http.Request) {
	s, v := a.enter(w, r, "InvocationErrorResponse")
	if v == nil {
		return
	}
	limit := a.cfg.Limits.Buffered
	body, err := ReadLimited(r.Body, limit)
	if errors.Is(err, ErrTooLarge) {
		a.tooLarge(w, s, v, limit)
		return
	}
	if r.Header.Get("Content-Type") == errorWithCause {
		body = withoutCause(body)
	}
	s.answered(v, &Failure{errorType(r.Header.Get(headerErrorType)), body})
	accepted(w)
}

// errorWithCause is an error document with a part for X-Ray, which the invoker does
// not get.
const errorWithCause = "application/vnd.aws.lambda.error.cause+json"

func withoutCause(body []byte) []byte {
	var doc struct {
		Message string   `json:"errorMessage"`
		Type    string   `json:"errorType"`
		Stack   []string `json:"stackTrace,omitempty"`
	}
	if json.Unmarshal(body, &doc) != nil {
		return []byte(`"Invalid error body"`)
	}
	body, _ = json.Marshal(doc)
	return body
}

func (a runtimeAPI) initError(w http.ResponseWriter, r *http.Request) {
	a.phaseError(w, r, phaseStarted, phaseInitError)
}

// phaseError takes the failure of what a runtime does before it first asks for an invocation, in the one phase in
// which there can be such a failure.
func (a runtimeAPI) phaseError(w http.ResponseWriter, r *http.Request, in, failed string) {
	s := a.get(w)
	if s == nil || a.strange(w, r, s) {
		return
	}
	body, _ := ReadLimited(r.Body, a.cfg.Limits.Buffered)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.phase != in {
		wrongPhase(w, s.phase, failed)
		return
	}
	s.phase = failed
	s.reportInitError(&Failure{errorType(r.Header.Get(headerErrorType)), body})
	accepted(w)
}
