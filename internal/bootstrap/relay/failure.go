package relay

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"unicode/utf8"

	"github.com/aproorg/sluice/internal/bootstrap/sse"
)

// rpcTimeout is the code of a JSON-RPC request that took too long, as MCP's TypeScript SDK has it (ErrorCode.RequestTimeout).
// rpcFailed is the first of the codes that the specification leaves to servers.
const (
	rpcTimeout = -32001
	rpcFailed  = -32000
)

// rpcError is the error of one JSON-RPC request, https://www.jsonrpc.org/specification#error_object.
type rpcError struct {
	Code    int    `json:"code"`
	Message string `json:"message"`
	Data    any    `json:"data,omitempty"`
}

// rpcRequests returns the ids of the JSON-RPC requests in a body, as they were written: a client of MCP or A2A waits for an
// answer to each of them, and ignores any other event.
func rpcRequests(body []byte) []json.RawMessage {
	type message struct {
		JSONRPC string
		Method  string
		ID      json.RawMessage
	}
	var messages []message
	if bytes.HasPrefix(bytes.TrimLeft(body, " \t\r\n"), []byte("[")) {
		_ = json.Unmarshal(body, &messages) // other JSON has no requests
	} else {
		messages = make([]message, 1)
		_ = json.Unmarshal(body, &messages[0])
	}
	var ids []json.RawMessage
	for _, m := range messages {
		if m.JSONRPC == "2.0" && m.Method != "" && len(m.ID) > 0 && string(m.ID) != "null" {
			ids = append(ids, m.ID)
		}
	}
	return ids
}

// deadlineError is the error of a request that the deadline cuts. It carries the data of the event that other streams get.
func deadlineError(event string) rpcError {
	failure := rpcError{Code: rpcTimeout, Message: "the time limit of this request has been reached"}
	if json.Valid([]byte(event)) {
		failure.Data = json.RawMessage(event)
	} else {
		failure.Data = event
	}
	return failure
}

// appendRPC appends an answer of JSON-RPC with an error for each id.
func appendRPC(dst []byte, ids []json.RawMessage, failure rpcError) ([]byte, error) {
	for _, id := range ids {
		data, err := json.Marshal(struct {
			JSONRPC string          `json:"jsonrpc"`
			ID      json.RawMessage `json:"id"`
			Error   rpcError        `json:"error"`
		}{"2.0", id, failure})
		if err != nil {
			return nil, err
		}
		dst = sse.AppendEvent(dst, "message", string(data))
	}
	return dst, nil
}

// lateError is the event that tells a client which already has a 200 what the app answered.
func (inv *invocation) lateError(status int, body []byte) ([]byte, error) {
	if !utf8.Valid(body) {
		body = []byte(http.StatusText(status))
	}
	if ids := rpcRequests(inv.req.Body); len(ids) > 0 {
		var answer bytes.Buffer
		if status == http.StatusOK && json.Compact(&answer, body) == nil { // the protocol allows JSON in place of a stream
			return sse.AppendEvent(nil, "message", answer.String()), nil
		}
		return appendRPC(nil, ids, rpcError{rpcFailed, fmt.Sprintf("%d %s: %s", status, http.StatusText(status), body), nil})
	}
	data, err := json.Marshal(struct {
		Status int             `json:"status"`
		Body   string          `json:"body"`
		Error  json.RawMessage `json:"error"`
	}{status, string(body), errorOf(status, body)})
	return sse.AppendEvent(nil, "error", string(data)), err
}

// errorOf is the error object in which clients of OpenAI's API look for a message: the app's own, if its body has one.
func errorOf(status int, body []byte) json.RawMessage {
	var own struct{ Error json.RawMessage }
	if json.Unmarshal(body, &own) == nil && bytes.HasPrefix(own.Error, []byte("{")) {
		return own.Error
	}
	object, _ := json.Marshal(map[string]any{"message": string(body), "code": status}) // a string and a number
	return object
}
