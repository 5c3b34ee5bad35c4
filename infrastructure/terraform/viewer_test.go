package terraform

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
)

// viewer stands between tofu and the emulated AWS. After each call that changes
// something of the path from a viewer to the function it works out what a viewer's call
// would get at that moment: from the distribution's aliases, behaviors and origins to
// the stage, from there to what its deployment was made of (moto keeps no deployment's
// content), and on to the function or its alias, with the version that it stands for
// and the permission to call it.
//
// It knows what was configured, and not how long AWS takes to act on it: a distribution
// deploys for minutes, and a stage may answer 502 for a minute or two after its transfer
// mode has changed. A permission that names another source than the API counts as none.
type viewer struct {
	next http.Handler

	mu            sync.Mutex
	functions     map[string]*lambdaFunction
	apis          map[string]*restAPI
	distributions map[string]*distributionConfig

	first string    // image of the environment's function
	calls []url.URL // of the viewer; none are watched where it is empty
	log   []moment
}

// moment is a change and what the viewer's calls got after it: an empty reason where
// the function was reached.
type moment struct {
	Change  string
	Reasons map[string]string // by URL
	Running map[string]string // by URL: image and environment, where the function was reached
}

type lambdaFunction struct {
	latest      string // its image and its environment
	image, env  string
	versions    map[string]string
	aliases     map[string]string
	permissions map[string]map[string]string // source by statement, by qualifier
}

type restAPI struct {
	paths       map[string]string            // of resources, by id
	uris        map[string]string            // of ANY, by resource
	deployments map[string]map[string]string // uri by path
	stages      map[string]string            // deployment
}

type distributionConfig struct {
	Aliases []string `xml:"Aliases>Items>CNAME"`
	Origins []struct {
		ID     string `xml:"Id"`
		Domain string `xml:"DomainName"`
		Path   string `xml:"OriginPath"`
	} `xml:"Origins>Items>Origin"`
	Behaviors []struct {
		Pattern string `xml:"PathPattern"`
		Target  string `xml:"TargetOriginId"`
	} `xml:"CacheBehaviors>Items>CacheBehavior"`
	Default struct {
		Target string `xml:"TargetOriginId"`
	} `xml:"DefaultCacheBehavior"`
}

func newViewer(next http.Handler) *viewer {
	return &viewer{next: next, functions: map[string]*lambdaFunction{}, apis: map[string]*restAPI{}, distributions: map[string]*distributionConfig{}}
}

// watch has the viewer make the calls from now on, and forgets what it has seen.
func (v *viewer) watch(urls ...string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.calls, v.log = nil, nil
	for _, u := range urls {
		parsed, err := url.Parse(u)
		if err != nil {
			panic(err)
		}
		v.calls = append(v.calls, *parsed)
	}
}

// seen are the changes since watch.
func (v *viewer) seen() []moment {
	v.mu.Lock()
	defer v.mu.Unlock()
	return slices.Clone(v.log)
}

// firstImage is the digest of the first image that a function was made of.
func (v *viewer) firstImage() string {
	v.mu.Lock()
	defer v.mu.Unlock()
	_, digest, _ := strings.Cut(v.first, "@")
	return digest
}

func (v *viewer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodGet || r.Method == http.MethodHead {
		v.next.ServeHTTP(w, r)
		return
	}
	body, _ := io.ReadAll(r.Body)
	r.Body = io.NopCloser(bytes.NewReader(body))
	path := strings.Split(strings.Trim(r.URL.Path, "/"), "/")
	note := v.noter(path)
	if note == nil {
		v.next.ServeHTTP(w, r)
		return
	}
	v.mu.Lock() // one change at a time, so that each is seen by itself
	defer v.mu.Unlock()
	answer := httptest.NewRecorder()
	v.next.ServeHTTP(answer, r)
	maps.Copy(w.Header(), answer.Header())
	w.WriteHeader(answer.Code)
	w.Write(answer.Body.Bytes())
	if answer.Code < 300 {
		if change := note(r, path, body, answer.Body.Bytes()); change != "" {
			v.look(change)
		}
	}
}

type note func(r *http.Request, path []string, request, answer []byte) string

func (v *viewer) noter(path []string) note {
	switch {
	case len(path) > 1 && path[1] == "functions" && path[0] == "2015-03-31":
		return v.lambda
	case path[0] == "restapis":
		return v.apiGateway
	case len(path) > 1 && path[0] == "2020-05-31" && path[1] == "distribution":
		return v.cloudFront
	}
	return nil
}

func (v *viewer) look(change string) {
	m := moment{change, map[string]string{}, map[string]string{}}
	for _, call := range v.calls {
		running, err := v.reach(call)
		m.Reasons[call.String()], m.Running[call.String()] = "", running
		if err != nil {
			m.Reasons[call.String()] = err.Error()
		}
	}
	v.log = append(v.log, m)
}

