package lambda

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/aproorg/sluice/internal/emulate/lambda/environment"
	"github.com/aproorg/sluice/internal/emulate/lambda/runtimeapi"
)

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

func requestID(r *http.Request, id string) string {
	if known := r.Header.Get(RequestHeader); known != "" {
		return known
	}
	return id
}

// accept checks the request as the service does before it looks for an
// environment. A nil invocation is a dry run.
func (em *Emulator) accept(r *http.Request, id string) (target, *environment.Invocation, error) {
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
	v := environment.NewInvocation(requestID(r, id), r.Header.Get("X-Amz-Log-Type") == "Tail")
	v.ID, v.Event, v.Streaming = id, event, t.streaming
	v.ARN = em.arn
	if q := r.URL.Query().Get("Qualifier"); q != "" {
		t.qualifier = q
	}
	if t.qualifier != "" {
		v.ARN += ":" + t.qualifier
	}
	if v.Trace = r.Header.Get("X-Amzn-Trace-Id"); v.Trace == "" {
		v.Trace = newTrace()
	}
	if c, err := base64.StdEncoding.DecodeString(r.Header.Get("X-Amz-Client-Context")); err == nil {
		v.ClientContext = string(c)
	}
	return t, v, nil
}

func (em *Emulator) readEvent(r *http.Request) ([]byte, error) {
	limit := em.cfg.Limits.Request
	event, err := runtimeapi.ReadLimited(r.Body, limit)
	if errors.Is(err, runtimeapi.ErrTooLarge) {
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
	hex := strings.ReplaceAll(runtimeapi.NewID()+runtimeapi.NewID(), "-", "")
	return fmt.Sprintf("Root=1-%08x-%s;Parent=%s;Sampled=0", time.Now().Unix(), hex[:24], hex[24:40])
}
