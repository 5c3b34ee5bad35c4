package facts

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
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
	if err := r.look(); err != nil {
		return Release{}, err
	}
	if r.Untried {
		return r, fmt.Errorf("%s names %q: %w; known are v0.8.x. It runs plain, by its files as one that %s", filepath.Join(abs, "package.json"), r.Version, ErrUnknownVersion, r.Design)
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

// A part is a file that a built release has, with the command that makes it.
type part struct{ path, command string }

// partsOf are all of them, by the package.json of each package: packages/api builds
// index.js up to v0.8.6, and index.cjs after.
func partsOf(dir string) ([]part, error) {
	var root manifest
	if err := root.read(filepath.Join(dir, packageFile)); err != nil {
		return nil, err
	}
	parts := []part{{serverFile, "git checkout ."}, {routesFile, "git checkout ."}, {"node_modules", "npm ci"}}
	for _, name := range []string{"data-provider", "data-schemas", "api"} {
		file := path.Join("packages", name, packageFile)
		var p manifest
		if err := p.read(filepath.Join(dir, filepath.FromSlash(file))); errors.Is(err, fs.ErrNotExist) {
			parts = append(parts, part{file, "git checkout ."})
			continue
		} else if err != nil {
			return nil, err
		}
		parts = append(parts, part{path.Join("packages", name, cmp.Or(p.Main, "dist")), root.build("build:packages")})
	}
	return append(parts, part{"client/dist/index.html", root.build("build:client")}), nil
}

// manifest is what is read of a package.json.
type manifest struct {
	Main    string
	Scripts map[string]string
}

func (m *manifest) read(file string) error {
	data, err := readFile(file)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(data, m); err != nil {
		return hint.With(fmt.Errorf("%s cannot be read: %w", file, err), "git checkout %s", file)
	}
	return nil
}

// build is the command of a script of the root, where it has it, or else of the one that
// builds everything.
func (m manifest) build(script string) string {
	if m.Scripts[script] == "" {
		script = "frontend"
	}
	return "npm run " + script
}

// built reports all parts that are missing at once, and the commands that make them.
func built(dir string) error {
	parts, err := partsOf(dir)
	if err != nil {
		return fmt.Errorf("LibreChat in %s: %w", dir, err)
	}
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

// look finds out by the marks what the release can do.
func (r *Release) look() error {
	var here, after, late bool
	for _, l := range []struct {
		mark mark
		to   *bool
	}{{known, &here}, {afterPost, &after}, {acrossProcesses, &r.AcrossProcesses}, {keepsJobs, &r.KeepsJobs}, {readyRoute, &r.Readyz}, {managerReady, &late}} {
		var err error
		if *l.to, err = l.mark.in(r.Dir); err != nil {
			return fmt.Errorf("find what LibreChat can do: %w", err)
		}
	}
	r.Untried, r.Design = !here, StreamsInPost
	if after {
		r.Design = GeneratesAfterPost
	}
	if late && !r.Readyz {
		r.ReadyLog = regexp.QuoteMeta(managerReady.text)
	}
	return nil
}

// readFile reads a file of a sane size.
func readFile(file string) ([]byte, error) { return bounded.ReadFile(file, maxFile) }
