package facts

import (
	"bytes"
	"errors"
	"io/fs"
	"path/filepath"
)

// A mark is a text in a file of a release that shows what the release can do. Detect
// looks for it in a directory; in an image the bootstrap does, by rules.json.
type mark struct{ file, text string } // file is relative to the release

const (
	packageFile = "package.json"
	serverFile  = "api/server/index.js"
	routesFile  = "api/server/routes/agents/index.js"
)

var (
	// known is in the package.json of the versions that this package was written for.
	known = mark{packageFile, `"version": "v0.8.`}
	// afterPost: the routes of a stream apart from the chat POST. From v0.8.2-rc2.
	afterPost = mark{routesFile, "/chat/stream/:streamId"}
	// acrossProcesses: generations have a protocol of their own, by which any process
	// subscribes to, stops and ends those of another. From v0.8.8-rc1.
	acrossProcesses = mark{routesFile, "generationProtocolVersion"}
	// keepsJobs: a variable keeps jobs that have ended. From v0.8.7-rc1.
	keepsJobs = mark{serverFile, keepJobsVariable}
	// readyRoute: a path that answers 503 until stores and streams are up. From v0.8.6.
	readyRoute = mark{serverFile, "'" + readyzPath + "'"}
	// managerReady is the line of releases that start their stream manager after they
	// listen, and have no path that says so. A chat before it lands in the wrong store.
	// The bundle is index.js in all of them: index.cjs came with v0.8.7-rc1.
	managerReady = mark{"packages/api/dist/index.js", "[GenerationJobManager] Configured with"}
)

// in looks for the mark in a release's directory. No file has no mark.
func (m mark) in(dir string) (bool, error) {
	data, err := readFile(filepath.Join(dir, filepath.FromSlash(m.file)))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return bytes.Contains(data, []byte(m.text)), err
}
