package depcheck

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"
)

// TestTestsWaitThroughTheKit: a test polls by testkit.Wait, which has a deadline and
// says what it saw last. A bare time.Sleep stands for real time, and says in a comment
// for which: on its line, or on the line above. Connections are accepted by
// testkit.Accept, and Node is found by testdeps.Node, which says how to install it.
func TestTestsWaitThroughTheKit(t *testing.T) {
	err := filepath.WalkDir("../..", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (d.Name() == "node_modules" || d.Name() == ".git" || d.Name() == "testdata") {
			return filepath.SkipDir
		}
		if !strings.HasSuffix(path, "_test.go") {
			return nil
		}
		files := token.NewFileSet()
		file, err := parser.ParseFile(files, path, nil, parser.ParseComments)
		if err != nil {
			return err
		}
		commented := map[int]bool{}
		for _, group := range file.Comments {
			for line := files.Position(group.Pos()).Line; line <= files.Position(group.End()).Line; line++ {
				commented[line] = true
			}
		}
		name := filepath.ToSlash(strings.TrimPrefix(path, "../../"))
		ast.Inspect(file, func(n ast.Node) bool {
			if loop, ok := n.(*ast.ForStmt); ok && loop.Post != nil && calls(loop.Post, "time", "Sleep") {
				t.Errorf("%s:%d polls by hand: use testkit.Wait", name, files.Position(n.Pos()).Line)
			}
			if loop, ok := n.(*ast.ForStmt); ok && accepts(loop) {
				t.Errorf("%s:%d accepts connections by hand: use testkit.Accept", name, files.Position(n.Pos()).Line)
			}
			call, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			line := files.Position(call.Pos()).Line
			if calls(call, "time", "Sleep") && !commented[line] && !commented[line-1] {
				t.Errorf("%s:%d sleeps: wait by testkit.Wait, or say in a comment what time it stands for", name, line)
			}
			if calls(call, "exec", "LookPath") && isText(call.Args[0], `"node"`) {
				t.Errorf("%s:%d looks for Node: use testdeps.Node", name, line)
			}
			return true
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// calls reports whether the node is a call of a package's function.
func calls(n ast.Node, in, function string) bool {
	if statement, ok := n.(*ast.ExprStmt); ok {
		n = statement.X
	}
	call, ok := n.(*ast.CallExpr)
	if !ok {
		return false
	}
	selector, ok := call.Fun.(*ast.SelectorExpr)
	if !ok || selector.Sel.Name != function {
		return false
	}
	name, ok := selector.X.(*ast.Ident)
	return ok && name.Name == in
}

// accepts reports whether a loop takes connections from a listener.
func accepts(loop *ast.ForStmt) (found bool) {
	ast.Inspect(loop, func(n ast.Node) bool {
		call, ok := n.(*ast.CallExpr)
		if ok && len(call.Args) == 0 {
			selector, ok := call.Fun.(*ast.SelectorExpr)
			found = found || ok && selector.Sel.Name == "Accept"
		}
		return !found
	})
	return found
}

func isText(n ast.Expr, want string) bool {
	literal, ok := n.(*ast.BasicLit)
	return ok && literal.Value == want
}
