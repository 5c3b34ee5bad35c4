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
	"maps"
	"os"
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

// within reports whether path is a package of the module in folder or below it.
func within(path, folder string) bool {
	return path == module+folder || strings.HasPrefix(path, module+folder+"/")
}

// withinAny reports whether path is within any of the folders.
func withinAny(path string, folders []string) bool {
	return slices.ContainsFunc(folders, func(f string) bool { return within(path, f) })
}

// wall keeps the packages in a folder and below it from depending on others,
// directly or through what they import. A folder that is not named in it may be
// imported freely; so may the packages behind the same wall.
type wall struct {
	folder string
	apart  []string // folders that must not be reached
	only   []string // if set, the folders below internal that alone may be reached
	why    string
}

// walls are the house's, as docs/architecture.md draws it: cmd -> cli, provider ->
// app -> rehearse, probe, deploy -> adapters, emulate -> stack.
var walls = []wall{
	{folder: "internal/bootstrap", only: []string{"internal/dotenv", "internal/configfile", "internal/freeport", "internal/hint", "internal/seal", "internal/redact", "internal/serveruri", "internal/uploadscript"},
		why: "the program in the image is small, and knows nothing of the tool"},
	{folder: "cmd/bootstrap", only: []string{"internal/bootstrap", "internal/dotenv", "internal/configfile", "internal/freeport", "internal/hint", "internal/seal", "internal/redact", "internal/serveruri", "internal/uploadscript"},
		why: "the program in the image is small, and knows nothing of the tool"},
	{folder: "internal/emulate", apart: []string{"internal/bootstrap", "internal/app", "internal/cli", "internal/ui", "internal/deploy", "internal/rehearse", "internal/probe", "internal/provider"},
		why: "two readings of each protocol: emulators never see the bootstrap's, nor what drives them"},
	{folder: "internal/stack", only: []string{"internal/hint"}, why: "what is deployed is a model that depends on nothing"},
	{folder: "internal/timeline", apart: []string{"internal/app", "internal/cli", "internal/ui", "internal/rehearse", "internal/emulate", "internal/probe", "internal/deploy"},
		why: "what was seen depends on nobody who sees"},
	{folder: "internal/awsx", apart: []string{"internal/app", "internal/cli", "internal/ui", "internal/rehearse", "internal/deploy", "internal/probe"}, why: adapters},
	{folder: "internal/image", apart: []string{"internal/app", "internal/cli", "internal/ui", "internal/rehearse", "internal/deploy", "internal/probe"}, why: adapters},
	{folder: "internal/site", apart: []string{"internal/app", "internal/cli", "internal/ui", "internal/rehearse", "internal/deploy", "internal/probe"}, why: adapters},
	{folder: "internal/infra", apart: []string{"internal/app", "internal/cli", "internal/ui", "internal/rehearse", "internal/deploy", "internal/probe"}, why: adapters},
	{folder: "internal/probe", apart: []string{"internal/app", "internal/cli", "internal/deploy", "internal/rehearse", "internal/emulate", "internal/awsx"},
		why: "the probe looks at a site from outside, and takes an app's facts as values"},
	{folder: "internal/probe/description", apart: []string{"internal"}, why: "what an app says of its paths is data that depends on nothing"},
	{folder: "internal/probe/report", apart: []string{"internal"}, why: "a report knows nothing of the checks that fill it"},
	{folder: "internal/rehearse", apart: []string{"internal/app", "internal/cli", "internal/ui", "internal/provider", "internal/deploy", "internal/probe"},
		why: "a rehearsal takes an app's facts as values"},
	{folder: "internal/deploy", apart: []string{"internal/app", "internal/cli", "internal/provider", "internal/rehearse"}, why: "a deployment takes an app's facts as values"},
	{folder: "internal/app", apart: []string{"internal/cli", "internal/ui", "internal/provider", "cmd"}, why: "an app is facts that commands read; it does not know who asks"},
	{folder: "internal/provider", apart: []string{"internal/cli", "internal/ui"}, why: "the provider is a command of its own"},
	{folder: "internal/cli/up", apart: []string{"internal/cli/check", "internal/cli/deploy", "internal/cli/parts", "internal/deploy", "internal/infra"}, why: groups},
	{folder: "internal/cli/check", apart: []string{"internal/cli/up", "internal/cli/deploy", "internal/cli/parts", "internal/deploy", "internal/infra"}, why: groups},
	{folder: "internal/cli/deploy", apart: []string{"internal/cli/up", "internal/cli/parts"}, why: groups},
	{folder: "internal/cli/parts", apart: []string{"internal/cli/up", "internal/cli/check", "internal/cli/deploy", "internal/deploy", "internal/infra"}, why: groups},
}

