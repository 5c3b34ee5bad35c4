package runtimeapi

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"
)

// extensionsAPI is the part of the Extensions API that the life of an
// environment depends on: registration, events, errors.
// https://docs.aws.amazon.com/lambda/latest/dg/runtimes-extensions-api.html
type extensionsAPI struct{ *Server }

// MaxExtensions is how many may register in one environment.
const MaxExtensions = 10

const (
	headerExtensionName  = "Lambda-Extension-Name"
	headerExtensionID    = "Lambda-Extension-Identifier"
	headerExtensionError = "Lambda-Extension-Function-Error-Type"
	headerAcceptFeature  = "Lambda-Extension-Accept-Feature"
	headerEventID        = "Lambda-Extension-Event-Identifier"
)

// States of an extension, named as the service's own error messages name them.
const (
	stateRegistered = "Registered"
	stateReady      = "Ready" // it asks for the next event
	stateRunning    = "Running"
	stateInitError  = "InitError"
	stateExitError  = "ExitError"
)

// extension is one registration. External ones are programs of the function's
// configuration; a process that registers under any other name is the runtime's
// own, internal one.
type extension struct {
	name, id         string
	external         bool
	invoke, shutdown bool // events asked for
	state            string
	events           chan any
}

// send never blocks: an extension is told of at most one invocation and one
// shutdown that it has not asked for yet. Called with the session's mu held.
func (x *extension) send(event any) {
	select {
	case x.events <- event:
		x.state = stateRunning
	default:
	}
}

type tracing struct {
	Type  string `json:"type"`
	Value string `json:"value"`
}

type invokeEvent struct {
	Type     string  `json:"eventType"`
	Deadline int64   `json:"deadlineMs"`
	Request  string  `json:"requestId"`
	ARN      string  `json:"invokedFunctionArn"`
	Tracing  tracing `json:"tracing"`
}

func newInvokeEvent(v *Invocation) invokeEvent {
	return invokeEvent{"INVOKE", v.Deadline.UnixMilli(), v.ID, v.ARN, tracing{"X-Amzn-Trace-Id", v.Trace}}
}

type shutdownEvent struct {
	Type     string `json:"eventType"`
	Deadline int64  `json:"deadlineMs"`
	Reason   string `json:"shutdownReason"`
}

func newShutdownEvent(reason string, deadline time.Time) shutdownEvent {
	return shutdownEvent{"SHUTDOWN", deadline.UnixMilli(), reason}
}

// registration is what register answers.
type registration struct {
	Account  string `json:"accountId,omitempty"`
	Function string `json:"functionName"`
	Version  string `json:"functionVersion"`
	Handler  string `json:"handler"`
}

func (a extensionsAPI) register(w http.ResponseWriter, r *http.Request) {
	s := a.get(w)
	if s == nil {
		return
	}
	name := r.Header.Get(headerExtensionName)
	if name == "" {
		answerError(w, http.StatusForbidden, "Extension.InvalidExtensionName", "Empty extension name")
		return
	}
	events, err := readRegistration(http.MaxBytesReader(w, r.Body, 64<<10))
	if err != nil {
		answerError(w, http.StatusForbidden, "InvalidRequestFormat", "%s", err)
		return
	}
	x := &extension{
		name: name, id: NewID(), external: slices.Contains(a.cfg.Extensions, name),
		state: stateRegistered, events: make(chan any, 2),
	}
	for _, event := range events {
		if err := x.subscribe(event); err != nil {
			answerError(w, http.StatusForbidden, "Extension.InvalidEventType", "%s: %s", event, err)
			return
		}
	}
	if kind, message := s.register(x); kind != "" {
		answerError(w, http.StatusForbidden, kind, "%s", message)
		return
	}
	doc := registration{Function: a.cfg.Function, Version: a.cfg.Version, Handler: a.cfg.Handler}
	for feature := range strings.SplitSeq(r.Header.Get(headerAcceptFeature), ",") {
		if strings.TrimSpace(feature) == "accountId" {
			doc.Account = a.cfg.Account
		}
	}
	w.Header().Set(headerExtensionID, x.id)
	answer(w, http.StatusOK, doc)
}

func readRegistration(body io.Reader) (events []string, err error) {
	var doc struct {
		Events            []string `json:"events"`
		ConfigurationKeys []string `json:"configurationKeys"`
	}
	b, err := ReadLimited(body, 64<<10)
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(b, &doc); err != nil {
		return nil, err
	}
	if len(doc.ConfigurationKeys) > 0 {
		return nil, errors.New("configurationKeys are deprecated; use environment variables instead")
	}
	return doc.Events, nil
}

// The texts are the service's own.
var (
	errEvent         = errors.New("ErrorInvalidEventType")
	errInternalEvent = errors.New("ShutdownEventNotSupportedForInternalExtension")
)

func (x *extension) subscribe(event string) error {
	switch {
	case event == "INVOKE":
		x.invoke = true
	case event == "SHUTDOWN" && x.external:
		x.shutdown = true
	case event == "SHUTDOWN":
		return errInternalEvent
	default:
		return errEvent
	}
	return nil
}

