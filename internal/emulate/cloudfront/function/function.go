package function

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/aproorg/sluice/internal/stack"
	"github.com/dop251/goja"
)

// Quotas of CloudFront Functions. The real bound on computing is about a
// millisecond; here only a function that never ends is stopped.
const (
	maxFunction      = 10 << 10
	maxFunctionBody  = 40 << 10
	maxFunctionTime  = 500 * time.Millisecond
	maxFunctionStack = 256
)

// Function is a CloudFront Function, compiled. Every run has a world of its own:
// CloudFront keeps nothing from one request to the next. It is safe for concurrent
// use.
type Function struct {
	name    string
	program *goja.Program
}

// functionError is a function that threw, did not end, or is not there.
type functionError struct{ error }

func (e functionError) Unwrap() error { return e.error }

// InvalidResult is a result that CloudFront refuses, with 502. A function that
// failed to run has 503.
type InvalidResult struct{ error }

func (e InvalidResult) Unwrap() error { return e.error }

// importLine is the form in which runtime 2.0 loads modules. goja has scripts
// only, so it becomes a require on the same line.
var importLine = regexp.MustCompile(`(?m)^([ \t]*)import[ \t]+(\w+)[ \t]+from[ \t]+(['"]\w+['"])[ \t]*;?`)

// New compiles a function, and refuses what CloudFront or the emulator does not have.
func New(f stack.FunctionAssociation) (*Function, error) {
	if len(f.Code) > maxFunction {
		return nil, fmt.Errorf("%d bytes of code: the limit is 10 KB (%d)", len(f.Code), maxFunction)
	}
	code := f.Code
	switch f.Runtime {
	case "cloudfront-js-2.0", "":
		code = importLine.ReplaceAllString(code, "${1}const $2 = require($3);")
	case "cloudfront-js-1.0":
	default:
		return nil, fmt.Errorf("unknown runtime %q", f.Runtime)
	}
	ast, err := goja.Parse(f.Name, code)
	if err != nil {
		return nil, fmt.Errorf("parse: %w", err)
	}
	if err := checkSubset(ast, f.Runtime); err != nil {
		return nil, err
	}
	program, err := goja.CompileAST(ast, true) // functions run in strict mode
	if err != nil {
		return nil, fmt.Errorf("compile: %w", err)
	}
	return &Function{name: f.Name, program: program}, nil
}

// sandbox takes away what functions do not have: code made at run time.
var sandbox = goja.MustCompile("sandbox", `(function () {
	var deny = function () { throw new TypeError("dynamic code evaluation is not supported"); };
	deny.prototype = Function.prototype;
	Object.defineProperty(Function.prototype, "constructor", { value: deny });
	globalThis.Function = deny;
	globalThis.eval = deny;
})();`, false)

// entryPoint finds the handler however it was declared and turns its result into
// text.
var entryPoint = goja.MustCompile("entry", `(function (text, settle) {
	if (typeof handler !== "function") throw new ReferenceError("handler is not a function");
	var result = handler(JSON.parse(text));
	if (result && typeof result.then === "function") {
		result.then(function (v) { settle(JSON.stringify(v)); }, function (e) { settle(undefined, String(e)); });
		return;
	}
	settle(JSON.stringify(result));
})`, false)

// Name is the function's.
func (f *Function) Name() string { return f.name }

// run calls the handler with an event and returns its result, both as JSON.
func (f *Function) run(event []byte, log func(string)) (result string, err error) {
	vm := goja.New()
	start := time.Now()
	vm.SetTimeSource(func() time.Time { return start }) // Date stands still during a run
	vm.SetMaxCallStackSize(maxFunctionStack)
	timer := time.AfterFunc(maxFunctionTime, func() { vm.Interrupt("function ran too long") })
	defer timer.Stop()
	if err := f.prepare(vm, log); err != nil {
		return "", functionError{err}
	}
	settled, failed := false, ""
	settle := func(call goja.FunctionCall) goja.Value {
		if settled = true; goja.IsUndefined(call.Argument(1)) {
			result = call.Argument(0).String()
			return goja.Undefined()
		}
		failed = call.Argument(1).String()
		return goja.Undefined()
	}
	entry, err := vm.RunProgram(entryPoint)
	if err != nil {
		return "", functionError{err}
	}
	call, _ := goja.AssertFunction(entry)
	if _, err := call(goja.Undefined(), vm.ToValue(string(event)), vm.ToValue(settle)); err != nil {
		return "", functionError{err}
	}
	switch {
	case failed != "":
		return "", functionError{errors.New(failed)}
	case !settled:
		return "", functionError{errors.New("the handler's promise was never settled")}
	}
	return result, nil
}

func (f *Function) prepare(vm *goja.Runtime, log func(string)) error {
	if _, err := vm.RunProgram(sandbox); err != nil {
		return err
	}
	console := vm.NewObject()
	console.Set("log", func(call goja.FunctionCall) goja.Value {
		words := make([]string, len(call.Arguments))
		for i, a := range call.Arguments {
			words[i] = a.String()
		}
		log(strings.Join(words, " "))
		return goja.Undefined()
	})
	vm.Set("console", console)
	vm.Set("require", func(name string) (goja.Value, error) { return module(vm, name) })
	_, err := vm.RunProgram(f.program)
	return err
}
