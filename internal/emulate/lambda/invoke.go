package lambda

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"

	"github.com/aproorg/sluice/internal/emulate/lambda/environment"
	"github.com/aproorg/sluice/internal/emulate/lambda/runtimeapi"
	"github.com/aproorg/sluice/internal/timeline"
)

// EnvironmentHeader names the environment that answers an invocation, and says how it
// came about: "env-3; clone", or held, or on-demand. There is none on AWS.
const EnvironmentHeader = "X-Sluice-Environment"

// RequestHeader carries the id under which the timeline knows the request.
const RequestHeader = "X-Sluice-Request"

// apiError is an error of the Invoke API itself, as opposed to one of the
// function. https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html#API_Invoke_Errors
type apiError struct {
	status                int
	kind, message, reason string
}

func (e *apiError) Error() string { return e.kind + ": " + e.message }

func (e *apiError) write(w http.ResponseWriter) {
	who := "User"
	if e.status >= 500 {
		who = "Service"
	}
	w.Header().Set("X-Amzn-Errortype", e.kind)
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(e.status)
	_ = json.NewEncoder(w).Encode(struct {
		Reason  string `json:",omitempty"`
		Type    string
		Message string `json:"message"`
	}{e.reason, who, e.message})
}

// ServeHTTP serves Invoke and InvokeWithResponseStream. Signatures are
// checked in front of it, by package sigv4, where they are.
func (em *Emulator) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	id := runtimeapi.NewID()
	w.Header().Set("X-Amzn-Requestid", id)
	t, v, err := em.accept(r, id)
	if err != nil {
		em.refuse(w, r, id, err)
		return
	}
	if v == nil { // DryRun
		w.WriteHeader(http.StatusNoContent)
		return
	}
	em.emit(v, timeline.Event{Kind: timeline.RequestStart, Method: r.Method, Path: r.URL.Path})
	if err := em.dispatch(r.Context(), v); err != nil {
		em.refuse(w, r, id, err)
		return
	}
	if f := <-v.Taken(); f != nil {
		em.refuse(w, r, id, notRestored(f))
		return
	}
	w.Header().Set("X-Amz-Executed-Version", em.cfg.Version)
	w.Header().Set(EnvironmentHeader, v.By+"; "+em.origin())
	// A client that goes away stops nothing: what comes is dropped.
	defer context.AfterFunc(r.Context(), func() { v.Abandon(errGone) })()
	if t.streaming {
		em.stream(w, v)
	} else {
		em.buffer(w, v)
	}
}

var errGone = errors.New("the client went away")

func (em *Emulator) emit(v *environment.Invocation, event timeline.Event) {
	event.Hop, event.Request, event.Invocation = timeline.Lambda, v.Request, v.ID
	em.cfg.Record.Emit(event)
}

func (em *Emulator) refuse(w http.ResponseWriter, r *http.Request, id string, err error) {
	var e *apiError
	if !errors.As(err, &e) {
		e = &apiError{500, "ServiceException", err.Error(), ""}
	}
	event := timeline.Event{Kind: timeline.RequestEnd, Status: e.status, Error: e.Error()}
	v := environment.NewInvocation(requestID(r, id), false)
	v.ID = id
	if e.status == 429 || e.status == 413 {
		em.emit(v, timeline.Event{Kind: timeline.Limit, Note: e.message})
	}
	em.emit(v, event)
	e.write(w)
}
