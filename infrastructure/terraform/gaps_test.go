package terraform

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strings"
	"sync"
)

// gaps answers the calls of an apply that moto 5.2 does not know, so that the rest
// of the apply can be seen. It keeps what it is given and gives it back; it checks
// names alone, so what it answers is no proof that AWS would take it:
//
//   - CloudFront Functions and response headers policies: moto has no such calls. A
//     name that is taken is refused
//     (https://docs.aws.amazon.com/cloudfront/latest/APIReference/API_CreateFunction.html,
//     https://docs.aws.amazon.com/cloudfront/latest/APIReference/API_CreateResponseHeadersPolicy.html).
//   - CloudFront distributions: moto keeps a few of their fields and answers with
//     defaults for the rest. A caller reference or an alternate name that is taken is refused
//     (https://docs.aws.amazon.com/cloudfront/latest/APIReference/API_CreateDistribution.html).
//   - ElastiCache DescribeCacheClusters for the nodes of a replication group: moto
//     keeps the group, with one member however many are asked for, and makes no nodes. It changes no group either, and deletes neither
//     a group, which is "deleting" for ever, nor a subnet group: it keeps them, and gaps
//     says which are gone. What is made anew has the attributes of the first.
//   - API Gateway's account settings: moto refuses to take the log role away again.
//   - API Gateway's change of an integration, which moto answers with nothing, and of a method, at which it fails.
//   - Provisioned concurrency: moto has no such calls. An alias with environments kept
//     ready is not moved to $LATEST, which may have none.
type gaps struct {
	next   http.Handler // moto
	alarms alarms

	mu        sync.Mutex
	functions map[string]*cfFunction
	policies  map[string][]byte     // inner XML of the configuration
	sites     map[string][]byte     // distributions, likewise
	made      int                   // policies and distributions so far
	siteTags  map[string][]byte     // of distributions by their id, likewise
	logRoles  map[string]string     // of API Gateway's account settings, by region
	groups    map[string]string     // by region and name, security group of a replication group's nodes; empty where the group is gone
	nodes     map[string]int        // of a replication group, likewise
	types     map[string]string     // of its nodes
	changed   map[string]url.Values // what a change asked for, likewise
	gone      map[string]bool       // subnet groups, likewise
	ready     map[string]int        // environments kept ready, by path and qualifier
}

type cfFunction struct {
	Name           string `xml:"Name"`
	FunctionConfig struct {
		Comment string `xml:"Comment"`
		Runtime string `xml:"Runtime"`
	} `xml:"FunctionConfig"`
	FunctionCode []byte `xml:"FunctionCode"`
	live         bool
}

func newGaps(next http.Handler) *gaps {
	return &gaps{next: next, functions: map[string]*cfFunction{}, policies: map[string][]byte{}, sites: map[string][]byte{}, siteTags: map[string][]byte{}, logRoles: map[string]string{}, groups: map[string]string{}, gone: map[string]bool{}, nodes: map[string]int{}, types: map[string]string{}, changed: map[string]url.Values{}, ready: map[string]int{}}
}

func (g *gaps) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	const cloudfront = "/2020-05-31/"
	switch {
	case strings.HasPrefix(r.URL.Path, cloudfront+"function"):
		g.function(w, r, strings.Split(strings.Trim(strings.TrimPrefix(r.URL.Path, cloudfront+"function"), "/"), "/"))
	case strings.HasPrefix(r.URL.Path, cloudfront+"response-headers-policy"):
		g.policy(w, r, strings.Trim(strings.TrimPrefix(r.URL.Path, cloudfront+"response-headers-policy"), "/"))
	case r.Method == http.MethodPatch && strings.HasSuffix(r.URL.Path, "/integration"):
		g.patchIntegration(w, r)
	case r.Method == http.MethodPatch && methodPath.MatchString(r.URL.Path):
		g.patchMethod(w, r)
	case strings.HasSuffix(r.URL.Path, "/provisioned-concurrency"):
		g.provisioned(w, r)
	case r.Method == http.MethodPut && strings.Contains(r.URL.Path, "/aliases/"):
		g.alias(w, r)
	case r.URL.Path == "/account":
		g.account(w, r)
	case strings.HasPrefix(r.URL.Path, cloudfront+"distribution"):
		g.distribution(w, r, strings.Trim(strings.TrimPrefix(r.URL.Path, cloudfront+"distribution"), "/"))
	case r.URL.Path == cloudfront+"tagging":
		g.tagging(w, r, path.Base(r.URL.Query().Get("Resource")))
	case r.Method == http.MethodPost && strings.Contains(r.Header.Get("Authorization"), "/elasticache/"):
		g.elasticache(w, r)
	case strings.HasPrefix(r.URL.Path, cloudWatch):
		g.alarms.ServeHTTP(w, r)
	default:
		g.next.ServeHTTP(w, r)
	}
}

