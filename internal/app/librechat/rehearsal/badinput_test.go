package rehearsal_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/aproorg/sluice/internal/app/librechat/facts"
	"github.com/aproorg/sluice/internal/app/librechat/librechattest"
	"github.com/aproorg/sluice/internal/app/librechat/rehearsal"
	"github.com/aproorg/sluice/internal/rehearse"
	"github.com/aproorg/sluice/internal/rehearse/stores"
	"github.com/aproorg/sluice/internal/stack"
	"github.com/aproorg/sluice/internal/testkit"
	"github.com/aproorg/sluice/internal/timeline"
)

// badInput is what can be wrong with a deployed function, and what its log must say.
type badInput struct {
	name string
	env  map[string]string
	// spoil changes what is stored, once the rehearsal stands.
	spoil func(t *testing.T, w *world)
	says  []string
}

func badInputs(t *testing.T) []badInput {
	return []badInput{
		{name: "missing secrets", env: map[string]string{"SLUICE_SECRETS": "A_KEY=/nowhere/a B_KEY=/nowhere/b"},
			says: []string{"A_KEY from /nowhere/a: does not exist", "B_KEY from /nowhere/b: does not exist"}},
		{name: "broken yaml", spoil: spoilConfig("version: 1.2.1\ncache: [true\n"), says: []string{"SLUICE_CONFIG_S3", "librechat.yaml is not valid: yaml: line 2"}},
		{name: "empty yaml", spoil: spoilConfig(""), says: []string{"SLUICE_CONFIG_S3", "librechat.yaml is not valid: it is empty"}},
		{name: "mongo refuses", env: map[string]string{"MONGO_URI": "mongodb://u:hunter2@127.0.0.1:1/x"}, says: []string{"MONGO_URI: 127.0.0.1:1 refuses connections"}},
		{name: "mongo is silent", env: map[string]string{"MONGO_URI": "mongodb://u:hunter2@" + testkit.Accept(t, testkit.Hold).String() + "/x"},
			says: []string{"MONGO_URI: 127.0.0.1:", "does not answer within 3s"}},
		{name: "redis refuses", env: map[string]string{"REDIS_URI": "redis://:hunter2@127.0.0.1:1"}, says: []string{"REDIS_URI: 127.0.0.1:1 refuses connections"}},
		{name: "redis has no name", env: map[string]string{"REDIS_URI": "redis://:hunter2@nowhere.invalid:6379"}, says: []string{"REDIS_URI: ", "nowhere.invalid:6379"}},
	}
}

func spoilConfig(text string) func(*testing.T, *world) {
	return func(t *testing.T, w *world) {
		topology, err := stack.Default()
		if err != nil {
			t.Fatal(err)
		}
		bucket, key, _ := strings.Cut(strings.TrimPrefix(topology.Function.Environment["SLUICE_CONFIG_S3"], "s3://"), "/")
		if err := w.chat.Stores.S3.Put(bucket, key, strings.NewReader(text), nil); err != nil {
			t.Fatal(err)
		}
	}
}

// TestBadInputStandIn: what is wrong is told in the log within the init phase, and the viewer gets an error and no hang.
func TestBadInputStandIn(t *testing.T) {
	for _, d := range []facts.Design{facts.StreamsInPost, facts.GeneratesAfterPost} {
		t.Run(d.String(), func(t *testing.T) {
			r := librechattest.StandIn(t, t.TempDir(), d)
			for _, bad := range badInputs(t) {
				t.Run(bad.name, func(t *testing.T) { t.Parallel(); checkBadInput(t, r, bad) })
			}
		})
	}
}

// TestBadInputBuilt is the same with LibreChat, whose page must show an error too.
func TestBadInputBuilt(t *testing.T) {
	eachBuilt(t, func(t *testing.T, r facts.Release) {
		for _, bad := range badInputs(t) {
			t.Run(bad.name, func(t *testing.T) {
				w := checkBadInput(t, r, bad)
				if bad.name == "missing secrets" || bad.name == "mongo refuses" {
					showsError(t, w)
				}
			})
		}
	})
}

func checkBadInput(t *testing.T, r facts.Release, bad badInput) *world {
	w := standing(t, r, bad.env)
	if bad.spoil != nil {
		bad.spoil(t, w)
	}
	begun := time.Now()
	response, err := http.Get(w.ViewerURL + "/api/config")
	if err != nil {
		t.Fatal(err)
	}
	body, _ := io.ReadAll(response.Body)
	response.Body.Close()
	took := time.Since(begun)
	t.Logf("%s after %s: %.200s", response.Status, took.Round(10*time.Millisecond), body)
	if response.StatusCode != http.StatusBadGateway {
		t.Errorf("the viewer gets %s, want 502", response.Status)
	}
	if took > 20*time.Second { // the init phase and its repetition, which Lambda makes inside the invocation
		t.Errorf("the viewer's error took %s", took)
	}
	logged := w.logged()
	for _, want := range bad.says {
		if !strings.Contains(logged, want) {
			t.Errorf("the log does not say %q:\n%s", want, logged)
		}
	}
	if strings.Contains(logged, "hunter2") {
		t.Error("the log shows a password")
	}
	if strings.Contains(logged, "init phase took longer") {
		t.Error("the fault was not found within the init phase")
	}
	return w
}

// standing is a rehearsal whose database need not become ready.
func standing(t *testing.T, r facts.Release, env map[string]string) *world {
	t.Helper()
	topology, err := stack.Default()
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]string{librechattest.State: t.TempDir()}
	for name, value := range env {
		all[name] = value
	}
	addresses, err := rehearse.Listen("127.0.0.1:0", "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = addresses.Close() })
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	chat, err := rehearsal.Start(ctx, rehearsal.Config{
		Release: r, SiteURL: addresses.ViewerURL, Env: all, Path: os.Getenv("PATH"), Function: topology.Function.Environment,
		Stores: stores.Config{Dir: t.TempDir()},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = chat.Close() })
	w, err := rehearse.Start(ctx, rehearse.Config{
		App: chat.App, Stores: chat.Stores, Addresses: addresses, Stack: topology, Site: os.DirFS(r.SiteDir()),
		Routes: facts.Routes(), Concurrency: 8,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.Close(context.Background()) })
	return &world{World: w, chat: chat, release: r}
}

// logged is all that the environments and the emulator have logged.
func (w *world) logged() string {
	events, _ := w.Recorder.Since(0)
	var all strings.Builder
	for _, e := range events {
		if e.Kind == timeline.Log || e.Kind == timeline.Limit {
			all.WriteString(e.Note + "\n")
		}
	}
	return all.String()
}

// pageSays is what LibreChat's page shows for a 5xx of its first calls, after it has tried four times.
const pageSays = "There was an internal server error"

func showsError(t *testing.T, w *world) {
	p := browse(t, w, 4*time.Minute)
	begun := time.Now()
	p.do(chromedp.Navigate(w.ViewerURL + "/"))
	testkit.Wait(t, 4*time.Minute, "the page's error", func() (string, bool) {
		text := p.text("document.body")
		return fmt.Sprintf("%q\n%s", text, w.refused()), strings.Contains(text, pageSays)
	})
	t.Logf("the page shows the error after %s", time.Since(begun).Round(100*time.Millisecond))
}
