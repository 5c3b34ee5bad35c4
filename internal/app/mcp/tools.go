package mcp

import (
	"context"
	"encoding/json"
	"net/http"

	"github.com/aproorg/sluice/internal/app"
)

// server is what a server says of itself.
type server struct {
	session  bool // it opens one
	hasTools bool
	listed   bool // tools is what it listed
	tools    []tool
}

// tool is one of tools/list.
type tool struct {
	Name        string
	InputSchema struct {
		Properties map[string]property
		Required   []string
	}
	Annotations struct {
		ReadOnlyHint  bool
		OpenWorldHint *bool // it reaches out of the server; nil says that it does
	}
}

type property struct {
	Type any
	Enum []json.RawMessage
}

// ask opens a session to learn which tools there are. A server that does not answer
// is for the checks to report.
func (c *check) ask(ctx context.Context, q app.Question) server {
	v := app.NewVisit(q.URL)
	path, header := or(c.path, defaultPath), http.Header{"Accept": {accept}}
	if authorization := q.Vars["authorization"]; authorization != "" {
		header.Set("Authorization", authorization)
	}
	opened := v.Ask(ctx, http.MethodPost, path, initialize, header)
	var hello struct {
		Result struct {
			ProtocolVersion string
			Capabilities    struct{ Tools *struct{} }
		}
	}
	if json.Unmarshal(jsonOf(opened), &hello) != nil || hello.Result.ProtocolVersion == "" {
		return server{}
	}
	s := server{hasTools: hello.Result.Capabilities.Tools != nil}
	header.Set("MCP-Protocol-Version", hello.Result.ProtocolVersion)
	if session := opened.Header.Get(sessionHeader); session != "" {
		s.session = true
		header.Set(sessionHeader, session)
		defer v.Ask(ctx, http.MethodDelete, path, "", header)
	}
	v.Ask(ctx, http.MethodPost, path, message(0, "notifications/initialized", nil), header)
	if s.hasTools {
		var list struct{ Result struct{ Tools *[]tool } }
		if json.Unmarshal(jsonOf(v.Ask(ctx, http.MethodPost, path, message(2, "tools/list", nil), header)), &list) == nil && list.Result.Tools != nil {
			s.listed, s.tools = true, *list.Result.Tools
		}
	}
	return s
}

// harmless finds a tool that changes nothing, and arguments for it: one that
// reaches nothing else first.
func harmless(tools []tool) (name string, arguments json.RawMessage, ok bool) {
	for _, closed := range []bool{true, false} {
		for _, t := range tools {
			outside := t.Annotations.OpenWorldHint == nil || *t.Annotations.OpenWorldHint
			if !t.Annotations.ReadOnlyHint || closed && outside {
				continue
			}
			if arguments, ok := t.example(); ok {
				return t.Name, arguments, true
			}
		}
	}
	return "", nil, false
}

// example makes arguments up, as far as the schema is plain.
func (t tool) example() (json.RawMessage, bool) {
	made := map[string]any{}
	for _, name := range t.InputSchema.Required {
		p := t.InputSchema.Properties[name]
		switch {
		case len(p.Enum) > 0:
			made[name] = p.Enum[0]
		case p.Type == "string":
			made[name] = "sluice verify"
		case p.Type == "number" || p.Type == "integer":
			made[name] = 1
		case p.Type == "boolean":
			made[name] = false
		default:
			return nil, false
		}
	}
	data, err := json.Marshal(made)
	return data, err == nil
}
