package depcheck

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// noCommandLine are packages that know no command line: the command adds the
// flag that mends an error to it (listenAdvice of cli/up).
var noCommandLine = []string{
	"internal/awsx", "internal/bootstrapbin", "internal/cost", "internal/deploy", "internal/emulate", "internal/graph", "internal/image", "internal/infra",
	"internal/probe", "internal/rehearse", "internal/site", "internal/stack", "internal/timeline",
}

// otherPrograms are those whose flags such a package may name: it says which command of theirs helps.
var otherPrograms = []string{"skopeo ", "systemd-run ", "$(aws ", "&& aws ", "aws elasticache wait "}

var flag = regexp.MustCompile(`(^|[\s(])--[a-z]`)

func TestTextOfErrors(t *testing.T) {
	for path, p := range packages(t) {
		if !strings.HasPrefix(path, module) {
			continue
		}
		for _, name := range p.GoFiles {
			file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(p.Dir, name), nil, 0)
			if err != nil {
				t.Fatal(err)
			}
			ast.Inspect(file, func(n ast.Node) bool {
				literal, ok := n.(*ast.BasicLit)
				if !ok || literal.Kind != token.STRING {
					return true
				}
				text, err := strconv.Unquote(literal.Value)
				if err != nil {
					t.Fatal(err)
				}
				where := strings.TrimPrefix(path, module) + "/" + name
				if strings.Contains(text, "(hint:") && !within(path, "internal/hint") {
					t.Errorf("%s: %q: advice is a typed part of an error, see hint.With", where, text)
				}
				if withinAny(path, noCommandLine) && flag.MatchString(text) && !namesAny(text, otherPrograms) {
					t.Errorf("%s: %q: a flag of the command line, which the package does not know", where, text)
				}
				return true
			})
		}
	}
}

func namesAny(text string, programs []string) bool {
	for _, program := range programs {
		if strings.Contains(text, program) {
			return true
		}
	}
	return false
}
