package rehearse_test

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aproorg/sluice/internal/rehearse"
	"github.com/aproorg/sluice/internal/stack"
	"github.com/aproorg/sluice/internal/timeline"
)

// runFunction is a Lambda function that answers with its environment: as a stream, or
// as one document where ANSWER says so.
func runFunction() {
	base := "http://" + os.Getenv("AWS_LAMBDA_RUNTIME_API") + "/2018-06-01/runtime/invocation/"
	for {
		resp, err := http.Get(base + "next")
		if err != nil || resp.StatusCode != http.StatusOK {
			os.Exit(9)
		}
		_, _ = io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
		answer := "{\"statusCode\":200}\x00\x00\x00\x00\x00\x00\x00\x00" + strings.Join(os.Environ(), "\n")
		if os.Getenv("ANSWER") == "document" {
			answer = `{"statusCode":200,"body":"a document"}`
		}
		resp, err = http.Post(base+resp.Header.Get("Lambda-Runtime-Aws-Request-Id")+"/response", "application/octet-stream", strings.NewReader(answer))
		if err != nil {
			os.Exit(9)
		}
		resp.Body.Close()
	}
}

func functionConfig(t *testing.T) rehearse.Config {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return rehearse.Config{
		App: rehearse.App{
			Name: "function", Command: []string{self, "function"}, Env: map[string]string{"MINE": "yes"},
			Function: &rehearse.Function{Task: filepath.Dir(self), Handler: "app.handler"},
		},
		Bootstrap: "/no/such/bootstrap", // there is none in front of a function
		Listen:    "127.0.0.1:0",
	}
}

// TestFunction: a Lambda function runs behind the path as it is.
func TestFunction(t *testing.T) {
	w := start(t, functionConfig(t))
	for range 2 {
		res, body := get(t, visitor(t), w.ViewerURL+"/a")
		if res.StatusCode != http.StatusOK || !strings.Contains(body, "_HANDLER=app.handler") || !strings.Contains(body, "MINE=yes") || strings.Contains(body, "SLUICE_ORIGIN") {
			t.Fatalf("%s\n%s", res.Status, body)
		}
		if !strings.Contains(body, "LAMBDA_TASK_ROOT=/var/task") && !strings.Contains(strings.Join(w.Lambda.Missing(), "\n"), "no mount namespaces") {
			t.Errorf("no task root in\n%s", body)
		}
	}
}

// TestTransferMode: a function that answers with a document needs a buffered integration.
func TestTransferMode(t *testing.T) {
	for mode, want := range map[string]int{"": http.StatusBadGateway, stack.TransferBuffered: http.StatusOK} {
		cfg := functionConfig(t)
		cfg.App.Env["ANSWER"], cfg.TransferMode = "document", mode
		w := start(t, cfg)
		if res, body := get(t, visitor(t), w.ViewerURL+"/a"); res.StatusCode != want || (want == http.StatusOK) != (body == "a document") {
			t.Errorf("mode %q: %s %s", mode, res.Status, body)
		}
	}
}

// TestFunctionAsAWebServer: who starts a function behind the bootstrap hears so at the
// first request.
func TestFunctionAsAWebServer(t *testing.T) {
	cfg := functionConfig(t)
	cfg.App.Function, cfg.Bootstrap, cfg.FunctionAdvice = nil, "", "start it so"
	w := start(t, cfg)
	for range 2 {
		if res, _ := get(t, visitor(t), w.ViewerURL+"/a"); res.StatusCode != http.StatusBadGateway {
			t.Errorf("got %s", res.Status)
		}
	}
	var notes []string
	events, _ := w.Recorder.Since(0)
	for _, e := range events {
		if e.Kind == timeline.Notice {
			notes = append(notes, e.Note)
		}
	}
	if text := fmt.Sprint(notes); len(notes) != 1 || !strings.Contains(text, "it is a Lambda function") || !strings.Contains(text, "start it so") {
		t.Errorf("notes %q", notes)
	}
}
