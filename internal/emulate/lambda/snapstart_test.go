package lambda_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aproorg/sluice/internal/emulate/lambda"
	"github.com/aproorg/sluice/internal/stack"
	"github.com/aproorg/sluice/internal/testkit"
	"github.com/aproorg/sluice/internal/timeline"
)

// held starts a function whose version is published, without clones.
func held(t *testing.T, change func(*lambda.Config)) *world {
	t.Helper()
	w := unpublished(t, change)
	if _, err := w.em.Publish(t.Context()); err != nil {
		t.Fatal(err)
	}
	return w
}

func unpublished(t *testing.T, change func(*lambda.Config)) *world {
	return start(t, func(cfg *lambda.Config) {
		cfg.SnapStart = &lambda.SnapStart{Held: true}
		if change != nil {
			change(cfg)
		}
	})
}

// TestSnapStart: the init phase comes before all requests, the restore with the first.
func TestSnapStart(t *testing.T) {
	w := held(t, func(cfg *lambda.Config) { cfg.SnapStart.Ahead = 1 })
	w.eventually("one is held", func() bool { return slices.Equal(w.states("env-1"), []timeline.State{timeline.Init, timeline.Frozen}) })
	if slices.ContainsFunc(w.logs(), func(l string) bool { return strings.HasPrefix(l, "restored with") }) {
		t.Error("the runtime went on before there was a request")
	}
	if got, failure := w.invoke(event{Text: "a"}); !strings.Contains(got, `"text":"a"`) {
		t.Fatal(got, failure)
	}
	w.eventually("it is frozen again", func() bool {
		return slices.Equal(w.states("env-1"), []timeline.State{timeline.Init, timeline.Frozen, timeline.Restore, timeline.Busy, timeline.Draining, timeline.Frozen})
	})
	w.logged("restored with status 200 and 0 bytes")
	w.logged("RESTORE_REPORT Restore Duration: ")
	w.logged("Billed Restore Duration: ")
	w.logged("INIT_REPORT Init Duration: ")
	if got, _ := w.invoke(event{Text: "b"}); !strings.Contains(got, `"text":"b"`) {
		t.Error(got)
	}
	if n := len(w.states("env-1")); n < 7 {
		t.Errorf("the second request went elsewhere: %v", w.states("env-1"))
	}
	for _, l := range w.logs() {
		if strings.HasPrefix(l, "REPORT ") && strings.Contains(l, "Init Duration") {
			t.Error("with SnapStart REPORT has no Init Duration:", l)
		}
	}
}

// TestSnapStartVariables: credentials are asked for, and no log stream is named.
func TestSnapStartVariables(t *testing.T) {
	w := held(t, func(cfg *lambda.Config) {
		cfg.Credentials = lambda.Credentials{AccessKeyID: "ASIA", SecretAccessKey: "secret", SessionToken: "session"}
	})
	got, _ := w.invoke(event{Do: "env"})
	var lines []string
	if err := json.Unmarshal([]byte(got), &lines); err != nil {
		t.Fatal(err, got)
	}
	vars := map[string]string{}
	for _, l := range lines {
		name, value, _ := strings.Cut(l, "=")
		vars[name] = value
	}
	if vars["AWS_LAMBDA_INITIALIZATION_TYPE"] != "snap-start" || vars["AWS_LAMBDA_FUNCTION_VERSION"] != "1" {
		t.Errorf("type %q, version %q", vars["AWS_LAMBDA_INITIALIZATION_TYPE"], vars["AWS_LAMBDA_FUNCTION_VERSION"])
	}
	for _, name := range []string{"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_LAMBDA_LOG_GROUP_NAME", "AWS_LAMBDA_LOG_STREAM_NAME"} {
		if value, ok := vars[name]; ok {
			t.Errorf("%s=%s is not there on AWS", name, value)
		}
	}
	if uri := vars["AWS_CONTAINER_CREDENTIALS_FULL_URI"]; !strings.HasPrefix(uri, "http://127.0.0.1:") || !strings.HasSuffix(uri, "/2021-04-23/credentials") {
		t.Errorf("the endpoint is %q", uri)
	}
	got, _ = w.invoke(event{Do: "credentials"})
	for _, part := range []string{"200 {", `\"AccessKeyId\":\"ASIA\"`, `\"SecretAccessKey\":\"secret\"`, `\"Token\":\"session\"`, `\"Expiration\":\"20`} {
		if !strings.Contains(got, part) {
			t.Errorf("no %s in the credentials %s", part, got)
		}
	}
	if got, _ := w.invoke(event{Do: "credentials", Text: "x"}); !strings.Contains(got, "404 cannot get credentials for the provided token") {
		t.Errorf("with a wrong token: %s", got)
	}
}

// TestSnapStartCalls: out of turn, restore/next and restore/error are refused as by rapid,
// and without SnapStart they are not there.
func TestSnapStartCalls(t *testing.T) {
	w := held(t, nil)
	for path, want := range map[string]string{
		"GET 2018-06-01/runtime/restore/next":   `403 {"errorMessage":"State transition from Running to Ready failed for runtime. Error: State transition is not allowed","errorType":"InvalidStateTransition"}`,
		"POST 2018-06-01/runtime/restore/error": `403 {"errorMessage":"State transition from Running to RuntimeRestoreErrorState failed for runtime. Error: State transition is not allowed","errorType":"InvalidStateTransition"}`,
	} {
		if got, _ := w.invoke(event{Do: "raw", Text: path}); strings.TrimSpace(got) != want {
			t.Errorf("%s: %s", path, got)
		}
	}
	without := start(t, nil)
	for _, path := range []string{"GET 2018-06-01/runtime/restore/next", "POST 2018-06-01/runtime/restore/error", "GET 2021-04-23/credentials"} {
		if got, _ := without.invoke(event{Do: "raw", Text: path}); !strings.HasPrefix(got, "404") {
			t.Errorf("%s without SnapStart: %s", path, got)
		}
	}
}

