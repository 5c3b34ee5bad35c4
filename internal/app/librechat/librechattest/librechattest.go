// Package librechattest writes a small stand-in for a LibreChat release, so
// that tests hold LibreChat's guarantees where none is built. It is our own
// server on plain Node with LibreChat's layout, routes and habits: it streams
// by either design, works on after the response, writes to its logs when it
// loads, refuses clients that are no browsers, and answers unknown paths with
// index.html. One of today says by /readyz when it is ready, refuses a chat before, and
// keeps what has ended where a variable says so.
//
// Its database is the directory named by FIXTURE_STATE, in place of MONGO_URI;
// its streams and sessions are in Redis. It reads the model's address from
// librechat.yaml. It leaves out everything else that LibreChat is.
package librechattest

import (
	"embed"
	"fmt"
	"os"
	"path/filepath"

	"github.com/aproorg/sluice/internal/app/librechat/facts"
)

//go:embed server/*.js
var scripts embed.FS

const index = `<!doctype html><html><head><base href="/"><title>fixture</title>
<script type="module" src="./assets/index.Ab3_dEf9.js"></script></head><body><div id="root"></div></body></html>
`

// State names the variable of the directory that stands for the database.
const State = "FIXTURE_STATE"

// Write makes a release of the design in dir, which facts.Detect accepts.
func Write(dir string, d facts.Design) error {
	return write(dir, facts.Release{Version: map[facts.Design]string{facts.StreamsInPost: "v0.8.2-rc1", facts.GeneratesAfterPost: "v0.8.2-rc2"}[d], Design: d})
}

// today is a release of the design that streams across processes by itself.
var today = facts.Release{Version: "v0.8.8-rc1", Design: facts.GeneratesAfterPost, AcrossProcesses: true, KeepsJobs: true, Readyz: true}

// write makes a release that has what r says.
func write(dir string, r facts.Release) error {
	bundle, routes, ready := "dist/index.js", "", ""
	if r.Design == facts.GeneratesAfterPost {
		routes = "module.exports = ['/chat/stream/:streamId'];\n"
		ready = "exports.ready = '[GenerationJobManager] Configured with Redis stores';\n"
	}
	if r.AcrossProcesses {
		routes += "module.exports.generationProtocolVersion = 2;\n"
	}
	server := ""
	if r.Readyz {
		server = "require('./today').serve(server); // '/readyz', STREAM_KEEP_COMPLETED_JOBS\n"
	}
	if r.KeepsJobs {
		bundle = "dist/index.cjs"
	}
	files := map[string]string{
		"package.json":                         fmt.Sprintf("{\n  \"name\": \"LibreChat\",\n  \"version\": %q\n}\n", r.Version),
		"api/server/routes/agents/index.js":    "'use strict';\n" + routes,
		"packages/api/package.json":            fmt.Sprintf("{\"main\": %q}\n", bundle),
		"packages/api/" + bundle:               "'use strict';\n" + ready,
		"packages/data-provider/package.json":  "{\"main\": \"dist/index.js\"}\n",
		"packages/data-provider/dist/index.js": "'use strict';\n",
		"packages/data-schemas/package.json":   "{\"main\": \"dist/index.cjs\"}\n",
		"packages/data-schemas/dist/index.cjs": "'use strict';\n",
		"node_modules/README":                  "The stand-in needs no modules.\n",
		"client/dist/index.html":               index,
		"client/dist/assets/index.Ab3_dEf9.js": "document.title = 'fixture';\n",
		"client/dist/manifest.webmanifest":     "{}\n",
	}
	entries, err := scripts.ReadDir("server")
	if err != nil {
		return fmt.Errorf("read the stand-in: %w", err)
	}
	for _, e := range entries {
		data, err := scripts.ReadFile("server/" + e.Name())
		if err != nil {
			return fmt.Errorf("read the stand-in: %w", err)
		}
		files["api/server/"+e.Name()] = string(data)
	}
	files["api/server/index.js"] += server
	for name, content := range files {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return fmt.Errorf("write the stand-in: %w", err)
		}
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			return fmt.Errorf("write the stand-in: %w", err)
		}
	}
	return nil
}
