package lambda

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/aproorg/sluice/internal/timeline"
)

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
	answer(w, e.status, struct {
		Reason  string `json:",omitempty"`
		Type    string
		Message string `json:"message"`
	}{e.reason, who, e.message})
}

// target is what the path of a request names.
type target struct {
	function, qualifier string
	streaming           bool
}

// parsePath reads the path of the two invocation operations. The function may
// be given by name, partial ARN or ARN, with or without a qualifier.
func parsePath(escaped string) (target, bool) {
	parts := strings.Split(escaped, "/")
	if len(parts) != 5 || parts[0] != "" || parts[2] != "functions" {
		return target{}, false
	}
	var t target
	switch {
	case parts[1] == "2021-11-15" && parts[4] == "response-streaming-invocations":
		t.streaming = true
	case parts[1] == "2015-03-31" && parts[4] == "invocations":
	default:
		return target{}, false
	}
	name, err := url.PathUnescape(parts[3])
	if err != nil || name == "" {
		return target{}, false
	}
	// arn:aws:lambda:REGION:ACCOUNT:function:NAME:QUALIFIER, or from ACCOUNT or NAME on
	if i := strings.LastIndex(":"+name, ":function:"); i >= 0 {
		name = name[i+len("function:"):]
	}
	t.function, t.qualifier, _ = strings.Cut(name, ":")
	return t, t.function != "" && !strings.Contains(t.qualifier, ":")
}

// ServeHTTP serves Invoke and InvokeWithResponseStream. Signatures are neither
// asked for nor checked.
func (em *Emulator) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	id := newID()
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
	if err := em.dispatch(v); err != nil {
		em.refuse(w, r, id, err)
		return
	}
	w.Header().Set("X-Amz-Executed-Version", em.cfg.Version)
	// A client that goes away stops nothing: what comes is dropped.
	defer context.AfterFunc(r.Context(), func() { _ = v.read.CloseWithError(errGone) })()
	if t.streaming {
		em.stream(w, v)
	} else {
		em.buffer(w, v)
	}
}

var errGone = errors.New("the client went away")

func (em *Emulator) emit(v *invocation, event timeline.Event) {
	event.Hop, event.Request, event.Invocation = timeline.Lambda, v.request, v.id
	em.cfg.Record.Emit(event)
}

func (em *Emulator) refuse(w http.ResponseWriter, r *http.Request, id string, err error) {
	var e *apiError
	if !errors.As(err, &e) {
		e = &apiError{500, "ServiceException", err.Error(), ""}
	}
	event := timeline.Event{Kind: timeline.RequestEnd, Status: e.status, Error: e.Error()}
	v := &invocation{id: id, request: requestID(r, id)}
	if e.status == 429 || e.status == 413 {
		em.emit(v, timeline.Event{Kind: timeline.Limit, Note: e.message})
	}
	em.emit(v, event)
	e.write(w)
}

func requestID(r *http.Request, id string) string {
	if given := r.Header.Get(RequestHeader); given != "" {
		return given
	}
	return id
}

// accept checks the request as the service does before it looks for an
// environment. A nil invocation is a dry run.
func (em *Emulator) accept(r *http.Request, id string) (target, *invocation, error) {
	t, ok := parsePath(r.URL.EscapedPath())
	if !ok || r.Method != http.MethodPost {
		return t, nil, &apiError{404, "UnknownOperationException", "", ""}
	}
	if t.function != em.cfg.Function.FunctionName {
		return t, nil, &apiError{404, "ResourceNotFoundException", "Function not found: " + strings.TrimSuffix(em.arn, em.cfg.Function.FunctionName) + t.function, ""}
	}
	switch kind := r.Header.Get("X-Amz-Invocation-Type"); kind {
	case "", "RequestResponse":
	case "DryRun":
		return t, nil, nil
	default:
		return t, nil, &apiError{400, "InvalidParameterValueException", fmt.Sprintf("Invocation type %s is not rehearsed, RequestResponse is.", kind), ""}
	}
	event, err := em.readEvent(r)
	if err != nil {
		return t, nil, err
	}
	v := newInvocation()
	v.id, v.request, v.event = id, requestID(r, id), event
	v.arn = em.arn
	if q := r.URL.Query().Get("Qualifier"); q != "" {
		t.qualifier = q
	}
	if t.qualifier != "" {
		v.arn += ":" + t.qualifier
	}
	if v.trace = r.Header.Get("X-Amzn-Trace-Id"); v.trace == "" {
		v.trace = newTrace()
	}
	if c, err := base64.StdEncoding.DecodeString(r.Header.Get("X-Amz-Client-Context")); err == nil {
		v.clientContext = string(c)
	}
	if r.Header.Get("X-Amz-Log-Type") == "Tail" {
		v.tail = &tail{}
	}
	return t, v, nil
}