// TestPublishFails: what makes AWS refuse the version.
func TestPublishFails(t *testing.T) {
	for mode, want := range map[string]string{
		"TEST_INIT=exit":              "Runtime.ExitError: Error: Runtime exited with error: exit status 7",
		"TEST_INIT=error":             "Runtime.NoSuchThing: the app did not start",
		"TEST_INIT=sleep 30s":         "the init phase took longer than 400ms",
		"TEST_SNAPSTART=before-error": "Runtime.BeforeSnapshotError: the hook failed",
		"TEST_SNAPSTART=none":         "asked for an invocation and not for restore/next",
	} {
		t.Run(mode, func(t *testing.T) {
			w := unpublished(t, func(cfg *lambda.Config) {
				setenv(cfg, mode)
				if strings.Contains(mode, "sleep") {
					cfg.Limits.Init = 400 * time.Millisecond
				}
			})
			_, err := w.em.Publish(t.Context())
			if err == nil || !strings.HasPrefix(err.Error(), "publish version 1: ") || !strings.Contains(err.Error(), want) {
				t.Fatalf("error %v, want %s", err, want)
			}
			status, body := w.post()
			if status != http.StatusConflict || !strings.Contains(body, "Lambda is initializing your function.") {
				t.Errorf("an invocation of what is not published: %d %s", status, body)
			}
			w.eventually("nothing is left", func() bool { return len(w.em.Environments()) == 0 })
		})
	}
}

// post invokes, and returns what the API answers.
func (w *world) post() (status int, body string) {
	w.t.Helper()
	resp, err := http.Post(w.server.URL+"/2015-03-31/functions/chat/invocations", "application/json", strings.NewReader("{}"))
	if err != nil {
		w.t.Fatal(err)
	}
	defer resp.Body.Close()
	b, _ := io.ReadAll(resp.Body)
	return resp.StatusCode, resp.Header.Get("X-Amzn-Errortype") + " " + string(b)
}

// TestPublishCancelled: who does not wait leaves nothing behind.
func TestPublishCancelled(t *testing.T) {
	w := unpublished(t, func(cfg *lambda.Config) { setenv(cfg, "TEST_INIT=sleep 30s") })
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if _, err := w.em.Publish(ctx); err == nil {
		t.Error("published")
	}
	w.eventually("nothing is left", func() bool { return len(w.em.Environments()) == 0 })
}

// TestSnapStartLabel: an image with the label need not call restore/next.
func TestSnapStartLabel(t *testing.T) {
	w := held(t, func(cfg *lambda.Config) {
		setenv(cfg, "TEST_SNAPSTART=none")
		cfg.SnapStart.Label = true
	})
	if got, failure := w.invoke(event{Text: "a"}); !strings.Contains(got, `"text":"a"`) {
		t.Error(got, failure)
	}
	w.logged("RESTORE_REPORT")
}

// TestRestoreFails: the errors of the API, and the next request tries anew.
func TestRestoreFails(t *testing.T) {
	for mode, want := range map[string]string{
		"after-error": "400 SnapStartException Runtime.AfterRestoreError: the hook failed",
		"after-exit":  "400 SnapStartException Runtime.ExitError",
		"after-hang":  "408 SnapStartTimeoutException Lambda couldn't restore the snapshot within the timeout limit.",
	} {
		t.Run(mode, func(t *testing.T) {
			w := held(t, func(cfg *lambda.Config) {
				setenv(cfg, "TEST_SNAPSTART="+mode)
				cfg.Limits.Restore = 500 * time.Millisecond
			})
			for range 2 {
				status, body := w.post()
				got := strings.Replace(fmt.Sprint(status, " ", body), `{"Type":"User","message":"`, "", 1)
				if !strings.HasPrefix(got, want) {
					t.Errorf("%s, want %s", got, want)
				}
			}
		})
	}
}

// TestRestoreCuts: a connection from before the snapshot is dead, those of the
// environment among its own processes and to the Runtime API are not.
func TestRestoreCuts(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("connections are cut on Linux alone")
	}
	store := testkit.Accept(t, func(conn net.Conn) { _, _ = io.Copy(io.Discard, conn) })
	w := held(t, func(cfg *lambda.Config) { setenv(cfg, "TEST_CONNECT="+store.String()) })
	if got, _ := w.invoke(event{Do: "early"}); !strings.Contains(got, "reset") && !strings.Contains(got, "not connected") {
		t.Errorf("the connection after the restore: %s", got)
	}
	w.logged("1 connections to the outside are dead")
}

// TestSnapStartBurst: more requests than environments that wait, up to the concurrency.
func TestSnapStartBurst(t *testing.T) {
	w := held(t, func(cfg *lambda.Config) { cfg.Concurrency, cfg.SnapStart.Ahead = 4, 1 })
	answers := make(chan string, 4)
	for range 4 {
		go func() {
			_, body := w.post()
			answers <- body
		}()
	}
	for range 4 {
		if body := <-answers; strings.Contains(body, "Exception") {
			t.Error(body)
		}
	}
	if n := len(w.em.Environments()); n > 4 {
		t.Errorf("%d environments, want 4 at most", n)
	}
}

func TestSnapStartRefusesProvisioned(t *testing.T) {
	_, err := lambda.New(lambda.Config{
		Function: stack.Function{ProvisionedConcurrency: 1}, SnapStart: &lambda.SnapStart{}, Process: lambda.Process{Command: []string{"true"}},
	})
	if err == nil || !strings.Contains(err.Error(), "provisioned concurrency") {
		t.Error(err)
	}
}
