package awsx_test

import (
	"encoding/json"
	"errors"
	"io/fs"
	"net/http"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"

	"github.com/aproorg/sluice/internal/awsx"
	"github.com/aproorg/sluice/internal/awsx/mototest"
	"github.com/aproorg/sluice/internal/site"
)

func session(t *testing.T, endpoint, region string) *awsx.Config {
	t.Helper()
	t.Setenv("AWS_ACCESS_KEY_ID", "test")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "test")
	config, err := awsx.Load(t.Context(), awsx.Settings{Region: region, Endpoint: endpoint})
	if err != nil {
		t.Fatal(err)
	}
	return config
}

func TestAgainstMoto(t *testing.T) {
	t.Setenv("MOTO_LAMBDA_STUB_ECR", "false") // a version keeps its image's digest
	moto := mototest.Start(t)
	config := session(t, moto.URL, "eu-west-1")
	moto.CreateBucket(t, "site")
	t.Run("account", func(t *testing.T) {
		if account, err := config.Account(t.Context()); err != nil || len(account) != 12 {
			t.Errorf("%q, %v", account, err)
		}
	})
	t.Run("site", func(t *testing.T) { testSite(t, config, moto) })
	t.Run("bucket of another region", func(t *testing.T) {
		err := session(t, moto.URL, "us-east-1").Bucket("site", "").Check(t.Context())
		if err == nil || !strings.Contains(err.Error(), "is in eu-west-1") {
			t.Errorf("got %v", err)
		}
	})
	t.Run("no bucket", func(t *testing.T) {
		if err := config.Bucket("absent", "").Check(t.Context()); !errors.Is(err, fs.ErrNotExist) || err.Error() != "bucket absent does not exist" {
			t.Errorf("got %v", err)
		}
	})
	t.Run("deployments", func(t *testing.T) { testDeployments(t, config, moto) })
	t.Run("ecr", func(t *testing.T) { testECR(t, config, moto) })
	t.Run("versions", func(t *testing.T) { testVersions(t, config, moto) })
}

func testSite(t *testing.T, config *awsx.Config, moto *mototest.Server) {
	id := moto.CreateDistribution(t)
	o := site.Options{Store: config.Bucket("site", ""), Invalidator: config.Distribution(id)}
	o.Source = fstest.MapFS{"index.html": {Data: []byte("one")}, "assets/logo.svg": {Data: []byte("<svg/>")}, "assets/ä b+c.txt": {Data: []byte("x")}}
	if _, err := site.Apply(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	plan, err := site.MakePlan(t.Context(), o)
	if err != nil || !plan.Empty() {
		t.Fatalf("second plan: %s, %v", plan.Summary(), err)
	}
	headers := moto.Call(t, "s3", http.MethodHead, "/site/assets/logo.svg", "")
	if !strings.Contains(headers, "Content-Type: image/svg+xml") || !strings.Contains(headers, "Cache-Control: public, max-age=172800") {
		t.Errorf("headers %s", headers)
	}
	o.Source = fstest.MapFS{"index.html": {Data: []byte("two")}, "assets/logo.svg": {Data: []byte("<svg></svg>")}, "assets/ä b+c.txt": {Data: []byte("y")}}
	result, err := site.Apply(t.Context(), o)
	if err != nil || len(result.Invalidated) != 2 || result.Invalidation == "" {
		t.Fatalf("%+v, %v", result, err)
	}
	if paths := moto.Invalidations(t, id); !strings.Contains(paths, "<Path>/assets/logo.svg</Path>") {
		t.Errorf("invalidated %s", paths)
	}
	if back, err := site.Rollback(t.Context(), o, ""); err != nil || back.Uploaded != 3 {
		t.Errorf("rollback: %+v, %v", back, err)
	}
	if text, _, err := o.Store.Get(t.Context(), "assets/ä b+c.txt"); err != nil || string(text) != "x" {
		t.Errorf("rolled back to %q, %v", text, err)
	}
	if _, err := site.Remove(t.Context(), o); err != nil {
		t.Error(err)
	}
	if left, err := o.Store.List(t.Context()); err != nil || len(left) > 0 {
		t.Errorf("left %v, %v", left, err)
	}
}

func testECR(t *testing.T, config *awsx.Config, moto *mototest.Server) {
	repository, err := name.NewRepository(moto.CreateRepository(t, "app"))
	if err != nil {
		t.Fatal(err)
	}
	found, err := authn.Resolve(t.Context(), config.Keychain(), repository)
	if err != nil {
		t.Fatal(err)
	}
	if login, err := found.Authorization(); err != nil || login.Username != "AWS" || login.Password == "" {
		t.Errorf("%+v, %v", login, err)
	}
	if err := config.DeleteImage(t.Context(), repository.RegistryStr(), "app", "sha256:"+strings.Repeat("0", 64)); err != nil {
		t.Error(err)
	}
}

// testDeployments makes an API with one method and a stage that serves its first
// deployment, which then stays, while one that no stage serves goes.
func testDeployments(t *testing.T, config *awsx.Config, moto *mototest.Server) {
	var made struct{ ID, RootResourceID string }
	call := func(method, path, body string) {
		answer := moto.Call(t, "apigateway", method, path, body)
		made.ID = ""
		_ = json.Unmarshal([]byte(answer[strings.Index(answer, "{"):]), &made)
	}
	call(http.MethodPost, "/restapis", `{"name": "app"}`)
	id, method := made.ID, "/restapis/"+made.ID+"/resources/"+made.RootResourceID+"/methods/GET"
	call(http.MethodPut, method, `{"authorizationType": "NONE"}`)
	call(http.MethodPut, method+"/integration", `{"type": "MOCK"}`)

	api := config.RestAPI(id)
	call(http.MethodPost, "/restapis/"+id+"/deployments", `{"stageName": "live", "description": "test"}`) // moto holds what was made with its stage
	served := made.ID
	free, err := api.Deploy(t.Context(), "test")
	if err != nil {
		t.Fatal(err)
	}
	for _, deployment := range []string{served, free, "absent"} {
		if err := api.RemoveDeployment(t.Context(), deployment); err != nil {
			t.Errorf("remove %s: %v", deployment, err)
		}
	}
	if left, err := api.Deployments(t.Context(), "test"); err != nil || len(left) != 1 || left[0] != served {
		t.Errorf("left %v, %v; the stage serves %s", left, err, served)
	}
	if other, err := api.Deployments(t.Context(), "somebody's"); err != nil || len(other) > 0 {
		t.Errorf("others' deployments are %v, %v", other, err)
	}
	if _, err := config.RestAPI("absent").Deployments(t.Context(), "test"); !errors.Is(err, fs.ErrNotExist) || err.Error() != "REST API absent does not exist" {
		t.Errorf("of no API: %v", err)
	}
}
