package runtimeapi

import (
	"encoding/json"
	"net/http"
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
	headerExtensionName = "Lambda-Extension-Name"
	headerExtensionID   = "Lambda-Extension-Identifier"
)

// extension is one registration. External ones are programs of the function's
// configuration; a process that registers under any other name is the runtime's
// own, internal one.
type extension struct {
	name, id         string
	external         bool
	invoke, shutdown bool // events asked for
	waiting          bool // it asks for the next event
	events           chan map[string]any
}

// send never blocks: an extension is told of at most one invocation and one
// shutdown that it has not asked for yet.
func (x *extension) send(event map[string]any) {
	select {
	case x.events <- event:
	default:
	}
}

func invokeEvent(v *Invocation) map[string]any {
	return map[string]any{
		"eventType": "INVOKE", "deadlineMs": v.Deadline.UnixMilli(), "requestId": v.ID, "invokedFunctionArn": v.ARN,
		"tracing": map[string]string{"type": "X-Amzn-Trace-Id", "value": v.Trace},
	}
}

func shutdownEvent(reason string, deadline time.Time) map[string]any {
	return map[string]any{"eventType": "SHUTDOWN", "shutdownReason": reason, "deadlineMs": deadline.UnixMilli()}
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
	var body struct {
		Events []string `json:"events"`
	}
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 64<<10)).Decode(&body); err != nil {
		answerError(w, http.StatusForbidden, "InvalidRequestFormat", "%s", err)
		return
	}
	x := &extension{name: name, id: NewID(), external: slices.Contains(a.cfg.Extensions, name), events: make(chan map[string]any, 2)}
	if bad := x.subscribe(body.Events); bad != "" {
		answerError(w, http.StatusForbidden, "Extension.InvalidEventType", "%s: this kind of extension cannot register for it", bad)
		return
	}
	if kind, message := s.register(x); kind != "" {
		answerError(w, http.StatusForbidden, kind, "%s", message)
		return
	}
	w.Header().Set(headerExtensionID, x.id)
	answer(w, http.StatusOK, map[string]string{
		"functionName": a.cfg.Function, "functionVersion": a.cfg.Version, "handler": a.cfg.Handler,
	})
}

// subscribe returns the first event that the extension may not have.
func (x *extension) subscribe(events []string) (bad string) {
	for _, event := range events {
		switch {
		case event == "INVOKE":
			x.invoke = true
		case event == "SHUTDOWN" && x.external:
			x.shutdown = true
		default:
			return event
		}
	}
	return ""
}

func (s *Session) register(x *extension) (kind, message string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return "Extension.RegistrationClosed", "Extension registration closed already"
	}
	if len(s.extensions) >= MaxExtensions {
		return "Extension.TooManyExtensions", "Extension limit (10) reached"
	}
	for _, other := range s.extensions {
		if other.name == x.name {
			return "Extension.InvalidExtensionState", "Extension with this name already registered"
		}
	}
	s.extensions[x.id] = x
	if x.external {
		s.registered <- x.name
	}
	return "", ""
}

// find answers an error itself when the caller is no extension.
func (a extensionsAPI) find(w http.ResponseWriter, r *http.Request) (*Session, *extension) {
	s := a.get(w)
	if s == nil {
		return nil, nil
	}
	id := r.Header.Get(headerExtensionID)
	s.mu.Lock()
	defer s.mu.Unlock()
	x := s.extensions[id]
	if x == nil {
		kind := "Extension.UnknownExtensionIdentifier"
		if strings.TrimSpace(id) == "" {
			kind = "Extension.MissingExtensionIdentifier"
		}
		answerError(w, http.StatusForbidden, kind, "Unknown extension %s", id)
		return nil, nil
	}
	return s, x
}

func (a extensionsAPI) next(w http.ResponseWriter, r *http.Request) {
	s, x := a.find(w, r)
	if x == nil {
		return
	}
	s.mu.Lock()
	if len(x.events) == 0 { // an event that came before it was asked for keeps the extension at work
		x.waiting = true
	}
	s.settle()
	s.mu.Unlock()
	select {
	case event := <-x.events:
		w.Header().Set(headerExtensionID, x.id)
		answer(w, http.StatusOK, event)
	case <-s.ended:
		answerError(w, http.StatusGone, "Sandbox.Ended", "the environment ends")
	case <-r.Context().Done():
	}
}

func (a extensionsAPI) initError(w http.ResponseWriter, r *http.Request) {
	a.report(w, r, "Extension.InitError")
}

func (a extensionsAPI) exitError(w http.ResponseWriter, r *http.Request) {
	a.report(w, r, "Extension.ExitError")
}

// report is fatal for the environment: an init phase fails, an invocation fails.
func (a extensionsAPI) report(w http.ResponseWriter, r *http.Request, kind string) {
	s, x := a.find(w, r)
	if x == nil {
		return
	}
	body, _ := ReadLimited(r.Body, a.cfg.Limits.Buffered)
	s.mu.Lock()
	s.reportInitError(&Failure{kind, body})
	s.mu.Unlock()
	accepted(w)
}