func (em *Emulator) readEvent(r *http.Request) ([]byte, error) {
	limit := em.cfg.Limits.Request
	event, err := readLimited(r.Body, limit)
	if errors.Is(err, errTooLarge) {
		return nil, &apiError{413, "RequestTooLargeException", fmt.Sprintf("Request must be smaller than %d bytes for the InvokeFunction operation", limit), ""}
	}
	if err != nil {
		return nil, &apiError{400, "InvalidRequestContentException", "The request body broke off: " + err.Error(), ""}
	}
	if len(event) == 0 {
		return []byte("{}"), nil
	}
	if !json.Valid(event) {
		return nil, &apiError{400, "InvalidRequestContentException", "Could not parse request body into json", ""}
	}
	return event, nil
}

// newTrace makes a trace header as Lambda does for a request that has none.
func newTrace() string {
	hex := strings.ReplaceAll(newID()+newID(), "-", "")
	return fmt.Sprintf("Root=1-%08x-%s;Parent=%s;Sampled=0", time.Now().Unix(), hex[:24], hex[24:40])
}

var buffers = sync.Pool{New: func() any { b := make([]byte, 64<<10); return &b }}

// stream passes every chunk on as it comes, each as an event of its own.
func (em *Emulator) stream(w http.ResponseWriter, v *invocation) {
	w.Header().Set("Content-Type", "application/vnd.amazon.eventstream")
	flush := http.NewResponseController(w)
	buf := buffers.Get().(*[]byte)
	defer buffers.Put(buf)
	total := int64(0)
	for {
		n, err := v.read.Read(*buf)
		if n > 0 {
			if total == 0 {
				em.emit(v, timeline.Event{Kind: timeline.RequestFirstByte, Status: 200})
			}
			total += int64(n)
			em.emit(v, timeline.Event{Kind: timeline.RequestChunk, Bytes: int64(n)})
			if writePayloadChunk(w, (*buf)[:n]) != nil || flush.Flush() != nil {
				_ = v.read.CloseWithError(errGone)
			}
		}
		if err != nil {
			_ = writeInvokeComplete(w, em.complete(v, err))
			em.finish(v, total, err)
			return
		}
	}
}

// complete is the payload of the event that ends a stream.
func (em *Emulator) complete(v *invocation, err error) []byte {
	var doc struct {
		ErrorCode    string `json:",omitempty"`
		ErrorDetails string `json:",omitempty"`
		LogResult    string `json:",omitempty"`
	}
	var f *failure
	if errors.As(err, &f) {
		doc.ErrorCode, doc.ErrorDetails = f.kind, string(f.body)
	}
	doc.LogResult = v.logResult()
	payload, _ := json.Marshal(doc)
	return payload
}

// logResult waits for the end of the invocation, whose last line it has.
func (v *invocation) logResult() string {
	if v.tail == nil {
		return ""
	}
	<-v.ctx.Done()
	return base64.StdEncoding.EncodeToString(v.tail.bytes())
}

// buffer answers when the whole response is there. An error of the function is
// an answer of status 200 with a header.
func (em *Emulator) buffer(w http.ResponseWriter, v *invocation) {
	limit := em.cfg.Limits.BufferedResponse
	body, err := readLimited(v.read, limit)
	if errors.Is(err, errTooLarge) {
		_ = v.read.CloseWithError(err)
		err = fail(typeTooLarge, "", "Response payload size exceeded maximum allowed payload size (%d bytes).", limit)
	}
	w.Header().Set("Content-Type", "application/json")
	var f *failure
	if errors.As(err, &f) {
		w.Header().Set("X-Amz-Function-Error", "Unhandled")
		body = f.body
	}
	if log := v.logResult(); log != "" {
		w.Header().Set("X-Amz-Log-Result", log)
	}
	em.emit(v, timeline.Event{Kind: timeline.RequestFirstByte, Status: 200})
	_, _ = w.Write(body)
	em.finish(v, int64(len(body)), err)
}

func (em *Emulator) finish(v *invocation, total int64, err error) {
	event := timeline.Event{Kind: timeline.RequestEnd, Status: 200, Bytes: total}
	if err != nil && !errors.Is(err, io.EOF) {
		event.Error = err.Error()
	}
	em.emit(v, event)
}
