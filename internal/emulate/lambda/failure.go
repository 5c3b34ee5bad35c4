package lambda

import (
	"encoding/json"
	"fmt"
)

// Error types that Lambda gives to a failed invocation.
const (
	typeExit      = "Runtime.ExitError"
	typeMemory    = "Runtime.OutOfMemory"
	typeTruncated = "Runtime.TruncatedResponse"
	typeMode      = "Runtime.InvalidResponseModeHeader"
	typeTooLarge  = "Function.ResponseSizeTooLarge"
	typeTimeout   = "Sandbox.Timedout"
	typeExtension = "Extension.Crash"
)

// failure is an invocation that did not succeed: the type, and the JSON document
// that the invoker gets.
type failure struct {
	kind string
	body []byte
}

func (f *failure) Error() string { return f.kind + ": " + string(f.body) }

// fail makes a failure with the document that Lambda itself writes. The request
// id is empty in the init phase.
func fail(kind, request, message string, args ...any) *failure {
	message = "Error: " + fmt.Sprintf(message, args...)
	if request != "" {
		message = "RequestId: " + request + " " + message
	}
	body, _ := json.Marshal(struct {
		Type    string `json:"errorType"`
		Message string `json:"errorMessage"`
	}{kind, message})
	return &failure{kind, body}
}

// message is what the log line of the failure says.
func (f *failure) message() string {
	var doc struct {
		Message string `json:"errorMessage"`
	}
	if json.Unmarshal(f.body, &doc) == nil && doc.Message != "" {
		return doc.Message
	}
	return string(f.body)
}
