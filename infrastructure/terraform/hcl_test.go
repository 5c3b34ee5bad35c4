package terraform

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/hashicorp/hcl/v2/hclwrite"
)

// module is a folder of HCL, parsed.
type module struct {
	dir    string
	source map[string][]byte // by file name
	blocks []*hclsyntax.Block
}

// modules are all folders of Files with HCL, by their path.
func modules(t *testing.T) map[string]*module {
	t.Helper()
	all := map[string]*module{}
	names, _ := fs.Glob(Files, "*/*/*.tf")
	for _, name := range names {
		data, err := fs.ReadFile(Files, name)
		if err != nil {
			t.Fatal(err)
		}
		dir := path.Dir(name)
		if all[dir] == nil {
			all[dir] = &module{dir: dir, source: map[string][]byte{}}
		}
		all[dir].source[name] = data
		file, diags := hclsyntax.ParseConfig(data, name, hcl.InitialPos)
		if diags.HasErrors() {
			t.Fatal(diags)
		}
		all[dir].blocks = append(all[dir].blocks, file.Body.(*hclsyntax.Body).Blocks...)
	}
	return all
}

func TestFormat(t *testing.T) {
	for _, m := range modules(t) {
		for name, data := range m.source {
			if diff := cmp.Diff(string(data), string(hclwrite.Format(data))); diff != "" {
				t.Errorf("%s is not formatted (tofu fmt -recursive infrastructure/terraform):\n%s", name, diff)
			}
		}
	}
}

// TestLineCount holds the promise of a system of under 500 lines, without
// comments and variable definitions. Modules of optional parts do not count.
func TestLineCount(t *testing.T) {
	all, total := modules(t), 0
	for _, dir := range slices.Sorted(maps.Keys(all)) {
		n := all[dir].lines()
		if !slices.Contains([]string{"environments/dev", "modules/api-gateway", "modules/backend", "modules/frontend", "modules/redis"}, dir) {
			t.Logf("%4d %s (optional)", n, dir)
			continue
		}
		t.Logf("%4d %s", n, dir)
		total += n
	}
	t.Logf("%4d in all", total)
	if total >= 500 {
		t.Errorf("%d lines, not under 500", total)
	}
}

// TestLineWidth: no line of HCL is wider than a screen, comments and
// descriptions included.
func TestLineWidth(t *testing.T) {
	const most = 140
	widest, at := 0, ""
	check := func(name, text string) {
		for n, line := range strings.Split(text, "\n") {
			width := utf8.RuneCountInString(line)
			if width > most {
				t.Errorf("%s:%d has %d columns, not at most %d", name, n+1, width, most)
			}
			if width > widest {
				widest, at = width, fmt.Sprintf("%s:%d", name, n+1)
			}
		}
	}
	for _, m := range modules(t) {
		for name, data := range m.source {
			check(name, string(data))
		}
	}
	for _, name := range []string{"environments/dev/terraform.tfvars.json", "testdata/account/main.tf"} {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		check(name, string(data))
	}
	t.Logf("the widest is %s with %d", at, widest)
}

// lines counts lines that hold a token outside of comments and variable blocks.
func (m *module) lines() int {
	type line struct {
		file string
		n    int
	}
	seen := map[line]bool{}
	for name, data := range m.source {
		tokens, _ := hclsyntax.LexConfig(data, name, hcl.InitialPos)
		for _, token := range tokens {
			switch token.Type {
			case hclsyntax.TokenComment, hclsyntax.TokenNewline, hclsyntax.TokenEOF:
				continue
			}
			for n := token.Range.Start.Line; n <= token.Range.End.Line; n++ {
				seen[line{name, n}] = true
			}
		}
	}
	for _, b := range m.ofType("variable") {
		r := hcl.RangeBetween(b.TypeRange, b.CloseBraceRange)
		for n := r.Start.Line; n <= r.End.Line; n++ {
			delete(seen, line{r.Filename, n})
		}
	}
	return len(seen)
}

func (m *module) ofType(kind string) []*hclsyntax.Block {
	var all []*hclsyntax.Block
	for _, b := range m.blocks {
		if b.Type == kind {
			all = append(all, b)
		}
	}
	return all
}

// labelled returns the names that a kind of block declares: "x" or "type.x".
func (m *module) labelled(kind string) map[string]*hclsyntax.Block {
	all := map[string]*hclsyntax.Block{}
	for _, b := range m.ofType(kind) {
		all[strings.Join(b.Labels, ".")] = b
	}
	return all
}

