package rehearsal_test

import (
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"github.com/aproorg/sluice/internal/app/librechat/facts"
	"github.com/aproorg/sluice/internal/app/librechat/rehearsal"
)

// slowMCP is a librechat.yaml with a server that answers 6 s after its start, and one
// that never does.
const slowMCP = `version: 1.2.1
mcpServers:
  slow:
    type: stdio
    command: node
    initTimeout: 60000
    args:
      - -e
      - |
        setTimeout(() => require('readline').createInterface({ input: process.stdin }).on('line', (line) => {
          const { id, method, params } = JSON.parse(line);
          const result = {
            initialize: () => ({ protocolVersion: params.protocolVersion, capabilities: { tools: {} }, serverInfo: { name: 'slow', version: '1' } }),
            'tools/list': () => ({ tools: [{ name: 'weigh', description: 'weighs', inputSchema: { type: 'object' } }] }),
          }[method];
          if (id !== undefined) console.log(JSON.stringify({ jsonrpc: '2.0', id, result: result ? result() : {} }));
        }), 6000)
  dead:
    type: stdio
    command: node
    initTimeout: 5000
    args: [-e, "setTimeout(() => {}, 1e9)"]
`

// TestBuiltSlowMCP: the list of MCP servers is whole from the first answer on, in each new
// environment, though none of them is thawed but for a request.
func TestBuiltSlowMCP(t *testing.T) {
	eachBuilt(t, func(t *testing.T, r facts.Release) {
		if r.Design != facts.GeneratesAfterPost {
			t.Skip("this release answers 500 to the list, without Sluice too")
		}
		file := filepath.Join(t.TempDir(), "librechat.yaml")
		if err := os.WriteFile(file, []byte(slowMCP), 0o600); err != nil {
			t.Fatal(err)
		}
		w := startAtOnce(t, rehearsal.Config{Release: r, YAML: []byte(slowMCP), YAMLFile: file}, remembering)
		w.prepared(t)
		p := newPerson(t, w.ViewerURL, r.Design)
		for range 3 {
			var servers map[string]any
			if err := p.call(t.Context(), http.MethodGet, "/api/mcp/servers", nil, &servers); err != nil {
				t.Fatalf("%v\n%s", err, w.refused())
			}
			if servers["slow"] == nil {
				t.Errorf("the list has %v", servers)
			}
			w.rest(t, func() {})
			for _, environment := range w.environments() {
				w.Lambda.Recycle(environment)
			}
		}
	})
}