func (g *gaps) function(w http.ResponseWriter, r *http.Request, path []string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	body, _ := io.ReadAll(r.Body)
	name := path[0]
	if name == "" { // create
		f := new(cfFunction)
		if err := xml.Unmarshal(body, f); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		if g.functions[f.Name] != nil {
			conflict(w, "FunctionAlreadyExists", "A function with the same name already exists in this AWS account.")
			return
		}
		f.FunctionCode = decodeBase64(f.FunctionCode)
		g.functions[f.Name] = f
		f.summary(w, http.StatusCreated, false)
		return
	}
	f, ok := g.functions[name]
	stage := r.URL.Query().Get("Stage") == "LIVE"
	switch {
	case !ok || stage && !f.live:
		notFound(w, "NoSuchFunctionExists")
	case r.Method == http.MethodDelete:
		delete(g.functions, name)
		w.WriteHeader(http.StatusNoContent)
	case r.Method == http.MethodPut:
		_ = xml.Unmarshal(body, f)
		f.FunctionCode = decodeBase64(f.FunctionCode)
		f.summary(w, http.StatusOK, false)
	case len(path) > 1 && path[1] == "publish":
		f.live = true
		f.summary(w, http.StatusOK, true)
	case len(path) > 1 && path[1] == "describe":
		f.summary(w, http.StatusOK, stage)
	default:
		w.Header().Set("ETag", "E1")
		w.Header().Set("Content-Type", "application/octet-stream")
		w.Write(f.FunctionCode)
	}
}

func (f *cfFunction) summary(w http.ResponseWriter, status int, live bool) {
	state := "UNPUBLISHED"
	if live {
		state = "UNASSOCIATED"
	}
	stage := map[bool]string{true: "LIVE", false: "DEVELOPMENT"}[live]
	w.Header().Set("ETag", "E1")
	w.WriteHeader(status)
	fmt.Fprintf(w, `<FunctionSummary><Name>%[1]s</Name><Status>%[2]s</Status><FunctionConfig><Comment>%[3]s</Comment><Runtime>%[4]s</Runtime></FunctionConfig>`+
		`<FunctionMetadata><FunctionARN>arn:aws:cloudfront::123456789012:function/%[1]s</FunctionARN><Stage>%[5]s</Stage>`+
		`<CreatedTime>2026-01-01T00:00:00Z</CreatedTime><LastModifiedTime>2026-01-01T00:00:00Z</LastModifiedTime></FunctionMetadata></FunctionSummary>`,
		f.Name, state, f.FunctionConfig.Comment, f.FunctionConfig.Runtime, stage)
}

func (g *gaps) policy(w http.ResponseWriter, r *http.Request, id string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	body, _ := io.ReadAll(r.Body)
	var config struct {
		Inner []byte `xml:",innerxml"`
		Name  string `xml:"Name"`
	}
	switch {
	case r.Method == http.MethodGet && id == "":
		fmt.Fprint(w, `<ResponseHeadersPolicyList><Items>`)
		for id, config := range g.policies {
			fmt.Fprintf(w, `<ResponseHeadersPolicySummary><Type>custom</Type><ResponseHeadersPolicy><Id>%s</Id><ResponseHeadersPolicyConfig>%s</ResponseHeadersPolicyConfig></ResponseHeadersPolicy></ResponseHeadersPolicySummary>`, id, config)
		}
		fmt.Fprintf(w, `</Items><MaxItems>100</MaxItems><Quantity>%d</Quantity></ResponseHeadersPolicyList>`, len(g.policies))
		return
	case r.Method == http.MethodPost || r.Method == http.MethodPut:
		if err := xml.Unmarshal(body, &config); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		for other, taken := range g.policies {
			if other != id && bytes.Contains(taken, []byte("<Name>"+config.Name+"</Name>")) {
				conflict(w, "ResponseHeadersPolicyAlreadyExists", "A response headers policy with this name already exists.")
				return
			}
		}
		if id == "" {
			g.made++
			id = fmt.Sprintf("00000000-0000-4000-8000-%012d", g.made)
		}
		g.policies[id] = config.Inner
	case g.policies[id] == nil:
		notFound(w, "NoSuchResponseHeadersPolicy")
		return
	case r.Method == http.MethodDelete:
		delete(g.policies, id)
		w.WriteHeader(http.StatusNoContent)
		return
	}
	w.Header().Set("ETag", "E1")
	if r.Method == http.MethodPost {
		w.WriteHeader(http.StatusCreated)
	}
	fmt.Fprintf(w, `<ResponseHeadersPolicy><Id>%s</Id><LastModifiedTime>2026-01-01T00:00:00Z</LastModifiedTime><ResponseHeadersPolicyConfig>%s</ResponseHeadersPolicyConfig></ResponseHeadersPolicy>`, id, g.policies[id])
}

