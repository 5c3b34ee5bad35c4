// Package facts is the one place that knows LibreChat: the facts of what a built
// release needs to run on Lambda, and how a rehearsal starts and checks it. It
// reads files of the release and returns plain data.
//
// It leaves out what acts on the data: starting processes, fetching secrets,
// serving stores. What it says of LibreChat was read from the sources of v0.8.0 to
// v0.8.8-rc1, and tried with v0.8.2-rc1, a main of January 2026, v0.8.6 and v0.8.8-rc1.
package facts

import "path/filepath"

// Design is how a release streams its answers.
type Design int

const (
	// StreamsInPost: the chat POST is the event stream. Title and saves follow
	// its end. Up to v0.8.2-rc1.
	StreamsInPost Design = iota + 1
	// GeneratesAfterPost: the chat POST answers at once, and the answer is
	// generated after it. Another request reads the stream, which crosses
	// processes through Redis. From v0.8.2-rc2.
	GeneratesAfterPost
)

func (d Design) String() string {
	switch d {
	case StreamsInPost:
		return "streams in the POST"
	case GeneratesAfterPost:
		return "generates after the POST"
	}
	return "unknown design"
}

// Release is a built LibreChat in a directory, which in the image is /app. What it can
// do is seen from its files (marks).
type Release struct {
	Dir     string // absolute
	Version string // "v0.8.2-rc1"
	// Untried is set for a version that this package was not written for. It runs plain.
	Untried bool
	Design  Design
	// AcrossProcesses: any process subscribes to, stops and ends a generation of another
	// by itself. From v0.8.8-rc1.
	AcrossProcesses bool
	// KeepsJobs: STREAM_KEEP_COMPLETED_JOBS keeps what has ended for a reader that comes
	// late. From v0.8.7-rc1.
	KeepsJobs bool
	// Readyz: /readyz answers 503 until stores and streams are up. From v0.8.6.
	Readyz bool
	// ReadyLog is a regular expression for the line of output without which a release
	// that has no Readyz is not ready though it answers; empty if there is none.
	ReadyLog string
}

// HealthPath answers 200 once the server listens. LibreChat has no /api/health:
// from v0.8.6 on it answers 404 there, and before that its catch-all has index.html.
const HealthPath = "/health"

const readyzPath = "/readyz"

// ReadyPath answers 200 once the release can serve.
func (r Release) ReadyPath() string {
	if r.Readyz {
		return readyzPath
	}
	return HealthPath
}

// Routes returns the path patterns that go to the app; all else is the site.
func Routes() []string {
	return []string{"/api/*", "/oauth/*", "/images/*", "/health", "/_sluice/*"}
}

// Refused are paths of releases from v0.8.6 on that are for those who run a process:
// out at the edge they would tell of one among many, and each question could start
// another. Older releases answer them with index.html.
func Refused() []string { return []string{"/livez", "/metrics", readyzPath} }

// Uploads returns the patterns of paths that take a file as multipart/form-data.
func Uploads() []string {
	return []string{
		"/api/files", "/api/files/images", "/api/files/images/avatar",
		"/api/files/images/agents/*/avatar", "/api/files/images/assistants/*/avatar",
		"/api/files/speech/stt", "/api/convos/import",
	}
}

// Command starts the server. It runs in any working directory; it writes to
// ./data of it, and to ./logs where LIBRECHAT_LOG_DIR is not set.
func (r Release) Command() []string {
	return []string{"node", filepath.Join(r.Dir, "api", "server", "index.js")}
}

// WorkDir is where the image starts the server.
func (r Release) WorkDir() string { return filepath.Join(r.Dir, "api") }

// SiteDir is the built front end. The app needs it too, for it serves
// index.html at /oauth/success.
func (r Release) SiteDir() string { return filepath.Join(r.Dir, "client", "dist") }

// Writable returns the directories that the server writes to. Where the root
// is read-only they are links into /tmp, whose targets exist before it starts.
func (r Release) Writable() []string {
	var dirs []string
	for _, d := range writable {
		dirs = append(dirs, filepath.Join(r.Dir, filepath.FromSlash(d)))
	}
	return dirs
}

// writable is relative to the release. Logs are written at require time by
// rc1 whatever LIBRECHAT_LOG_DIR says; data is ./data of WorkDir.
var writable = []string{"api/logs", "api/data", "uploads", "client/public/images"}