func (m *module) locals() map[string]bool {
	all := map[string]bool{}
	for _, b := range m.ofType("locals") {
		for name := range b.Body.Attributes {
			all[name] = true
		}
	}
	return all
}

// references are the dotted beginnings of every traversal of the module.
func (m *module) references() map[string]hcl.Range {
	all := map[string]hcl.Range{}
	for _, b := range m.blocks {
		hclsyntax.VisitAll(b.Body, func(n hclsyntax.Node) hcl.Diagnostics {
			if e, ok := n.(*hclsyntax.ScopeTraversalExpr); ok {
				all[dotted(e.Traversal)] = e.SrcRange
			}
			return nil
		})
	}
	return all
}

// dotted writes a traversal up to its third name, without keys.
func dotted(t hcl.Traversal) string {
	var parts []string
	for _, step := range t {
		switch s := step.(type) {
		case hcl.TraverseRoot:
			parts = append(parts, s.Name)
		case hcl.TraverseAttr:
			parts = append(parts, s.Name)
		}
		if len(parts) == 3 {
			break
		}
	}
	return strings.Join(parts, ".")
}

// TestReferences: what is named exists, and every variable and local is used.
func TestReferences(t *testing.T) {
	all := modules(t)
	for dir, m := range all {
		known := map[string]bool{}
		variables, locals := m.labelled("variable"), m.locals()
		used := map[string]bool{}
		for _, kind := range []string{"resource", "data"} {
			for label := range m.labelled(kind) {
				known[map[string]string{"resource": "", "data": "data."}[kind]+label] = true
			}
		}
		for ref, at := range m.references() {
			parts := strings.Split(ref, ".")
			switch parts[0] {
			case "var":
				used["variable "+parts[1]] = true
				if variables[parts[1]] == nil {
					t.Errorf("%s: %s is not declared", at, ref)
				}
			case "local":
				used["local "+parts[1]] = true
				if !locals[parts[1]] {
					t.Errorf("%s: %s is not declared", at, ref)
				}
			case "module":
				m.checkOutput(t, all, parts, at)
			case "data":
				if !known[strings.Join(parts[:3], ".")] {
					t.Errorf("%s: %s is not declared", at, ref)
				}
			default:
				if strings.HasPrefix(parts[0], "aws_") && !known[strings.Join(parts[:2], ".")] {
					t.Errorf("%s: %s is not declared", at, ref)
				}
			}
		}
		for name := range variables {
			if !used["variable "+name] {
				t.Errorf("%s: variable %s is not used", dir, name)
			}
		}
		for name := range locals {
			if !used["local "+name] {
				t.Errorf("%s: local %s is not used", dir, name)
			}
		}
	}
}

func (m *module) checkOutput(t *testing.T, all map[string]*module, parts []string, at hcl.Range) {
	t.Helper()
	call := m.labelled("module")[parts[1]]
	if call == nil {
		t.Errorf("%s: module.%s is not called", at, parts[1])
		return
	}
	if len(parts) < 3 {
		return
	}
	if face := interfaceOf(t, all, m.dir, call); !slices.Contains(face.Outputs, parts[2]) {
		t.Errorf("%s: module %s has no output %s", at, face.Source, parts[2])
	}
}

// face is what a module takes and gives.
type face struct {
	Source   string   `json:"source"`
	Version  string   `json:"version,omitempty"`
	Required []string `json:"required"`
	Optional []string `json:"optional"`
	Outputs  []string `json:"outputs"`
}

// interfaceOf returns the interface of the called module: read from the folder
// where it is ours, recorded in testdata/interfaces where it is a registry's.
func interfaceOf(t *testing.T, all map[string]*module, dir string, call *hclsyntax.Block) face {
	t.Helper()
	source := literal(call.Body.Attributes["source"])
	if strings.HasPrefix(source, ".") {
		m := all[path.Join(dir, source)]
		if m == nil {
			t.Fatalf("%s: module %q is not there", dir, source)
		}
		return m.face(source, "")
	}
	data, err := os.ReadFile(recorded(source))
	if err != nil {
		t.Fatal(err)
	}
	var f face
	if err := json.Unmarshal(data, &f); err != nil {
		t.Fatal(err)
	}
	if version := literal(call.Body.Attributes["version"]); f.Version != version {
		t.Fatalf("%s uses %s %s; the recorded interface is that of %s: go test -run TestInterfaces -update where tofu is", dir, source, version, f.Version)
	}
	return f
}