// tagsOf are those of the distribution with the ARN.
// tagging reads the tags of a distribution, gives some or takes some.
func (g *gaps) tagging(w http.ResponseWriter, r *http.Request, id string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if r.Method == http.MethodGet {
		fmt.Fprintf(w, `<Tags>%s</Tags>`, g.siteTags[id])
		return
	}
	body, _ := io.ReadAll(r.Body)
	var taken struct {
		Keys []string `xml:"Items>Key"`
	}
	if r.URL.Query().Get("Operation") == "Untag" {
		_ = xml.Unmarshal(body, &taken)
	}
	g.siteTags[id] = []byte("<Items>" + retagged(string(g.siteTags[id]), body, taken.Keys) + "</Items>")
	w.WriteHeader(http.StatusNoContent)
}

func (g *gaps) distribution(w http.ResponseWriter, r *http.Request, id string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	id = strings.TrimSuffix(id, "/config")
	body, _ := io.ReadAll(r.Body)
	type inner struct {
		XML []byte `xml:",innerxml"`
	}
	switch {
	case r.Method == http.MethodGet && id == "":
		fmt.Fprint(w, `<DistributionList><Marker/><Items>`)
		for id, config := range g.sites {
			w.Write(summarized(id, config))
		}
		fmt.Fprintf(w, `</Items><MaxItems>100</MaxItems><IsTruncated>false</IsTruncated><Quantity>%d</Quantity></DistributionList>`, len(g.sites))
		return
	case r.Method == http.MethodPost:
		var both struct {
			Config inner `xml:"DistributionConfig"`
			Tags   inner `xml:"Tags"`
		}
		_ = xml.Unmarshal(body, &both)
		for _, taken := range g.sites {
			if code := sameDistribution(taken, both.Config.XML); code != "" {
				conflict(w, code, "It is associated with another distribution.")
				return
			}
		}
		g.made++
		id = fmt.Sprintf("E%013d", g.made)
		g.sites[id], g.siteTags[id] = both.Config.XML, both.Tags.XML
	case g.sites[id] == nil:
		notFound(w, "NoSuchDistribution")
		return
	case r.Method == http.MethodPut:
		var config inner
		_ = xml.Unmarshal(body, &config)
		g.sites[id] = config.XML
	case r.Method == http.MethodDelete:
		delete(g.sites, id)
		w.WriteHeader(http.StatusNoContent)
		return
	}
	w.Header().Set("ETag", "E1")
	if r.Method == http.MethodPost {
		w.WriteHeader(http.StatusCreated)
	}
	config := g.sites[id]
	for _, part := range []string{"Aliases", "OriginGroups", "CacheBehaviors", "CustomErrorResponses"} { // AWS gives empty ones
		if !bytes.Contains(config, []byte("<"+part+">")) {
			config = slices.Concat(config, []byte("<"+part+"><Quantity>0</Quantity></"+part+">"))
		}
	}
	fmt.Fprintf(w, `<Distribution><Id>%[1]s</Id><ARN>arn:aws:cloudfront::123456789012:distribution/%[1]s</ARN><Status>Deployed</Status><LastModifiedTime>2026-01-01T00:00:00Z</LastModifiedTime>`+
		`<InProgressInvalidationBatches>0</InProgressInvalidationBatches><ActiveTrustedSigners><Enabled>false</Enabled><Quantity>0</Quantity></ActiveTrustedSigners>`+
		`<ActiveTrustedKeyGroups><Enabled>false</Enabled><Quantity>0</Quantity></ActiveTrustedKeyGroups><DomainName>d111111abcdef8.cloudfront.net</DomainName><DistributionConfig>%[2]s</DistributionConfig></Distribution>`, id, config)
}