const groups = "groups of commands share package command; deploy ends with the check of verify, and nothing else reaches across"

const adapters = "adapters do not know who calls them, nor which app"

func (w wall) broken(dep string) bool {
	if within(dep, w.folder) || !strings.HasPrefix(dep, module) {
		return false
	}
	return len(w.only) > 0 && !withinAny(dep, w.only) || withinAny(dep, w.apart)
}

// chain is the shortest way of imports from a package to another.
func chain(all map[string]pkg, from, to string) string {
	came := map[string]string{from: ""}
	for queue := []string{from}; len(queue) > 0; queue = queue[1:] {
		if queue[0] == to {
			break
		}
		for _, next := range all[queue[0]].Imports {
			if _, seen := came[next]; !seen && strings.HasPrefix(next, module) {
				came[next] = queue[0]
				queue = append(queue, next)
			}
		}
	}
	var way []string
	for at := to; at != ""; at = came[at] {
		way = append([]string{strings.TrimPrefix(at, module)}, way...)
	}
	return strings.Join(way, " -> ")
}

func TestDirectionOfImports(t *testing.T) {
	all := packages(t)
	for _, w := range walls {
		found := false
		for _, path := range slices.Sorted(maps.Keys(all)) {
			if !within(path, w.folder) {
				continue
			}
			found = true
			for _, dep := range all[path].Deps {
				if w.broken(dep) {
					t.Errorf("%s\n\t%s", chain(all, path, dep), w.why)
				}
			}
		}
		if !found {
			t.Errorf("there is no package in %s: the wall around it holds nothing", w.folder)
		}
	}
}

// TestAppsAreKnownToTheRegistryAlone: whoever needs an app's facts asks the registry.
// A folder's own packages may import one another.
func TestAppsAreKnownToTheRegistryAlone(t *testing.T) {
	const apps, registry = module + "internal/app/", module + "internal/app/presets"
	for path, p := range packages(t) {
		for _, dep := range p.Imports {
			rest, ok := strings.CutPrefix(dep, apps)
			if folder, _, _ := strings.Cut(rest, "/"); ok && dep != registry && path != registry && !within(path, "internal/app/"+folder) {
				t.Errorf("%s imports %s: only the registry, internal/app/presets, may", path, dep)
			}
		}
	}
}

// TestOneAppIsNamedInItsFolderAlone: what is true of LibreChat alone does not stand
// elsewhere. Commands, tests and the Terraform package are about it; the registry has
// its line.
func TestOneAppIsNamedInItsFolderAlone(t *testing.T) {
	err := filepath.WalkDir("../..", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := filepath.ToSlash(strings.TrimPrefix(path, "../../"))
		for _, allowed := range []string{"internal/app/librechat", "cmd", "infrastructure/terraform", ".git", "node_modules"} {
			if name == allowed {
				return filepath.SkipDir
			}
		}
		if d.IsDir() || !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") || name == "internal/app/presets/presets.go" {
			return nil
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		for i, line := range strings.Split(string(text), "\n") {
			if strings.Contains(strings.ToLower(line), "librechat") {
				t.Errorf("%s:%d names LibreChat: its facts belong in internal/app/librechat: %s", name, i+1, strings.TrimSpace(line))
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// owners says who alone may import a library.
var owners = map[string][]string{
	"github.com/spf13/cobra":       {"internal/cli"},
	"github.com/spf13/pflag":       {"internal/cli"},
	"github.com/aws/aws-lambda-go": {"internal/bootstrap/runtimeapi", "internal/bootstrap", "internal/bootstrap/relay", "internal/bootstrap/proxyevent"},
	"github.com/aws/aws-sdk-go-v2": {"internal/awsx", "internal/bootstrap/coldstart", "internal/bootstrap/uploads"},
}

func TestOwnersOfLibraries(t *testing.T) {
	for path, p := range packages(t) {
		if !strings.HasPrefix(path, module) {
			continue
		}
		for _, dep := range p.Imports {
			for library, by := range owners {
				if (dep == library || strings.HasPrefix(dep, library+"/")) && !withinAny(path, by) {
					t.Errorf("%s imports %s: only %s may", path, dep, strings.Join(by, ", "))
				}
			}
		}
	}
}

func TestStackIsPure(t *testing.T) {
	all := packages(t)
	if _, ok := all[module+"internal/stack"]; !ok {
		t.Fatal("internal/stack is gone")
	}
	for path, p := range all {
		for _, dep := range p.Imports {
			if within(path, "internal/stack") && (dep == "os" || dep == "net" || strings.HasPrefix(dep, "os/") || strings.HasPrefix(dep, "net/")) {
				t.Errorf("%s imports %s: it reads bytes that it is handed", path, dep)
			}
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
