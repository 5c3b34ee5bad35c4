package uploadscript_test

import (
	"bytes"
	"os/exec"
	"testing"

	"github.com/aproorg/sluice/internal/testdeps"
	"github.com/aproorg/sluice/internal/uploadscript"
)

// TestSyntax: the script is ECMAScript 2018, which docs/uploads.md promises, as the parser reads it that Node has in it.
func TestSyntax(t *testing.T) {
	node := testdeps.Node(t)
	parse := func(source []byte) ([]byte, error) {
		cmd := exec.CommandContext(t.Context(), node, "--expose-internals", "-e",
			`require('internal/deps/acorn/acorn/dist/acorn').parse(require('fs').readFileSync(0, 'utf8'), { ecmaVersion: 2018 })`)
		cmd.Stdin = bytes.NewReader(source)
		return cmd.CombinedOutput()
	}
	if out, err := parse([]byte("({ ...{} })")); err != nil {
		t.Skipf("this Node has no parser that can be asked: %v\n%s", err, out)
	}
	if out, err := parse([]byte("a?.b")); err == nil {
		t.Fatalf("what is newer passes: %s", out)
	}
	if out, err := parse(uploadscript.Script()); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}