// unlisted are the parts of a distribution that a list of them leaves out.
var unlisted = regexp.MustCompile(`<(?:CallerReference|DefaultRootObject|Logging|ContinuousDeploymentPolicyId)/>|` +
	`<CallerReference>.*?</CallerReference>|<DefaultRootObject>.*?</DefaultRootObject>|<Logging>.*?</Logging>|<ContinuousDeploymentPolicyId>.*?</ContinuousDeploymentPolicyId>`)

// summarized is a distribution in a list.
func summarized(id string, config []byte) []byte {
	return fmt.Appendf(nil, `<DistributionSummary><Id>%[1]s</Id><ARN>arn:aws:cloudfront::123456789012:distribution/%[1]s</ARN><Status>Deployed</Status>`+
		`<LastModifiedTime>2026-01-01T00:00:00Z</LastModifiedTime><DomainName>d111111abcdef8.cloudfront.net</DomainName>%[2]s</DistributionSummary>`, id, unlisted.ReplaceAll(config, nil))
}

// sameDistribution is the code by which CloudFront refuses a second distribution, or "".
func sameDistribution(a, b []byte) string {
	for _, one := range []struct {
		code    string
		pattern *regexp.Regexp
	}{
		{"DistributionAlreadyExists", regexp.MustCompile(`<CallerReference>[^<]+</CallerReference>`)},
		{"CNAMEAlreadyExists", regexp.MustCompile(`<CNAME>[^<]+</CNAME>`)},
	} {
		for _, value := range one.pattern.FindAll(b, -1) {
			if bytes.Contains(a, value) {
				return one.code
			}
		}
	}
	return ""
}

// patchIntegration puts what is there with the changes.
func (g *gaps) patchIntegration(w http.ResponseWriter, r *http.Request) {
	var patch struct {
		PatchOperations []struct{ Path, Value string } `json:"patchOperations"`
	}
	_ = json.NewDecoder(r.Body).Decode(&patch)
	integration := map[string]any{}
	_ = json.Unmarshal(g.ask(r, http.MethodGet, r.URL.Path, nil).Body.Bytes(), &integration)
	for _, p := range patch.PatchOperations {
		integration[strings.TrimPrefix(p.Path, "/")] = p.Value
	}
	answer := g.ask(r, http.MethodPut, r.URL.Path, integration)
	w.Header().Set("Content-Type", "application/json")
	if answer.Code >= 300 {
		w.WriteHeader(answer.Code)
	}
	w.Write(answer.Body.Bytes())
}

// methodPath is the path of a method in API Gateway.
var methodPath = regexp.MustCompile(`^/restapis/[^/]+/resources/[^/]+/methods/[^/]+$`)

// patchMethod makes what is there anew with the changes, and the integration with it. It knows the members that are replaced as a whole
// (https://docs.aws.amazon.com/apigateway/latest/api/patch-operations.html#UpdateMethod-Patch),
// and no method with responses of its own, which would be gone.
func (g *gaps) patchMethod(w http.ResponseWriter, r *http.Request) {
	var patch struct {
		PatchOperations []struct{ Op, Path, Value string } `json:"patchOperations"`
	}
	_ = json.NewDecoder(r.Body).Decode(&patch)
	w.Header().Set("Content-Type", "application/json")
	answer, method := g.ask(r, http.MethodGet, r.URL.Path, nil), map[string]any{}
	_ = json.Unmarshal(answer.Body.Bytes(), &method)
	if answer.Code >= 300 {
		w.WriteHeader(answer.Code)
		w.Write(answer.Body.Bytes())
		return
	}
	responses, _ := method["methodResponses"].(map[string]any)
	for _, p := range patch.PatchOperations {
		name := strings.TrimPrefix(p.Path, "/")
		if known := []string{"apiKeyRequired", "authorizationType", "authorizerId", "operationName", "requestValidatorId"}; p.Op != "replace" || !slices.Contains(known, name) || len(responses) > 0 {
			w.Header().Set("X-Amzn-Errortype", "BadRequestException")
			w.WriteHeader(http.StatusBadRequest)
			fmt.Fprintf(w, `{"message": "the stand-in has no %s of %s"}`, p.Op, p.Path)
			return
		}
		method[name] = p.Value
		if name == "apiKeyRequired" {
			method[name] = p.Value == "true"
		}
	}
	var integration map[string]any // by itself it has its response transfer mode
	if method["methodIntegration"] != nil {
		_ = json.Unmarshal(g.ask(r, http.MethodGet, r.URL.Path+"/integration", nil).Body.Bytes(), &integration)
	}
	g.ask(r, http.MethodDelete, r.URL.Path, nil)
	g.ask(r, http.MethodPut, r.URL.Path, method)
	if integration != nil {
		g.ask(r, http.MethodPut, r.URL.Path+"/integration", integration)
	}
	w.Write(g.ask(r, http.MethodGet, r.URL.Path, nil).Body.Bytes())
}

