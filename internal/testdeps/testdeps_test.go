package testdeps_test

import (
	"os/exec"
	"testing"

	"github.com/aproorg/sluice/internal/testdeps"
)

func TestPythonHasTheMCPClient(t *testing.T) {
	python, packages := testdeps.Python(t)
	command := exec.CommandContext(t.Context(), python, "-c", "import mcp.client.streamable_http")
	command.Env = append(command.Environ(), "PYTHONPATH="+packages)
	if out, err := command.CombinedOutput(); err != nil {
		t.Errorf("import mcp: %v\n%s", err, out)
	}
}

func TestNodeHasTheMCPServerAndClient(t *testing.T) {
	modules := testdeps.NodeModules(t)
	script := `for (const name of ["@modelcontextprotocol/sdk/client/index.js", "@modelcontextprotocol/server-everything/package.json"]) require.resolve(name, { paths: [process.argv[1]] })`
	if out, err := exec.CommandContext(t.Context(), testdeps.Node(t), "-e", script, modules).CombinedOutput(); err != nil {
		t.Errorf("resolve: %v\n%s", err, out)
	}
}
