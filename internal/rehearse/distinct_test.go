package rehearse_test

import (
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aproorg/sluice/internal/bootstrapbin"
	"github.com/aproorg/sluice/internal/emulate/lambda/sandbox/sandboxtest"
	"github.com/aproorg/sluice/internal/probe"
	"github.com/aproorg/sluice/internal/probe/description"
	"github.com/aproorg/sluice/internal/probe/report"
	"github.com/aproorg/sluice/internal/rehearse"
	"github.com/aproorg/sluice/internal/testdeps"
)

// idsConfig is a rehearsal of testdata/ids.cjs with SnapStart.
func idsConfig(t testing.TB, env map[string]string) rehearse.Config {
	t.Helper()
	return snapStartOf(t, "ids", env)
}

// snapStartOf is a rehearsal of testdata/NAME.cjs with SnapStart.
func snapStartOf(t testing.TB, name string, env map[string]string) rehearse.Config {
	t.Helper()
	app, err := filepath.Abs("testdata/" + name + ".cjs")
	if err != nil {
		t.Fatal(err)
	}
	return rehearse.Config{
		App:    rehearse.App{Name: name, Command: []string{testdeps.Node(t), app}, Env: env, ImageEnv: []string{"PATH=" + os.Getenv("PATH")}},
		Start:  rehearse.StartSnapStart,
		Listen: "127.0.0.1:0",
	}
}

// TestClonesCompileWebAssembly: what V8 guards by a processor's memory protection keys, which CRIU does not restore. Node's fetch
// compiles some when it is used first.
func TestClonesCompileWebAssembly(t *testing.T) {
	sandboxtest.NeedClones(t)
	w := start(t, snapStartOf(t, "fetches", nil))
	response, err := http.Get(w.ViewerURL + "/fetch")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if body, err := io.ReadAll(response.Body); err != nil || string(body) != "fetched" {
		t.Errorf("%s: %.300s %v", response.Status, body, err)
	}
}

// checkIDs is what verify finds of the app's ids.
func checkIDs(t *testing.T, w *rehearse.World, distinct ...string) []report.Result {
	t.Helper()
	d := description.Description{App: "ids"}
	for _, text := range distinct {
		x, err := description.ParseDistinct(text)
		if err != nil {
			t.Fatal(err)
		}
		d.Distinct = append(d.Distinct, x)
	}
	r, err := probe.Run(t.Context(), w.ViewerURL, d, probe.Options{Quick: true, Timeout: 60 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	var found []report.Result
	for _, x := range r.Results {
		if strings.HasPrefix(x.Name, "ids of ") {
			found = append(found, x)
		}
	}
	return found
}

var idPlaces = []string{"/api/session#message.id", "/api/session#cookie:session", "/api/session", "/api/instance", "/api/instance#instance"}

// TestClonesHaveIDsInCommon: an app that draws at its start is caught, by places that are named and by what looks like an id, with
// the environments; a build's id is no alarm.
func TestClonesHaveIDsInCommon(t *testing.T) {
	sandboxtest.NeedClones(t)
	found := checkIDs(t, start(t, idsConfig(t, nil)), idPlaces...)
	for i, want := range []string{"message.id is ", "cookie session is ", "cookie session is ", "", "instance is "} {
		x := found[i]
		if want == "" {
			if x.Status != report.Pass || !strings.Contains(x.Detail, "never changed, as a build's: build, instance") {
				t.Errorf("%s: %+v", idPlaces[i], x)
			}
			continue
		}
		_, who, _ := strings.Cut(x.Detail, "in the answers of ")
		if x.Status != report.Fail || !strings.Contains(x.Detail, want) || strings.Count(who, "env-") < 2 || !strings.Contains(x.Hint, "sluice:after-restore") {
			t.Errorf("%s: %+v", idPlaces[i], x)
		}
	}
}

// TestClonesWithIDsOfTheirOwn: the app that draws anew passes.
func TestClonesWithIDsOfTheirOwn(t *testing.T) {
	sandboxtest.NeedClones(t)
	for i, x := range checkIDs(t, start(t, idsConfig(t, map[string]string{"CAREFUL": "1"})), idPlaces[:4]...) {
		if x.Status != report.Pass || !strings.Contains(x.Detail, "environments have no id in common") || x.Numbers["environments"] < 2 {
			t.Errorf("%s: %+v", idPlaces[i], x)
		}
		if strings.Contains(x.Detail, "instance") {
			t.Errorf("an environment's own id is taken for a build's: %+v", x)
		}
	}
}

// TestHeldEnvironmentsShowNoClones: where there are no clones, the check says that it shows nothing of them.
func TestHeldEnvironmentsShowNoClones(t *testing.T) {
	cfg := idsConfig(t, nil)
	var err error
	if cfg.Bootstrap, err = bootstrapbin.Path(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", t.TempDir()) // without criu
	w := start(t, cfg)
	if w.Snapshot.Clones {
		t.Fatal("clones without CRIU")
	}
	for i, x := range checkIDs(t, w, idPlaces[:3]...) {
		if x.Status != report.Pass || !strings.Contains(x.Detail, "cannot show what clones have in common") {
			t.Errorf("%s: %+v", idPlaces[i], x)
		}
	}
}