func recorded(source string) string {
	return filepath.Join("testdata", "interfaces", strings.Split(source, "/")[1]+".json")
}

func (m *module) face(source, version string) face {
	f := face{Source: source, Version: version, Outputs: slices.Sorted(maps.Keys(m.labelled("output")))}
	for name, b := range m.labelled("variable") {
		if b.Body.Attributes["default"] == nil {
			f.Required = append(f.Required, name)
		} else {
			f.Optional = append(f.Optional, name)
		}
	}
	slices.Sort(f.Required)
	slices.Sort(f.Optional)
	return f
}

func literal(a *hclsyntax.Attribute) string {
	if a == nil {
		return ""
	}
	v, _ := a.Expr.Value(nil)
	if v.IsNull() || !v.IsKnown() || v.Type().FriendlyName() != "string" {
		return ""
	}
	return v.AsString()
}

// TestModuleInputs: every call gives what the module asks for, and nothing else.
func TestModuleInputs(t *testing.T) {
	all := modules(t)
	meta := []string{"source", "version", "count", "for_each", "depends_on", "providers"}
	for dir, m := range all {
		for name, call := range m.labelled("module") {
			f := interfaceOf(t, all, dir, call)
			for argument := range call.Body.Attributes {
				if !slices.Contains(meta, argument) && !slices.Contains(f.Required, argument) && !slices.Contains(f.Optional, argument) {
					t.Errorf("%s: module %s has no input %s", dir, name, argument)
				}
			}
			for _, required := range f.Required {
				if call.Body.Attributes[required] == nil {
					t.Errorf("%s: module %s lacks its input %s", dir, name, required)
				}
			}
		}
	}
}

// TestDescribed: a variable says what it is and of which type, an output has a
// comment above it, and a validation ends its sentence.
func TestDescribed(t *testing.T) {
	for dir, m := range modules(t) {
		for name, b := range m.labelled("variable") {
			if literal(b.Body.Attributes["description"]) == "" || b.Body.Attributes["type"] == nil {
				t.Errorf("%s: variable %s lacks its description or type", dir, name)
			}
			for _, v := range b.Body.Blocks {
				if message := strings.TrimSpace(literal(v.Body.Attributes["error_message"])); !strings.HasSuffix(message, ".") {
					t.Errorf("%s: a validation of %s says %q: no sentence", dir, name, message)
				}
			}
		}
		for name, b := range m.labelled("output") {
			if m.commentAbove(b) == "" {
				t.Errorf("%s: output %s lacks a comment", dir, name)
			}
		}
	}
}

// commentAbove returns the comment lines right above a block, joined.
func (m *module) commentAbove(b *hclsyntax.Block) string {
	lines := bytes.Split(m.source[b.TypeRange.Filename], []byte("\n"))
	var comment []string
	for n := b.TypeRange.Start.Line - 2; n >= 0 && bytes.HasPrefix(lines[n], []byte("# ")); n-- {
		comment = append([]string{string(lines[n][2:])}, comment...)
	}
	return strings.Join(comment, " ")
}

// TestPinned: registry modules and providers have exact versions; hashicorp/random
// is the elasticache module's, and any 3.7 will do. The oldest programs that run the modules
// are those that docs/quickstart.md names; prod's state needs newer ones.
func TestPinned(t *testing.T) {
	for dir, m := range modules(t) {
		for name, call := range m.labelled("module") {
			source, version := literal(call.Body.Attributes["source"]), literal(call.Body.Attributes["version"])
			if !strings.HasPrefix(source, ".") && !exact(version) {
				t.Errorf("%s: module %s has the version %q", dir, name, version)
			}
		}
		for _, b := range m.ofType("terraform") {
			oldest := ">= 1.5.7"
			if dir == "environments/prod" {
				oldest = ">= 1.10.0"
			}
			if literal(b.Body.Attributes["required_version"]) != oldest {
				t.Errorf("%s: required_version is not %s", dir, oldest)
			}
		}
	}
}

func exact(version string) bool {
	return version != "" && strings.Trim(version, "0123456789.") == "" && strings.Count(version, ".") == 2
}
