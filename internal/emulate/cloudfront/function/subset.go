package function

import (
	"fmt"
	"reflect"
	"slices"

	"github.com/dop251/goja/ast"
)

// checkSubset refuses what goja can run and CloudFront cannot: classes and
// generators, and with runtime 1.0 let, const, async functions and optional chaining
// ("JavaScript runtime 1.0 features", "2.0 features"); and the modules that the
// emulator does not have. Newer syntax that the guide does not mention, such as
// destructuring, is let through: a test of the function on AWS has the last word.
func checkSubset(program *ast.Program, runtime string) error {
	c := subset{old: runtime == "cloudfront-js-1.0"}
	for _, statement := range program.Body {
		c.walk(reflect.ValueOf(statement))
	}
	return c.err
}

type subset struct {
	old bool
	err error
}

func (c *subset) refuse(what string) {
	if c.err == nil {
		c.err = fmt.Errorf("%s: CloudFront Functions do not have it", what)
	}
}

func (c *subset) refuseOld(what string) {
	if c.old {
		c.refuse(what + " in runtime cloudfront-js-1.0")
	}
}

// walk visits every node below v. The tree has no cycles but through scopes of
// identifiers, which are not nodes.
func (c *subset) walk(v reflect.Value) {
	if c.err != nil || !v.IsValid() {
		return
	}
	switch v.Kind() {
	case reflect.Interface:
		c.walk(v.Elem())
	case reflect.Pointer:
		if v.IsNil() {
			return
		}
		if n, ok := v.Interface().(ast.Node); ok {
			c.node(n)
		}
		c.walk(v.Elem())
	case reflect.Slice:
		for i := range v.Len() {
			c.walk(v.Index(i))
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() && v.Type().Field(i).Name != "DeclarationList" {
				c.walk(v.Field(i))
			}
		}
	}
}

func (c *subset) node(n ast.Node) {
	switch n := n.(type) {
	case *ast.ClassLiteral, *ast.ClassDeclaration:
		c.refuse("class")
	case *ast.YieldExpression:
		c.refuse("yield")
	case *ast.MetaProperty:
		c.refuse("new.target or import.meta")
	case *ast.FunctionLiteral:
		if n.Generator {
			c.refuse("generator function")
		}
		if n.Async {
			c.refuseOld("async function")
		}
	case *ast.ArrowFunctionLiteral:
		if n.Async {
			c.refuseOld("async function")
		}
	case *ast.LexicalDeclaration:
		c.refuseOld(n.Token.String())
	case *ast.OptionalChain:
		c.refuseOld("optional chaining")
	case *ast.Identifier:
		if n.Name == "Buffer" {
			c.unknown("Buffer")
		}
	case *ast.CallExpression:
		c.require(n)
	}
}

func (c *subset) unknown(what string) {
	if c.err == nil {
		c.err = fmt.Errorf("%s is not emulated", what)
	}
}

// require refuses modules that this emulator does not have.
func (c *subset) require(call *ast.CallExpression) {
	callee, ok := call.Callee.(*ast.Identifier)
	if !ok || callee.Name != "require" || len(call.ArgumentList) != 1 {
		return
	}
	if name, ok := call.ArgumentList[0].(*ast.StringLiteral); ok && !slices.Contains(modules, name.Value.String()) {
		c.unknown(fmt.Sprintf("module %q", name.Value.String()))
	}
}
