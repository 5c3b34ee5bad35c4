package mcp

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"net/http"
	"strings"

	"github.com/aproorg/sluice/internal/app"
	"github.com/aproorg/sluice/internal/hint"
	"github.com/aproorg/sluice/internal/probe/description"
)

// Versions and limits of a check.
const (
	protocolVersion = "2025-06-18" // that every server of the streamable transport can speak or answer with its own
	together        = 8            // calls at once: several environments, and few of them
)

// check describes a server to package probe.
type check struct{ path, tool, arguments string }

func (c *check) Flags(f *flag.FlagSet) {
	pathFlag(f, &c.path)
	f.StringVar(&c.tool, "mcp-tool", "", "`NAME` of the tool that is called (default: the first that is marked as read-only)")
	f.StringVar(&c.arguments, "mcp-arguments", "", "`JSON` object with the tool's arguments")
}

// message is a JSON-RPC request, or a notification where id is 0.
func message(id int, method string, params any) string {
	m := map[string]any{"jsonrpc": "2.0", "method": method}
	if id != 0 {
		m["id"] = id
	}
	if params != nil {
		m["params"] = params
	}
	data, _ := json.Marshal(m) // of strings, numbers and JSON that was checked
	return string(data)
}

var initialize = message(1, "initialize", map[string]any{
	"protocolVersion": protocolVersion, "capabilities": struct{}{}, "clientInfo": map[string]string{"name": "sluice-verify", "version": "1"},
})

const accept = "application/json, text/event-stream"

// Detect knows an MCP server by its answer to initialize, or by the way it asks
// for a login.
func (c *check) Detect(ctx context.Context, v *app.Visit) bool {
	a := v.Ask(ctx, http.MethodPost, or(c.path, defaultPath), initialize, http.Header{"Accept": {accept}})
	if a.Status == http.StatusUnauthorized {
		return strings.Contains(a.Header.Get("WWW-Authenticate"), "resource_metadata")
	}
	var answer struct{ JSONRPC string }
	return json.Unmarshal(jsonOf(a), &answer) == nil && answer.JSONRPC == "2.0"
}

// jsonOf is the JSON of an answer, or of the last event with JSON-RPC in its stream.
func jsonOf(a app.Answer) []byte {
	if !isEventStream(a.Header) {
		return a.Body
	}
	var found []byte
	for line := range bytes.Lines(a.Body) {
		if data, ok := bytes.CutPrefix(line, []byte("data:")); ok && bytes.Contains(data, []byte(`"jsonrpc"`)) {
			found = data
		}
	}
	return found
}

// Describe asks the server for its tools, so that one can be called.
func (c *check) Describe(ctx context.Context, q app.Question) (description.Description, error) {
	if c.arguments != "" && !isObject(c.arguments) {
		return description.Description{}, &app.UsageError{Err: errors.New("--mcp-arguments is not a JSON object")}
	}
	if _, ok := q.Vars["authorization"]; !ok {
		q.Vars["authorization"] = ""
	}
	s := c.ask(ctx, q)
	d := description.Description{App: "mcp", Conversation: c.opening()}
	if s.hasTools {
		d.Conversation = append(d.Conversation, c.call("MCP tools/list", message(2, "tools/list", nil), "result.tools"))
	}
	if call, ok := c.toolCall(s); ok {
		d.Conversation = append(d.Conversation, call)
	} else if s.listed {
		q.Note(hint.With(errors.New("no tool is called: the server marks none as read-only that could be called without knowing it"), "--mcp-tool NAME --mcp-arguments JSON names one"))
	}
	across := c.call("MCP across environments", message(4, "ping", nil), "result")
	across.Together = together
	d.Conversation = append(d.Conversation, across)
	if s.session {
		for i := range d.Conversation[1:] {
			d.Conversation[1+i].Hint = "if the answer speaks of a session, another environment opened it: " + statelessHint
		}
		end := c.call("MCP end of the session", "", "")
		end.Method, end.Status = http.MethodDelete, []int{200, 202, 204, 405}
		d.Conversation = append(d.Conversation, end)
	}
	return d, nil
}

func isObject(text string) bool {
	var object map[string]any
	return json.Unmarshal([]byte(text), &object) == nil && object != nil
}

// opening is what every client says first.
func (c *check) opening() []description.Call {
	first := c.call("MCP initialize", initialize, "result.protocolVersion")
	first.Header = map[string]string{"Accept": accept, "Authorization": "${authorization}"}
	first.Capture = map[string]string{"mcp_protocol": "result.protocolVersion"}
	first.CaptureHeader = map[string]string{"mcp_session": sessionHeader}
	first.Hint = "is this the path of an MCP server over streamable HTTP (--mcp-path), and does it need --var authorization=\"Bearer …\"?"
	second := c.call("MCP initialized", message(0, "notifications/initialized", nil), "")
	second.Status = []int{202, 200, 204}
	return []description.Call{first, second}
}

// call is a request within the session, if there is one.
func (c *check) call(name, body, field string) description.Call {
	return description.Call{
		Name: name, Field: field,
		Request: description.Request{Path: or(c.path, defaultPath), Body: body, Header: map[string]string{
			"Accept": accept, "Authorization": "${authorization}", sessionHeader: "${mcp_session}", "MCP-Protocol-Version": "${mcp_protocol}",
		}},
	}
}

// toolCall calls the tool that the user names, or one that does no harm.
func (c *check) toolCall(s server) (description.Call, bool) {
	name, arguments := c.tool, json.RawMessage(or(c.arguments, "{}"))
	if name == "" {
		tool, made, ok := harmless(s.tools)
		if !ok {
			return description.Call{}, false
		}
		name, arguments = tool, made
	}
	body := message(3, "tools/call", map[string]any{"name": name, "arguments": arguments})
	return c.call("MCP tool "+name, body, "result.content"), true
}
