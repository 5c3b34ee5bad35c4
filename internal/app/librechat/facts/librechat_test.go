package facts_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"gopkg.in/yaml.v3"

	"github.com/aproorg/sluice/internal/app/librechat/facts"
	"github.com/aproorg/sluice/internal/bootstrap/settings"
	"github.com/aproorg/sluice/internal/hint"
	"github.com/aproorg/sluice/internal/probe/description"
)

// tree writes files below a new directory.
func tree(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// release is the least that a built release has.
func release(version string) map[string]string {
	return map[string]string{
		"package.json": `{
  "name": "LibreChat",
  "version": "` + version + `",
  "scripts": {"build:packages": "x", "build:client": "x", "frontend": "x"}
}`,
		"api/server/index.js":                  "",
		"api/server/routes/agents/index.js":    "router.use('/chat', chat)",
		"node_modules/express/package.json":    "{}",
		"packages/data-provider/package.json":  `{"main": "dist/index.js"}`,
		"packages/data-provider/dist/index.js": "",
		"packages/data-schemas/package.json":   `{"main": "dist/index.cjs"}`,
		"packages/data-schemas/dist/index.cjs": "",
		"packages/api/package.json":            `{"main": "dist/index.js"}`,
		"packages/api/dist/index.js":           "",
		"client/dist/index.html":               "<html>",
	}
}

// cjs is a release whose packages/api builds index.cjs, as it does from v0.8.7-rc1.
func cjs(version string) map[string]string {
	files := release(version)
	files["packages/api/package.json"] = `{"main": "dist/index.cjs"}`
	delete(files, "packages/api/dist/index.js")
	files["packages/api/dist/index.cjs"] = ""
	return files
}

// What a release can do is seen from its files, in an image as in a directory.
func TestDetectWhatReleasesCanDo(t *testing.T) {
	with := func(files map[string]string, more map[string]string) map[string]string {
		maps.Copy(files, more)
		return files
	}
	stream := map[string]string{"api/server/routes/agents/index.js": "router.get('/chat/stream/:streamId', f)"}
	for name, test := range map[string]struct {
		files map[string]string
		want  facts.Release
		hooks string
	}{
		"v0.8.2-rc1": {release("v0.8.2-rc1"), facts.Release{Design: facts.StreamsInPost}, "needs no hooks"},
		"v0.8.2": {with(with(release("v0.8.2"), stream), map[string]string{"packages/api/dist/index.js": "log('[GenerationJobManager] Configured with x')"}),
			facts.Release{Design: facts.GeneratesAfterPost, ReadyLog: `\[GenerationJobManager\] Configured with`}, "hooks: streams, answers, start"},
		"v0.8.6": {with(with(release("v0.8.6"), stream), map[string]string{"packages/api/dist/index.js": "log('[GenerationJobManager] Configured with x')", "api/server/index.js": "app.get('/readyz', f)"}),
			facts.Release{Design: facts.GeneratesAfterPost, Readyz: true}, "hooks: streams, answers, start"},
		"v0.8.7": {with(with(cjs("v0.8.7"), stream), map[string]string{"api/server/index.js": "app.get('/readyz', f); STREAM_KEEP_COMPLETED_JOBS"}),
			facts.Release{Design: facts.GeneratesAfterPost, Readyz: true, KeepsJobs: true}, "hooks: streams, answers, start"},
		"v0.8.8-rc1": {with(cjs("v0.8.8-rc1"), map[string]string{
			"api/server/routes/agents/index.js": "router.get('/chat/stream/:streamId', f); generationProtocolVersion",
			"api/server/index.js":               "app.get('/readyz', f); STREAM_KEEP_COMPLETED_JOBS"}),
			facts.Release{Design: facts.GeneratesAfterPost, AcrossProcesses: true, Readyz: true, KeepsJobs: true}, "hooks: answers, start"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := tree(t, test.files)
			r, err := facts.Detect(dir)
			if err != nil {
				t.Fatal(err)
			}
			test.want.Dir, test.want.Version = dir, name
			if diff := cmp.Diff(test.want, r); diff != "" {
				t.Error(diff)
			}
			if !strings.Contains(r.Hooks(), test.hooks) || !strings.Contains(r.Hooks(), name) {
				t.Errorf("says %q, want %q", r.Hooks(), test.hooks)
			}
			sayTheSame(t, r, map[facts.Design]map[string]string{})
		})
	}
}

