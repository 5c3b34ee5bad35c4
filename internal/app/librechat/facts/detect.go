package facts

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"

	"github.com/aproorg/sluice/internal/bounded"
	"github.com/aproorg/sluice/internal/hint"
)

// ErrUnknownVersion is wrapped by Detect's error for a release that this
// package was not written for. The Release is returned with it.
var ErrUnknownVersion = errors.New("version is not known")

// known are the versions whose files and settings are described here.
var known = regexp.MustCompile(`^v?0\.8\.\d+(-rc\d+)?$`)

const maxFile = 64 << 20 // bytes of a file that is read here; the largest is a bundle of a few MB

// Detect looks at a directory and says which release is in it. An error says
// what is missing and which command makes it.
func Detect(dir string) (Release, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return Release{}, fmt.Errorf("LibreChat directory %s: %w", dir, err)
	}
	r := Release{Dir: abs}
	if r.Version, err = version(abs); err != nil {
		return Release{}, err
	}
	if err := built(abs); err != nil {
		return Release{}, err
	}
	if err := r.design(); err != nil {
		return Release{}, err
	}
	if !known.MatchString(r.Version) {
		return r, fmt.Errorf("%s names %q: %w; known are v0.8.x, and by its files it is taken for one that %s", filepath.Join(abs, "package.json"), r.Version, ErrUnknownVersion, r.Design)
	}
	return r, nil
}

// version reads package.json, which tells LibreChat from other directories.
func version(dir string) (string, error) {
	const advice = "give the directory that holds LibreChat's api, client and packages"
	data, err := readFile(filepath.Join(dir, "package.json"))
	switch _, there := os.Stat(dir); {
	case errors.Is(there, fs.ErrNotExist):
		return "", hint.With(fmt.Errorf("there is no LibreChat directory %s", dir), "git clone https://github.com/danny-avila/LibreChat %s", dir)
	case errors.Is(err, syscall.ENOTDIR):
		return "", hint.With(fmt.Errorf("%s is a file, not a LibreChat directory", dir), advice)
	case errors.Is(err, fs.ErrNotExist):
		return "", hint.With(fmt.Errorf("%s is no LibreChat directory: it has no package.json", dir), advice)
	case errors.Is(err, fs.ErrPermission):
		return "", hint.With(fmt.Errorf("LibreChat directory: %w", err), "chmod -R a+rX %s, or run as its owner", dir)
	case err != nil:
		return "", fmt.Errorf("LibreChat directory: %w", err)
	}
	var p struct{ Name, Version string }
	if err := json.Unmarshal(data, &p); err != nil {
		return "", hint.With(fmt.Errorf("%s is no LibreChat directory: its package.json cannot be read: %w", dir, err), "git checkout package.json")
	}
	if !strings.EqualFold(p.Name, "LibreChat") {
		return "", hint.With(fmt.Errorf("%s is no LibreChat directory: its package.json names %q", dir, p.Name), advice)
	}
	return p.Version, nil
}

// parts are files that a built release has, with what makes them.
var parts = []struct{ path, command string }{
	{"api/server/index.js", "git checkout ."},
	{"api/server/routes/agents/index.js", "git checkout ."},
	{"node_modules", "npm ci"},
	{"packages/data-provider/dist", "npm run frontend"},
	{"packages/data-schemas/dist", "npm run frontend"},
	{"packages/api/dist/index.js", "npm run frontend"},
	{"client/dist/index.html", "npm run frontend"},
}

// built reports all parts that are missing at once, and the commands that make them.
func built(dir string) error {
	var missing, commands []string
	for _, p := range parts {
		_, err := os.Stat(filepath.Join(dir, filepath.FromSlash(p.path)))
		if err == nil {
			continue
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("LibreChat in %s: %w", dir, err)
		}
		missing = append(missing, p.path)
		if !slices.Contains(commands, p.command) {
			commands = append(commands, p.command)
		}
	}
	if len(missing) > 0 {
		return hint.With(fmt.Errorf("LibreChat in %s is not built: %s missing", dir, strings.Join(missing, ", ")), "cd %s && %s", dir, strings.Join(commands, " && "))
	}
	return nil
}

const (
	// streamRoute is in the routes of releases that generate after the POST.
	streamRoute = "/chat/stream/:streamId"
	// readyLine is in the bundle of those that start their stream manager
	// after they listen. A chat before it lands in the wrong store.
	readyLine = "[GenerationJobManager] Configured with"
)

// design finds out by the files how the release streams.
func (r *Release) design() error {
	routes := filepath.Join(r.Dir, "api", "server", "routes", "agents", "index.js")
	after, err := contains(routes, streamRoute)
	if err != nil {
		return fmt.Errorf("find how LibreChat streams: %w", err)
	}
	r.Design = StreamsInPost
	if after {
		r.Design = GeneratesAfterPost
	}
	late, err := contains(filepath.Join(r.Dir, "packages", "api", "dist", "index.js"), readyLine)
	if err != nil {
		return fmt.Errorf("find when LibreChat is ready: %w", err)
	}
	if late {
		r.ReadyLog = regexp.QuoteMeta(readyLine)
	}
	return nil
}

func contains(file, text string) (bool, error) {
	data, err := readFile(file)
	return bytes.Contains(data, []byte(text)), err
}

// readFile reads a file of a sane size.
func readFile(file string) ([]byte, error) { return bounded.ReadFile(file, maxFile) }