const errExtensionState = "Extension.InvalidExtensionState"

func (s *Session) register(x *extension) (kind, message string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, other := range s.extensions {
		switch {
		case other.name != x.name:
		case x.external:
			return errExtensionState, noTransition(other.state, stateRegistered, x.name)
		case !s.closed:
			return errExtensionState, "Extension with this name already registered"
		}
	}
	if s.closed {
		return "Extension.RegistrationClosed", "Extension registration closed already"
	}
	if len(s.extensions) >= MaxExtensions {
		return "Extension.TooManyExtensions", "Extension limit (10) reached"
	}
	s.extensions[x.id] = x
	if x.external {
		s.registered <- x.name
	}
	return "", ""
}

func noTransition(from, to, extension string) string {
	return "State transition from " + from + " to " + to + " failed for extension " + extension + ". Error: State transition is not allowed"
}

var uuid = regexp.MustCompile(`^(?i:[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12})$`)

// identify answers an error itself when the caller does not say which extension it is.
func (a extensionsAPI) identify(w http.ResponseWriter, r *http.Request) (s *Session, id string) {
	if s = a.get(w); s == nil {
		return nil, ""
	}
	switch id = r.Header.Get(headerExtensionID); {
	case id == "":
		answerError(w, http.StatusForbidden, "Extension.MissingExtensionIdentifier", "Missing %s header", headerExtensionID)
		return nil, ""
	case !uuid.MatchString(id):
		answerError(w, http.StatusForbidden, "Extension.InvalidExtensionIdentifier", "Invalid %s", headerExtensionID)
		return nil, ""
	}
	return s, strings.ToLower(id)
}

// extension answers an error itself, with the text of unknown, when nobody has the identifier.
func (s *Session) extension(w http.ResponseWriter, id, unknown string) *extension {
	s.mu.Lock()
	defer s.mu.Unlock()
	x := s.extensions[id]
	if x == nil {
		answerError(w, http.StatusForbidden, "Extension.UnknownExtensionIdentifier", "%s", unknown)
	}
	return x
}

func (a extensionsAPI) next(w http.ResponseWriter, r *http.Request) {
	s, id := a.identify(w, r)
	if s == nil {
		return
	}
	x := s.extension(w, id, "Unknown extension "+id)
	if x == nil {
		return
	}
	if from, ok := s.ready(x); !ok {
		answerError(w, http.StatusForbidden, errExtensionState, "%s", noTransition(from, stateReady, x.id))
		return
	}
	select {
	case event := <-x.events:
		giveEvent(w, event)
	case <-s.ended:
		answerError(w, http.StatusGone, "Sandbox.Ended", "the environment ends")
	case <-r.Context().Done():
	}
}

// ready notes that the extension asks for more to do. One that asks twice is refused,
// also where its first request broke off.
func (s *Session) ready(x *extension) (from string, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if x.state != stateRegistered && x.state != stateRunning {
		return x.state, false
	}
	if len(x.events) > 0 { // which came before it was asked for: the extension is at work
		x.state = stateRunning
		return "", true
	}
	x.state = stateReady
	s.settle()
	return "", true
}

// giveEvent gives only INVOKE a type and an identifier, as rapid does.
func giveEvent(w http.ResponseWriter, event any) {
	if _, ok := event.(invokeEvent); ok {
		w.Header().Set(headerEventID, NewID())
		w.Header().Set("Content-Type", "application/json")
	}
	b, _ := json.Marshal(event)
	_, _ = w.Write(b)
}

func (a extensionsAPI) initError(w http.ResponseWriter, r *http.Request) {
	a.report(w, r, "Extension.InitError", stateInitError, stateInitError, stateRegistered)
}

func (a extensionsAPI) exitError(w http.ResponseWriter, r *http.Request) {
	a.report(w, r, "Extension.ExitError", stateExitError, "Exited", stateRegistered, stateReady, stateRunning)
}

// report is fatal for the environment: an init phase fails, an invocation fails. It is
// allowed in the states of from, and a second time. The name of the state in the error
// is not always the state.
func (a extensionsAPI) report(w http.ResponseWriter, r *http.Request, kind, state, name string, from ...string) {
	s, id := a.identify(w, r)
	if s == nil {
		return
	}
	if r.Header.Get(headerExtensionError) == "" {
		answerError(w, http.StatusForbidden, "Extension.MissingHeader", "%s not found", headerExtensionError)
		return
	}
	x := s.extension(w, id, "Unknown "+headerExtensionID)
	if x == nil {
		return
	}
	body, _ := ReadLimited(r.Body, a.cfg.Limits.Buffered)
	s.mu.Lock()
	defer s.mu.Unlock()
	if x.state != state && !slices.Contains(from, x.state) {
		answerError(w, http.StatusForbidden, errExtensionState, "%s", noTransition(x.state, name, x.id))
		return
	}
	x.state = state
	s.reportInitError(&Failure{kind, body})
	accepted(w)
}
