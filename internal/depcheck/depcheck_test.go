// Package depcheck holds the direction of imports between the packages, as
// docs/architecture.md draws it. It has tests only.
package depcheck

import (
	"encoding/json"
	"errors"
	"go/doc"
	"go/parser"
	"go/token"
	"io"
	"io/fs"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/aproorg/sluice/"

type pkg struct {
	ImportPath string
	Dir        string
	GoFiles    []string
	Imports    []string
	Deps       []string
	Standard   bool
}

// packages lists the module's packages and all that they depend on.
func packages(t *testing.T) map[string]pkg {
	t.Helper()
	cmd := exec.Command("go", "list", "-deps", "-json=ImportPath,Dir,GoFiles,Imports,Deps,Standard", "./...")
	cmd.Dir = "../.."
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	all := map[string]pkg{}
	for dec := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p pkg
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		all[p.ImportPath] = p
	}
}

// under tells whether path is one of the module's packages below any of the folders.
func under(path string, folders ...string) bool {
	return slices.ContainsFunc(folders, func(f string) bool {
		return path == module+f || strings.HasPrefix(path, module+f+"/")
	})
}

var (
	emulators = []string{"internal/emulate"}
	adapters  = []string{"internal/awsx", "internal/image", "internal/site", "internal/infra"}
	bootstrap = []string{"internal/bootstrap", "internal/runtimeapi", "internal/proxyevent", "internal/supervise", "internal/drain",
		"internal/relay", "internal/settings", "internal/sse", "internal/coldstart", "internal/dotenv", "internal/configfile", "internal/freeport"}
)

// forbidden says what the packages below a folder must not import, directly or not.
var forbidden = []struct {
	from []string
	to   []string
	why  string
}{
	{emulators, append([]string{"internal/cli", "internal/ui", "internal/deploy", "internal/rehearse", "internal/probe"}, bootstrap...),
		"two readings of each protocol: emulators never see the bootstrap's, nor what drives them"},
	{bootstrap, append([]string{"internal/cli", "internal/ui", "internal/stack", "internal/timeline", "internal/awsx"}, emulators...),
		"the bootstrap in the image is small and knows nothing of the tool"},
	{adapters, []string{"internal/cli", "internal/ui", "internal/rehearse", "internal/deploy"}, "adapters do not know who calls them"},
	{[]string{"internal/probe"}, []string{"internal/deploy", "internal/rehearse", "internal/emulate", "internal/awsx"}, "the probe is a black box's"},
	{[]string{"internal/stack", "internal/timeline"}, []string{"internal/cli", "internal/ui", "internal/rehearse", "internal/emulate"}, "the model depends on nothing above it"},
	{[]string{"internal/rehearse", "internal/deploy"}, []string{"internal/cli"}, "commands call down"},
	{[]string{"internal/librechat"}, append([]string{"internal/rehearse", "internal/cli"}, emulators...), "what a release needs is a description"},
}

func TestDirectionOfImports(t *testing.T) {
	all := packages(t)
	for path, p := range all {
		for _, rule := range forbidden {
			if !under(path, rule.from...) {
				continue
			}
			for _, dep := range p.Deps {
				if under(dep, rule.to...) && !under(dep, rule.from...) {
					t.Errorf("%s depends on %s: %s", path, dep, rule.why)
				}
			}
		}
	}
}

// owners says who alone may import a library.
var owners = map[string][]string{
	"github.com/spf13/cobra":       {"internal/cli"},
	"github.com/aws/aws-lambda-go": {"internal/runtimeapi", "internal/bootstrap", "internal/relay", "internal/proxyevent"},
	"github.com/aws/aws-sdk-go-v2": {"internal/awsx", "internal/coldstart"},
}

func TestOwnersOfLibraries(t *testing.T) {
	for path, p := range packages(t) {
		if !strings.HasPrefix(path, module) {
			continue
		}
		for _, dep := range p.Imports {
			for library, by := range owners {
				if (dep == library || strings.HasPrefix(dep, library+"/")) && !under(path, by...) {
					t.Errorf("%s imports %s: only %s may", path, dep, strings.Join(by, ", "))
				}
			}
		}
	}
}

func TestStackIsPure(t *testing.T) {
	p, ok := packages(t)[module+"internal/stack"]
	if !ok {
		t.Fatal("internal/stack is gone")
	}
	for _, dep := range p.Imports {
		if dep == "os" || dep == "net" || strings.HasPrefix(dep, "os/") || strings.HasPrefix(dep, "net/") {
			t.Errorf("internal/stack imports %s: it reads bytes that it is handed", dep)
		}
	}
}

func TestBootstrapImportsLittle(t *testing.T) {
	allowed := []string{"github.com/aws/", "gopkg.in/yaml", "go.yaml.in/yaml", "golang.org/x/sys"}
	all := packages(t)
	for _, dep := range all[module+"cmd/bootstrap"].Deps {
		if all[dep].Standard || strings.HasPrefix(dep, module) {
			continue
		}
		if !slices.ContainsFunc(allowed, func(a string) bool { return strings.HasPrefix(dep, a) }) {
			t.Errorf("cmd/bootstrap depends on %s", dep)
		}
	}
}

// TestPackageDocs reads each package's doc: one comment, that names it, in one file.
func TestPackageDocs(t *testing.T) {
	for path, p := range packages(t) {
		if !strings.HasPrefix(path, module) || len(p.GoFiles) == 0 {
			continue
		}
		var comments []string
		name := ""
		for _, file := range p.GoFiles {
			f, err := parser.ParseFile(token.NewFileSet(), filepath.Join(p.Dir, file), nil, parser.ParseComments|parser.PackageClauseOnly)
			if errors.Is(err, fs.ErrNotExist) {
				continue
			}
			if err != nil {
				t.Fatal(err)
			}
			name = f.Name.Name
			if f.Doc != nil {
				comments = append(comments, f.Doc.Text())
			}
		}
		if len(comments) != 1 {
			t.Errorf("%s has %d package comments, want one", path, len(comments))
			continue
		}
		synopsis := new(doc.Package).Synopsis(comments[0])
		shortest := 80
		if name == "main" {
			name, shortest = filepath.Base(path), 40
		}
		if len(comments[0]) < shortest || !strings.Contains(strings.ToLower(synopsis), strings.ToLower(name)) {
			t.Errorf("%s: the package comment should say what %s is for and what it leaves out: %q", path, name, synopsis)
		}
	}
}