// reach follows a call to what runs for it.
func (v *viewer) reach(call url.URL) (running string, err error) {
	domain, stage, err := v.origin(call)
	if err != nil {
		return "", err
	}
	id, _, _ := strings.Cut(domain, ".")
	api := v.apis[id]
	if api == nil {
		return "", fmt.Errorf("the distribution's origin is an API that is not there")
	}
	deployment, ok := api.stages[stage]
	if !ok {
		return "", fmt.Errorf("the API has no stage %s", stage)
	}
	uris, ok := api.deployments[deployment]
	if !ok {
		return "", fmt.Errorf("the stage's deployment is not there")
	}
	uri, ok := uris[call.Path]
	if !ok {
		uri, ok = uris[call.Path[:strings.LastIndex(call.Path, "/")]+"/{proxy+}"]
	}
	if !ok {
		return "", fmt.Errorf("the stage has no such path: 403")
	}
	return v.invoke(uri, id, stage)
}

func (v *viewer) origin(call url.URL) (domain, stage string, err error) {
	for _, d := range v.distributions {
		if !slices.Contains(d.Aliases, call.Hostname()) {
			continue
		}
		target := d.Default.Target
		for _, b := range d.Behaviors {
			if tree, ok := strings.CutSuffix(b.Pattern, "*"); b.Pattern == call.Path || ok && strings.HasPrefix(call.Path, tree) {
				target = b.Target
				break
			}
		}
		for _, o := range d.Origins {
			if o.ID == target && strings.Contains(o.Domain, "execute-api") {
				return o.Domain, strings.Trim(o.Path, "/"), nil
			}
		}
		return "", "", fmt.Errorf("the site answers in the API's place")
	}
	return "", "", fmt.Errorf("no distribution has the name")
}

var functionURI = regexp.MustCompile(`:function:([^:/]+)(?::([^/]+))?/response-streaming-invocations`)

func (v *viewer) invoke(uri, api, stage string) (running string, err error) {
	found := functionURI.FindStringSubmatch(uri)
	if found == nil {
		return "", fmt.Errorf("the API calls %s", uri)
	}
	name, qualifier := found[1], found[2]
	f := v.functions[name]
	if f == nil {
		return "", fmt.Errorf("the function is not there: 500")
	}
	permitted := false
	for _, source := range f.permissions[qualifier] {
		permitted = permitted || strings.Contains(source, ":"+api+"/"+stage+"/")
	}
	if !permitted {
		return "", fmt.Errorf("the API may not call %q of the function: 500", qualifier)
	}
	switch version, ok := f.aliases[qualifier]; {
	case qualifier == "" || version == "$LATEST":
		return f.latest, nil
	case !ok:
		return "", fmt.Errorf("the function has no alias %s: 500", qualifier)
	case f.versions[version] == "":
		return "", fmt.Errorf("the alias stands for version %s, which is not there: 500", version)
	default:
		return f.versions[version], nil
	}
}

func (v *viewer) lambda(r *http.Request, path []string, request, answer []byte) string {
	var asked struct {
		FunctionName, Name, FunctionVersion, ImageUri, StatementId, SourceArn string

		Code        struct{ ImageUri string }
		Environment *struct{ Variables map[string]string }
	}
	_ = json.Unmarshal(request, &asked)
	qualifier := r.URL.Query().Get("Qualifier")
	if len(path) == 2 {
		f := &lambdaFunction{versions: map[string]string{}, aliases: map[string]string{}, permissions: map[string]map[string]string{}}
		v.functions[asked.FunctionName] = f
		f.image = asked.Code.ImageUri
		if v.first == "" && asked.FunctionName == "librechat-dev" {
			v.first = f.image
		}
		f.set(asked.Environment)
		return "CreateFunction"
	}
	f := v.functions[path[2]]
	if f == nil {
		return ""
	}
	switch {
	case len(path) == 3 && qualifier != "":
		delete(f.versions, qualifier)
		return "DeleteFunction " + qualifier
	case len(path) == 3:
		delete(v.functions, path[2])
		return "DeleteFunction"
	case path[3] == "configuration":
		f.set(asked.Environment)
		return "UpdateFunctionConfiguration"
	case path[3] == "code":
		f.image = asked.ImageUri
		f.set(nil)
		return "UpdateFunctionCode"
	case path[3] == "versions":
		var published struct{ Version string }
		_ = json.Unmarshal(answer, &published)
		f.versions[published.Version] = f.latest
		return "PublishVersion"
	case path[3] == "aliases":
		return f.alias(r.Method, path, asked.Name, asked.FunctionVersion)
	case path[3] == "policy":
		return f.policy(r.Method, path, qualifier, asked.StatementId, asked.SourceArn)
	}
	return ""
}

