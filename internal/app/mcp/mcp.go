// Package mcp is the preset of any MCP server over streamable HTTP: how it shows
// that it can serve, what of the protocol does not survive on Lambda, and how a
// deployed one is checked.
//
// It leaves out the servers themselves: which program runs, and where, is the
// user's to say. The transport is that of
// https://modelcontextprotocol.io/specification/2025-06-18/basic/transports
package mcp

import (
	"context"
	"flag"

	"github.com/aproorg/sluice/internal/app"
)

// Preset is what is known of an MCP server.
func Preset() app.Preset {
	return app.Preset{
		Name: "mcp", Title: "an MCP server", Short: "a Model Context Protocol server over streamable HTTP",
		Ready:     ready,
		Rehearsal: func() app.Rehearsal { return &rehearsal{} },
		Probe:     func() app.Probe { return &check{} },
		Examples: map[string][]string{
			"up":     {`sluice up --app mcp --command "node dist/index.js streamableHttp" --app-dir ../server`},
			"verify": {"sluice verify http://127.0.0.1:8080 --app mcp"},
		},
	}
}

// ready is the open port: without a session no path of such a server answers 2xx.
var ready = app.Ready{Path: "tcp"}

// defaultPath is where the official SDKs serve the protocol.
const defaultPath = "/mcp"

func pathFlag(f *flag.FlagSet, path *string) {
	f.StringVar(path, "mcp-path", defaultPath, "`PATH` at which the server speaks MCP")
}

// rehearsal runs a server that the user starts by a command.
type rehearsal struct {
	dir, path string
	prepared  app.Prepared
}

func (r *rehearsal) Flags(f *flag.FlagSet) {
	f.StringVar(&r.dir, "app-dir", ".", "the server's working directory `DIR`")
	pathFlag(f, &r.path)
}

func (r *rehearsal) Check(_ context.Context, request app.Request) error {
	server, err := request.App(r.dir, ready)
	if err != nil {
		return err
	}
	server.Name = "mcp"
	w := &watch{path: r.path, timeline: request.Recorder}
	server.Observe = w.observe
	r.prepared = app.Prepared{App: server, Summary: w.summary}
	return nil
}

func (r *rehearsal) Start(context.Context, string) (app.Prepared, error) { return r.prepared, nil }
