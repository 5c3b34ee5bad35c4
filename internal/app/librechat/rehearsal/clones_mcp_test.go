package rehearsal_test

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/aproorg/sluice/internal/app/librechat/facts"
	"github.com/aproorg/sluice/internal/app/librechat/rehearsal"
	"github.com/aproorg/sluice/internal/rehearse"
)

// drawingMCP is a librechat.yaml with two servers of MCP, whose tool tells what is particular to them: one that is asked by HTTP, and one that is
// a child process of LibreChat's with an environment of its own.
const drawingMCP = `version: 1.2.1
%[2]smcpServers:
  http:
    type: streamable-http
    url: %[1]s/mcp
    timeout: 20000
  child:
    type: stdio
    command: node
    timeout: 20000
    args:
      - -e
      - |
        const { randomUUID } = require('crypto');
        const made = randomUUID();
        require('readline').createInterface({ input: process.stdin }).on('line', (line) => {
          const { id, method, params } = JSON.parse(line);
          const result = {
            initialize: () => ({ protocolVersion: params.protocolVersion, capabilities: { tools: {} }, serverInfo: { name: 'child', version: '1' } }),
            'tools/list': () => ({ tools: [{ name: 'draw', description: 'draws', inputSchema: { type: 'object' } }] }),
            'tools/call': () => ({ content: [{ type: 'text', text: JSON.stringify({ made, drawn: randomUUID(), math: Math.random() }) }] }),
          }[method];
          if (id !== undefined) console.log(JSON.stringify({ jsonrpc: '2.0', id, result: result ? result() : {} }));
        });
`

// TestBuiltClonesMCP: each environment of a snapshot has a session of its own with a server of MCP by HTTP, and a child process that draws its own
// numbers, whether it was restored with it or started in it.
func TestBuiltClonesMCP(t *testing.T) {
	eachBuilt(t, func(t *testing.T, r facts.Release) {
		mcp := &mcpServer{sessions: map[string]bool{}}
		server := httptest.NewServer(mcp)
		t.Cleanup(func() { server.CloseClientConnections(); server.Close() })
		allowed := ""
		if r.Design == facts.GeneratesAfterPost {
			allowed = fmt.Sprintf("mcpSettings:\n  allowedDomains: [%q]\n", server.URL)
		}
		text := fmt.Sprintf(drawingMCP, server.URL, allowed)
		file := filepath.Join(t.TempDir(), "librechat.yaml")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		w := startClones(t, rehearsal.Config{Release: r, Env: cloneProbe(), YAML: []byte(text), YAMLFile: file}, func(cfg *rehearse.Config) {
			cfg.SnapshotAge = 2 * time.Minute // v0.8.8 trusts in a connection that it has looked at within the last one
		})
		p := &person{base: w.ViewerURL, design: r.Design}
		made := map[string]bool{}
		drawn, sessions := map[string]bool{}, map[string]bool{}
		for range 2 {
			all := make([]struct{ Made, Drawn, Session string }, clones/2)
			for _, server := range []string{"child", "http"} {
				w.atOnceIn(t, len(all), func(ctx context.Context, i int) error {
					return p.call(ctx, http.MethodGet, "/api/clone/tool?server="+server, nil, &all[i])
				})
			}
			for _, a := range all {
				made[a.Made], drawn[a.Drawn], sessions[a.Session] = true, true, true
			}
		}
		t.Logf("%d starts of the child have been seen: 1 is that of the snapshot", len(made))
		if want := 2 * (clones / 2); len(drawn) != want || len(sessions) != want {
			t.Errorf("%d calls have drawn %d numbers, by %d sessions", want, len(drawn), len(sessions))
		}
	})
}

// mcpServer is a server of MCP over HTTP with sessions, which knows who asks in one.
// https://modelcontextprotocol.io/specification/2025-06-18/basic/transports#streamable-http
type mcpServer struct {
	mu       sync.Mutex
	sessions map[string]bool
}

func (s *mcpServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	const header = "Mcp-Session-Id"
	var asked struct {
		ID     any
		Method string
		Params struct{ ProtocolVersion string }
	}
	switch {
	case r.Method == http.MethodDelete:
		return
	case r.Method != http.MethodPost:
		w.WriteHeader(http.StatusMethodNotAllowed)
		return
	case json.NewDecoder(r.Body).Decode(&asked) != nil:
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	session := r.Header.Get(header)
	var result any = struct{}{}
	switch asked.Method {
	case "initialize":
		session = rand.Text()
		s.sessions[session] = true
		result = map[string]any{"protocolVersion": asked.Params.ProtocolVersion, "capabilities": map[string]any{"tools": map[string]any{}}, "serverInfo": map[string]string{"name": "http", "version": "1"}}
	case "tools/list":
		result = map[string]any{"tools": []any{map[string]any{"name": "draw", "description": "draws", "inputSchema": map[string]string{"type": "object"}}}}
	case "tools/call":
		text, _ := json.Marshal(map[string]string{"session": session})
		result = map[string]any{"content": []any{map[string]string{"type": "text", "text": string(text)}}}
	}
	if !s.sessions[session] {
		w.WriteHeader(http.StatusNotFound)
		return
	}
	if asked.ID == nil {
		w.WriteHeader(http.StatusAccepted)
		return
	}
	w.Header().Set(header, session)
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(map[string]any{"jsonrpc": "2.0", "id": asked.ID, "result": result})
}
