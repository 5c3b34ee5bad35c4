package depcheck

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"
)

var example = regexp.MustCompile("(?s)<!-- example: (\\S+) -->\n```go\n(.*?)```")

// TestContributingExamplesCompile builds each example as the file that it is to be.
func TestContributingExamplesCompile(t *testing.T) {
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(root, "CONTRIBUTING.md"))
	if err != nil {
		t.Fatal(err)
	}
	examples := example.FindAllSubmatch(text, -1)
	if len(examples) == 0 {
		t.Fatal("CONTRIBUTING.md has no example")
	}
	for _, match := range examples {
		path := filepath.Join(root, string(match[1]))
		written := filepath.Join(t.TempDir(), "example.go")
		overlay := filepath.Join(t.TempDir(), "overlay.json")
		places, err := json.Marshal(map[string]map[string]string{"Replace": {path: written}})
		if err != nil {
			t.Fatal(err)
		}
		for name, content := range map[string][]byte{written: match[2], overlay: places} {
			if err := os.WriteFile(name, content, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		build := exec.CommandContext(t.Context(), "go", "build", "-overlay", overlay, "./"+filepath.Dir(string(match[1])))
		build.Dir = root
		if out, err := build.CombinedOutput(); err != nil {
			t.Errorf("the example for %s does not compile: %v\n%s", match[1], err, out)
		}
	}
}
