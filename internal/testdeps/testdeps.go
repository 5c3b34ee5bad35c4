// Package testdeps finds, for tests, what `make deps` has installed: Node, and the
// packages of npm and PyPI that .ci/deps names. Each function skips the test where
// its part is missing. It installs nothing, and leaves out browsers (package
// chromiumtest) and moto (package mototest).
package testdeps

import (
	"cmp"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// Node returns the path of Node: $SLUICE_TEST_NODE, which holds a test against
// another release, or what the PATH has.
func Node(t testing.TB) string {
	t.Helper()
	return program(t, cmp.Or(os.Getenv("SLUICE_TEST_NODE"), "node"))
}

// NodeModules returns the node_modules folder that holds the official MCP server
// and TypeScript client. Node finds packages beside the file that imports them:
// link the folder into the one of the script.
func NodeModules(t testing.TB) string {
	t.Helper()
	return folder(t, "node_modules")
}

// Python returns the path of Python, and a folder with the official MCP client for
// its PYTHONPATH.
func Python(t testing.TB) (python, packages string) {
	t.Helper()
	return program(t, "python3"), folder(t, "python")
}

func program(t testing.TB, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Skipf("%s is not here: make deps", name)
	}
	return path
}

// folder returns one of the folders that .ci/deps installs packages into: in
// $SLUICE_TEST_PACKAGES, or in the user's cache, for all copies of the repository.
func folder(t testing.TB, name string) string {
	t.Helper()
	packages := os.Getenv("SLUICE_TEST_PACKAGES")
	if packages == "" {
		cache := os.Getenv("XDG_CACHE_HOME")
		if cache == "" {
			cache = filepath.Join(os.Getenv("HOME"), ".cache")
		}
		packages = filepath.Join(cache, "sluice", "test-packages")
	}
	path := filepath.Join(packages, name)
	if _, err := os.Stat(path); err != nil {
		t.Skipf("%s is not here: make deps", path)
	}
	return path
}