func TestDetectSaysWhatIsWrong(t *testing.T) {
	unbuilt := release("v0.8.2-rc1")
	delete(unbuilt, "client/dist/index.html")
	delete(unbuilt, "node_modules/express/package.json")
	other := release("v0.8.2-rc1")
	other["package.json"] = `{"name":"express"}`
	half := cjs("v0.8.7")
	delete(half, "packages/api/dist/index.cjs")
	bare := release("v0.9.0")
	delete(bare, "client/dist/index.html")
	bare["package.json"] = `{"name":"LibreChat","version":"v0.9.0"}`
	partial := release("v0.8.6")
	delete(partial, "packages/api/package.json")
	garbled := release("v0.8.2-rc1")
	garbled["package.json"] = `{`
	for name, tc := range map[string]struct {
		files map[string]string
		want  []string
	}{
		"empty":      {nil, []string{"no LibreChat directory", "package.json", "hint"}},
		"other":      {other, []string{`"express"`}},
		"garbled":    {garbled, []string{"cannot be read"}},
		"not built":  {unbuilt, []string{"client/dist/index.html", "npm ci && npm run build:client", "node_modules"}},
		"half built": {half, []string{"packages/api/dist/index.cjs missing", "&& npm run build:packages"}},
		"no scripts": {bare, []string{"client/dist/index.html", "&& npm run frontend"}},
		"no package": {partial, []string{"packages/api/package.json missing", "git checkout ."}},
	} {
		t.Run(name, func(t *testing.T) {
			dir := tree(t, tc.files)
			_, err := facts.Detect(dir)
			if err == nil {
				t.Fatal("no error")
			}
			for _, want := range append(tc.want, dir) {
				if !strings.Contains(hint.Text(err), want) {
					t.Errorf("error lacks %q: %v", want, err)
				}
			}
		})
	}
}

func TestUnknownVersionIsNamedAndReturned(t *testing.T) {
	for _, v := range []string{"v0.7.9", "v1.0.0", "", "nightly"} {
		r, err := facts.Detect(tree(t, release(v)))
		if !errors.Is(err, facts.ErrUnknownVersion) || r.Design == 0 {
			t.Errorf("%q: release %+v, error %v", v, r, err)
		}
		if !strings.Contains(r.Hooks(), "runs plain, without hooks") || r.Env(facts.Stores{})["NODE_OPTIONS"] != "" {
			t.Errorf("%q: %s", v, r.Hooks())
		}
		sayTheSame(t, r, map[facts.Design]map[string]string{})
	}
}

// good is an environment that LibreChat runs with.
func good(t *testing.T, r facts.Release) map[string]string {
	t.Helper()
	env := r.Env(facts.Stores{PublicURL: "https://chat.example.com",
		MongoURI: "mongodb://u:hunter2@c.cluster-x.eu-north-1.docdb.amazonaws.com:27017/LibreChat?tls=true&tlsCAFile=/app/ca.pem&retryWrites=false",
		RedisURI: "rediss://:hunter2@r.cache.amazonaws.com:6379"})
	secrets, err := facts.NewSecrets(bytes.NewReader(make([]byte, 200)))
	if err != nil {
		t.Fatal(err)
	}
	for k, v := range secrets {
		env[k] = v
	}
	return env
}

func TestContract(t *testing.T) {
	r := facts.Release{Dir: "/app", Version: "v0.8.2-rc2", Design: facts.GeneratesAfterPost}
	if err := r.Check(good(t, r)); err != nil {
		t.Fatalf("a good environment: %v", err)
	}
	for name, value := range map[string]string{
		"MONGO_URI": "", "REDIS_URI": "http://hunter2@x", "JWT_SECRET": "hunter2", "CREDS_KEY": strings.Repeat("g", 64),
		"CREDS_IV": strings.Repeat("a", 64), "DOMAIN_CLIENT": "chat.example.com", "AWS_SESSION_TOKEN": "hunter2",
		"AWS_ACCESS_KEY_ID": "hunter2", "USE_REDIS": "false", "USE_REDIS_STREAMS": "no", "USE_REDIS_CLUSTER": "TRUE",
		"MONGO_MAX_POOL_SIZE": "0", "S3_URL_EXPIRY_SECONDS": "120", "TRUST_PROXY": "0",
	} {
		env := good(t, r)
		env[name] = value
		err := r.Check(env)
		if err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s=%q: got %v", name, value, err)
			continue
		}
		if strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: the error shows a value: %v", name, err)
		}
	}
	env := good(t, r)
	env["MONGO_URI"] = strings.Replace(env["MONGO_URI"], "&retryWrites=false", "", 1)
	if err := r.Check(env); err == nil || !strings.Contains(err.Error(), "retryWrites=false") {
		t.Errorf("DocumentDB with retryable writes: %v", err)
	}
}

