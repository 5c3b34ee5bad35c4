package clients

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/aproorg/sluice/internal/emulate/lambda"
	"github.com/aproorg/sluice/internal/testdeps"
)

// task makes a function's directory of files, and of links to directories.
func task(t *testing.T, paths map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, path := range paths {
		from, err := filepath.Abs(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(from, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// TestNode: aws-lambda-ric, and its streams.
func TestNode(t *testing.T) {
	node, modules := testdeps.Node(t), testdeps.LambdaClients(t, "node_modules")
	dir := task(t, map[string]string{"app.mjs": "testdata/app.mjs", "node_modules": modules})
	if _, err := os.Stat(filepath.Join(modules, "aws-lambda-ric", "rapid-client.node")); err != nil {
		t.Skip("aws-lambda-ric is here without its native part: install g++, make and cmake, then make deps")
	}
	process := func(handler string) lambda.Process {
		return lambda.Process{Task: dir, Handler: handler, Command: []string{node, "node_modules/aws-lambda-ric/index.mjs"}, Env: []string{"PATH=" + os.Getenv("PATH")}}
	}
	start(t, process("app.handler")).answers(t)
	f := start(t, process("app.stream"))
	f.cadence(t)
	pieces, end := f.stream(t, event{Do: "stream-error", N: 2, Text: "word ", Millis: 100})
	if got := text(pieces); got != "0 word 1 word " || aws.ToString(end.ErrorCode) == "" || !strings.Contains(aws.ToString(end.ErrorDetails), "in the middle") {
		t.Errorf("error in the middle: %q, then %q %q", got, aws.ToString(end.ErrorCode), aws.ToString(end.ErrorDetails))
	}
	f.cadence(t)
}

// TestPython: awslambdaric.
func TestPython(t *testing.T) {
	packages := testdeps.LambdaClients(t, "python")
	python, _ := testdeps.Python(t)
	f := start(t, lambda.Process{
		Task: task(t, map[string]string{"app.py": "testdata/app.py"}), Handler: "app.handler", Command: []string{python, "-m", "awslambdaric", "app.handler"},
		Env: []string{"PATH=" + os.Getenv("PATH"), "PYTHONPATH=" + packages},
	})
	f.answers(t)
	if got, failure := f.invoke(t, event{Do: "exit"}); failure != "Unhandled" || !strings.Contains(got, "Runtime.ExitError") {
		t.Errorf("exit: %s %s", got, failure)
	}
	f.answers(t)
	if pieces, end := f.stream(t, event{Do: "echo", Text: "whole"}); !strings.Contains(text(pieces), "whole") || end.ErrorCode != nil {
		t.Errorf("an answer to who wants a stream: %q, error %q", text(pieces), aws.ToString(end.ErrorCode))
	}
}

// TestJava: aws-lambda-java-runtime-interface-client.
func TestJava(t *testing.T) {
	java, err := exec.LookPath("java")
	if err != nil {
		t.Skip("java is not here: install Debian's default-jre-headless and maven, then make deps")
	}
	packages := testdeps.LambdaClients(t, "java")
	f := start(t, lambda.Process{
		Command: []string{java, "-cp", packages + "/classes:" + packages + "/dependency/*", "com.amazonaws.services.lambda.runtime.api.client.AWSLambda", "App::handleRequest"},
		Env:     []string{"PATH=" + os.Getenv("PATH")},
	})
	f.answers(t)
}