// set takes an environment, and what runs from then on.
func (f *lambdaFunction) set(environment *struct{ Variables map[string]string }) {
	if environment != nil {
		text, _ := json.Marshal(environment.Variables)
		f.env = string(text)
	}
	f.latest = f.image + " " + f.env
}

func (f *lambdaFunction) alias(method string, path []string, name, version string) string {
	switch method {
	case http.MethodPost:
		f.aliases[name] = version
		return "CreateAlias"
	case http.MethodDelete:
		delete(f.aliases, path[4])
		delete(f.permissions, path[4])
		return "DeleteAlias"
	}
	f.aliases[path[4]] = version
	return "UpdateAlias"
}

func (f *lambdaFunction) policy(method string, path []string, qualifier, statement, source string) string {
	if method == http.MethodDelete {
		delete(f.permissions[qualifier], path[4])
		return "RemovePermission"
	}
	if f.permissions[qualifier] == nil {
		f.permissions[qualifier] = map[string]string{}
	}
	f.permissions[qualifier][statement] = source
	return "AddPermission"
}

func (v *viewer) apiGateway(r *http.Request, path []string, request, answer []byte) string {
	var asked struct {
		PathPart, Uri, StageName, DeploymentId string
		PatchOperations                        []struct{ Path, Value string }
	}
	var made struct{ Id, RootResourceId string }
	_ = json.Unmarshal(request, &asked)
	_ = json.Unmarshal(answer, &made)
	if len(path) == 1 {
		v.apis[made.Id] = &restAPI{paths: map[string]string{made.RootResourceId: ""}, uris: map[string]string{}, deployments: map[string]map[string]string{}, stages: map[string]string{}}
		return "CreateRestApi"
	}
	api := v.apis[path[1]]
	if api == nil {
		return ""
	}
	patched := func(name string) string {
		for _, p := range asked.PatchOperations {
			if p.Path == "/"+name {
				return p.Value
			}
		}
		return ""
	}
	switch {
	case len(path) == 2 && r.Method == http.MethodDelete:
		delete(v.apis, path[1])
		return "DeleteRestApi"
	case len(path) < 3:
		return ""
	case path[2] == "resources":
		return api.resource(r.Method, path, made.Id, asked.PathPart, asked.Uri+patched("uri"))
	case path[2] == "deployments" && r.Method == http.MethodPost:
		api.deployments[made.Id] = api.content()
		if asked.StageName != "" {
			api.stages[asked.StageName] = made.Id
		}
		return "CreateDeployment"
	case path[2] == "deployments" && r.Method == http.MethodDelete:
		delete(api.deployments, path[3])
		return "DeleteDeployment"
	case path[2] == "stages" && r.Method == http.MethodPost:
		api.stages[asked.StageName] = asked.DeploymentId
		return "CreateStage"
	case path[2] == "stages" && r.Method == http.MethodDelete:
		delete(api.stages, path[3])
		return "DeleteStage"
	case path[2] == "stages" && patched("deploymentId") != "":
		api.stages[path[3]] = patched("deploymentId")
		return "UpdateStage"
	}
	return ""
}

func (a *restAPI) resource(method string, path []string, id, part, uri string) string {
	switch {
	case len(path) == 4 && method == http.MethodPost:
		a.paths[id] = a.paths[path[3]] + "/" + part
		return "CreateResource"
	case len(path) == 4 && method == http.MethodDelete:
		delete(a.paths, path[3])
		delete(a.uris, path[3])
		return "DeleteResource"
	case len(path) < 6 || path[5] != "ANY":
		return ""
	case len(path) == 7 && method != http.MethodDelete && uri != "":
		a.uris[path[3]] = uri
		return "PutIntegration"
	case method == http.MethodDelete:
		delete(a.uris, path[3])
		return "DeleteIntegration"
	}
	return ""
}

// content is what a deployment made now serves.
func (a *restAPI) content() map[string]string {
	content := map[string]string{}
	for id, uri := range a.uris {
		content[a.paths[id]] = uri
	}
	return content
}

func (v *viewer) cloudFront(r *http.Request, path []string, request, answer []byte) string {
	if len(path) > 3 && path[3] != "config" {
		return "" // an invalidation
	}
	if r.Method == http.MethodDelete {
		delete(v.distributions, path[2])
		return "DeleteDistribution"
	}
	var made struct {
		ID     string             `xml:"Id"`
		Config distributionConfig `xml:"DistributionConfig"`
	}
	if xml.Unmarshal(answer, &made) != nil {
		return ""
	}
	v.distributions[made.ID] = &made.Config
	return map[string]string{http.MethodPost: "CreateDistribution", http.MethodPut: "UpdateDistribution"}[r.Method]
}