func TestContractListsAllThatIsMissing(t *testing.T) {
	err := facts.Release{Design: facts.StreamsInPost}.Check(nil)
	for _, v := range append(facts.Secrets(), "DOMAIN_CLIENT") {
		if err == nil || !strings.Contains(err.Error(), v+" is missing") {
			t.Errorf("%s is not in %v", v, err)
		}
	}
}

func TestKeyPrefixChangesWithReleaseAndConfiguration(t *testing.T) {
	a := facts.Release{Version: "v0.8.2-rc1"}
	b := facts.Release{Version: "v0.8.2-rc2"}
	prefixes := []string{
		a.Env(facts.Stores{})["REDIS_KEY_PREFIX"], b.Env(facts.Stores{})["REDIS_KEY_PREFIX"],
		a.Env(facts.Stores{Config: []byte("x")})["REDIS_KEY_PREFIX"],
	}
	slices.Sort(prefixes)
	if len(slices.Compact(prefixes)) != 3 || prefixes[0] == "" {
		t.Errorf("got %q", prefixes)
	}
}

func TestBootstrapSettings(t *testing.T) {
	a := facts.Release{Dir: "/app", Design: facts.StreamsInPost}
	if got := a.Bootstrap(); !json.Valid([]byte(got["SLUICE_DEADLINE_EVENT"])) || got["SLUICE_READY_LOG"] != "" ||
		!strings.Contains(got["SLUICE_WRITABLE"], "/app/api/logs,") {
		t.Errorf("got %v", got)
	}
	b := facts.Release{Dir: "/app", Design: facts.GeneratesAfterPost, ReadyLog: "x"}
	if got := b.Bootstrap(); got["SLUICE_DEADLINE_EVENT"] != "break" || got["SLUICE_READY_LOG"] != "x" {
		t.Errorf("got %v", got)
	}
	for _, r := range []facts.Release{a, b} {
		env := r.Bootstrap()
		for _, known := range settings.Table() {
			delete(env, known.Name)
		}
		if len(env) > 0 {
			t.Errorf("the bootstrap does not know %v", env)
		}
	}
}

func TestRehearsalConfigIsYAML(t *testing.T) {
	data, err := facts.RehearsalConfig("http://127.0.0.1:8000/v1", true)
	if err != nil {
		t.Fatal(err)
	}
	var c struct {
		FileStrategy string `yaml:"fileStrategy"`
		Endpoints    struct {
			Custom []struct {
				Name, BaseURL string
				BaseURL2      string `yaml:"baseURL"`
			}
		}
	}
	if err := yaml.Unmarshal(data, &c); err != nil {
		t.Fatal(err)
	}
	if len(c.Endpoints.Custom) != 1 || c.Endpoints.Custom[0].BaseURL2 != "http://127.0.0.1:8000/v1" || c.FileStrategy != "s3" {
		t.Errorf("got %+v", c)
	}
	if _, err := facts.RehearsalConfig("http://x\"\nevil: true", false); err == nil {
		t.Error("a base URL with a quote was accepted")
	}
}

func TestDescriptionsAreValid(t *testing.T) {
	for _, d := range []facts.Design{facts.StreamsInPost, facts.GeneratesAfterPost} {
		data, err := json.Marshal(facts.Description(d, "Rehearsal", "rehearsal"))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := description.Parse(data); err != nil {
			t.Errorf("%v: %v", d, err)
		}
	}
}

// LibreChat takes an endpoint of its own for a custom one where it is told so, and a
// model that is no stub is not silent when it is asked to be.
func TestDescriptionOfARealModel(t *testing.T) {
	d := facts.Description(facts.GeneratesAfterPost, "openAI", "gpt-4o-mini")
	if body := d.Stream.Start.Body; d.Silence != nil || !strings.Contains(body, `"endpoint":"openAI","endpointType":null`) || !strings.Contains(body, "Count from 1 to ${events}") {
		t.Errorf("asks %s, silence %v", body, d.Silence)
	}
	if body := facts.Description(facts.StreamsInPost, "Mistral", "small").Stream.Request.Body; !strings.Contains(body, `"endpointType":"custom"`) {
		t.Errorf("asks %s", body)
	}
}

func FuzzCheck(f *testing.F) {
	f.Add("mongodb://u:p@h:1/db", "redis://h", "https://x")
	f.Add("mongodb://a:1,b:2/db?replicaSet=rs0", "rediss://:p%@h:1", "")
	f.Add("mongodb://u:pa%ss@x.docdb.amazonaws.com/?tls=true", "://", "\x00")
	f.Fuzz(func(t *testing.T, mongo, redis, site string) {
		r := facts.Release{Design: facts.GeneratesAfterPost}
		r.Check(map[string]string{"MONGO_URI": mongo, "REDIS_URI": redis, "DOMAIN_CLIENT": site})
	})
}