// ask is moto's answer to a request in the name of another.
func (g *gaps) ask(r *http.Request, method, path string, body any) *httptest.ResponseRecorder {
	var text []byte
	if body != nil {
		text, _ = json.Marshal(body)
	}
	asked := r.Clone(r.Context())
	asked.Method, asked.URL.Path, asked.URL.RawPath = method, path, ""
	asked.Body, asked.ContentLength = io.NopCloser(bytes.NewReader(text)), int64(len(text))
	answer := httptest.NewRecorder()
	g.next.ServeHTTP(answer, asked)
	return answer
}

func (g *gaps) provisioned(w http.ResponseWriter, r *http.Request) {
	g.mu.Lock()
	defer g.mu.Unlock()
	alias := strings.Split(r.URL.Path, "/")[3] + ":" + r.URL.Query().Get("Qualifier")
	status := "READY"
	switch r.Method {
	case http.MethodPut:
		var asked struct{ ProvisionedConcurrentExecutions int }
		_ = json.NewDecoder(r.Body).Decode(&asked)
		g.ready[alias], status = asked.ProvisionedConcurrentExecutions, "IN_PROGRESS"
		w.WriteHeader(http.StatusAccepted)
	case http.MethodDelete:
		delete(g.ready, alias)
		w.WriteHeader(http.StatusNoContent)
		return
	}
	if g.ready[alias] == 0 {
		w.Header().Set("X-Amzn-Errortype", "ProvisionedConcurrencyConfigNotFoundException")
		w.WriteHeader(http.StatusNotFound)
		return
	}
	_ = json.NewEncoder(w).Encode(map[string]any{"RequestedProvisionedConcurrentExecutions": g.ready[alias],
		"AvailableProvisionedConcurrentExecutions": g.ready[alias], "AllocatedProvisionedConcurrentExecutions": g.ready[alias], "Status": status})
}

func (g *gaps) alias(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	r.Body = io.NopCloser(bytes.NewReader(body))
	path := strings.Split(r.URL.Path, "/")
	g.mu.Lock()
	kept := g.ready[path[3]+":"+path[5]]
	g.mu.Unlock()
	if kept > 0 && bytes.Contains(body, []byte(`"$LATEST"`)) {
		w.Header().Set("X-Amzn-Errortype", "InvalidParameterValueException")
		w.WriteHeader(http.StatusBadRequest)
		fmt.Fprint(w, `{"message":"$LATEST has no provisioned concurrency"}`)
		return
	}
	g.next.ServeHTTP(w, r)
}

func (g *gaps) account(w http.ResponseWriter, r *http.Request) {
	g.mu.Lock()
	defer g.mu.Unlock()
	var patch struct {
		PatchOperations []struct{ Path, Value string } `json:"patchOperations"`
	}
	_ = json.NewDecoder(r.Body).Decode(&patch)
	for _, p := range patch.PatchOperations {
		if p.Path == "/cloudwatchRoleArn" {
			g.logRoles[signedRegion(r)] = p.Value
		}
	}
	settings := map[string]any{"throttleSettings": map[string]any{"burstLimit": 5000, "rateLimit": 10000}, "features": []string{}, "apiKeyVersion": "4"}
	if role := g.logRoles[signedRegion(r)]; role != "" {
		settings["cloudwatchRoleArn"] = role
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(settings)
}

var signedIn = regexp.MustCompile(`Credential=[^/]+/\d+/([^/]*)/`)

// signedRegion is where a call goes: names that AWS takes once a region stand for another thing in each.
func signedRegion(r *http.Request) string {
	found := signedIn.FindStringSubmatch(r.Header.Get("Authorization"))
	if found == nil {
		return ""
	}
	return found[1]
}

// conflict refuses in XML what exists already.
func conflict(w http.ResponseWriter, code, message string) {
	w.WriteHeader(http.StatusConflict)
	fmt.Fprintf(w, `<ErrorResponse><Error><Type>Sender</Type><Code>%s</Code><Message>%s</Message></Error></ErrorResponse>`, code, message)
}

func notFound(w http.ResponseWriter, code string) {
	w.WriteHeader(http.StatusNotFound)
	fmt.Fprintf(w, `<ErrorResponse><Error><Type>Sender</Type><Code>%s</Code><Message>not here</Message></Error></ErrorResponse>`, code)
}
