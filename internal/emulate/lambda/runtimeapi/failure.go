package runtimeapi

import (
	"encoding/json"
	"fmt"
)

// Error types that Lambda gives to a failed invocation.
const (
	ExitError         = "Runtime.ExitError"
	OutOfMemory       = "Runtime.OutOfMemory"
	TruncatedResponse = "Runtime.TruncatedResponse"
	InvalidMode       = "Runtime.InvalidResponseModeHeader"
	ResponseTooLarge  = "Function.ResponseSizeTooLarge"
	Timeout           = "Sandbox.Timedout"
	ExtensionCrash    = "Extension.Crash"
	NoRestoreHook     = "Sluice.NoRestoreNext" // by which name Lambda fails a publish is in no page
	TwoRuntimes       = "Sluice.TwoRuntimes"   // which Lambda does not notice
)

// Failure is an invocation or an init phase that did not succeed: the error type,
// and the JSON document that the invoker gets.
type Failure struct {
	Kind string
	Body []byte
}

func (f *Failure) Error() string { return f.Kind + ": " + string(f.Body) }

// Fail makes a failure with the document that Lambda itself writes. The request
// id is empty in the init phase.
func Fail(kind, request, message string, args ...any) *Failure {
	message = "Error: " + fmt.Sprintf(message, args...)
	if request != "" {
		message = "RequestId: " + request + " " + message
	}
	body, _ := json.Marshal(struct {
		Type    string `json:"errorType"`
		Message string `json:"errorMessage"`
	}{kind, message})
	return &Failure{kind, body}
}

// TooLarge is an answer of more than limit bytes.
func TooLarge(limit int64) *Failure {
	body, _ := json.Marshal(struct {
		Message string `json:"errorMessage"`
		Type    string `json:"errorType"`
	}{fmt.Sprintf("Response payload size exceeded maximum allowed payload size (%d bytes).", limit), ResponseTooLarge})
	return &Failure{ResponseTooLarge, body}
}

// Message is what the log line of the failure says.
func (f *Failure) Message() string {
	var doc struct {
		Message string `json:"errorMessage"`
	}
	if json.Unmarshal(f.Body, &doc) == nil && doc.Message != "" {
		return doc.Message
	}
	return string(f.Body)
}
