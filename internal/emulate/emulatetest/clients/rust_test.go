package clients

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aproorg/sluice/internal/emulate/lambda"
	"github.com/aproorg/sluice/internal/freeport"
	"github.com/aproorg/sluice/internal/testdeps"
)

// TestRust: lambda_runtime, and its streams.
func TestRust(t *testing.T) {
	f := start(t, lambda.Process{Command: []string{filepath.Join(testdeps.LambdaClients(t, "rust"), "debug", "function")}})
	f.answers(t)
	f.cadence(t)
}

// TestWebAdapter: the app is the runtime's process, and the adapter, an extension, asks
// for invocations.
func TestWebAdapter(t *testing.T) {
	node, adapter := testdeps.Node(t), filepath.Join(testdeps.LambdaClients(t, "rust"), "debug", "lambda-adapter")
	extension := lambda.Extension{Name: "lambda-adapter", Command: []string{adapter}}
	request := map[string]any{
		"resource": "/{proxy+}", "path": "/a b", "httpMethod": "GET", "headers": map[string]string{"Host": "example.com"},
		"multiValueHeaders": map[string][]string{"Host": {"example.com"}}, "queryStringParameters": map[string]string{"q": "1"},
		"multiValueQueryStringParameters": map[string][]string{"q": {"1"}},
		"requestContext":                  map[string]any{"resourcePath": "/{proxy+}", "httpMethod": "GET", "path": "/live/a b", "stage": "live", "identity": map[string]any{}},
	}
	for _, mode := range []string{"buffered", "response_stream"} {
		port, err := freeport.Pick("127.0.0.1")
		if err != nil {
			t.Fatal(err)
		}
		f := start(t, lambda.Process{
			Task: task(t, map[string]string{"server.mjs": "testdata/server.mjs"}), Command: []string{node, "server.mjs"},
			Env: []string{"PATH=" + os.Getenv("PATH"), fmt.Sprintf("PORT=%d", port), "AWS_LWA_INVOKE_MODE=" + mode},
		}, extension)
		for range 2 { // cold, and thawed
			if mode == "buffered" {
				if got, failure := f.invoke(t, request); failure != "" || !strings.Contains(got, `"statusCode":200`) || !strings.Contains(got, `0 /a%20b?q=1 1 /a%20b?q=1`) {
					t.Errorf("buffered: %s %s", got, failure)
				}
				continue
			}
			pieces, end := f.stream(t, request)
			if got := text(pieces); !strings.HasPrefix(got, "0 /a%20b?q=1 1 /a%20b?q=1") || end.ErrorCode != nil {
				t.Fatalf("stream: %q, error %v", got, end.ErrorCode)
			}
			if spread := pieces[len(pieces)-1].at.Sub(pieces[0].at); spread < 300*time.Millisecond {
				t.Errorf("%d pieces within %s: the answer was held back", len(pieces), spread)
			}
		}
	}
}
