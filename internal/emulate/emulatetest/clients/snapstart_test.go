package clients

import (
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	awslambda "github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"

	"github.com/aproorg/sluice/internal/emulate/lambda"
	"github.com/aproorg/sluice/internal/testdeps"
)

// TestPythonSnapStart: awslambdaric and the hooks of Amazon's snapshot_restore_py.
func TestPythonSnapStart(t *testing.T) {
	packages := testdeps.LambdaClients(t, "python")
	python, _ := testdeps.Python(t)
	function := func(hook string) (function, *lambda.Emulator) {
		return startAs(t, &lambda.SnapStart{Ahead: 1, Held: true}, lambda.Process{
			Task: task(t, map[string]string{"snap.py": "testdata/snap.py"}), Handler: "snap.handler", Command: []string{python, "-m", "awslambdaric", "snap.handler"},
			Env: []string{"PATH=" + os.Getenv("PATH"), "PYTHONPATH=" + packages, "HOOK=" + hook},
		})
	}
	f, em := function("")
	if _, err := em.Publish(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got, failure := f.invoke(t, event{}); failure != "" || !strings.Contains(got, `"calls": ["before", "after"], "type": "snap-start"`) {
		t.Errorf("%s %s", got, failure)
	}

	_, em = function("before")
	if _, err := em.Publish(t.Context()); err == nil || !strings.Contains(err.Error(), "Runtime.BeforeSnapshotError: no snapshot of this") {
		t.Errorf("published where the hook fails: %v", err)
	}

	f, em = function("after")
	if _, err := em.Publish(t.Context()); err != nil {
		t.Fatal(err)
	}
	_, err := f.client.Invoke(t.Context(), &awslambda.InvokeInput{FunctionName: aws.String("client"), Payload: []byte("{}")})
	var refused *types.SnapStartException
	if !errors.As(err, &refused) || !strings.Contains(err.Error(), "nothing to restore") {
		t.Errorf("the hook after the restore fails: %v", err)
	}
}
