package terraform

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/aproorg/sluice/internal/testdeps"
)

// deployerKey signs what tofu and sluice ask for; what the tests ask for by themselves is
// signed otherwise, and nobody refuses it.
const deployerKey = "deployer"

// guard refuses what module deployer's policies do not allow, as AWS does: a plan has the
// policies to read, everything else those to write too.
type guard struct {
	rights *rights

	mu       sync.Mutex
	deployer deployer
	first    bool // the policies to make the state's bucket are there
	needs    map[string]need
	asked    int
	refusal  []string
}

// guarded makes the account refuse, until the test ends, what the deployer may not do.
func (a *account) guarded(t *testing.T) {
	t.Run("the deployer has its own rights alone", func(t *testing.T) {
		_, packages := testdeps.IAM(t)
		a.calls.guards(&guard{rights: &rights{newJudge(t), newSentry(t, packages), map[string]map[string]string{}}, deployer: a.deployer(t, nil), needs: map[string]need{}})
	})
	t.Cleanup(func() { a.calls.guards(nil) })
}

// deployer has the rights for one environment of the account as it was furnished last, with
// values beside those of environments/dev.
func (a *account) deployer(t *testing.T, more map[string]string) deployer {
	t.Helper()
	values := maps.Clone(deployerValues)
	values["documentdb_security_group_id"] = a.tfvars["documentdb"].(map[string]any)["security_group_id"].(string)
	values["vpc_id"] = a.tfvars["network"].(map[string]any)["vpc_id"].(string)
	values["zone_id"] = a.tfvars["domain"].(map[string]any)["zone_id"].(string)
	maps.Copy(values, more)
	d, err := newDeployer(values)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// prodDeployer are the values of environments/prod, whose state lies in S3.
var prodDeployer = map[string]string{"name": "librechat-prod", "environment": "prod", "state_bucket": "sluice-state-123456789012-eu-west-1", "state_key": "prod/terraform.tfstate"}

// becomes gives whoever deploys other rights, where there is a guard: those for another
// environment, for the first deployment with those to make the state's bucket.
func (c *calls) becomes(d deployer, first bool) {
	c.tell(func(g *guard) { g.deployer, g.first = d, first })
}

// tell changes the guard, where there is one, between two calls.
func (c *calls) tell(change func(*guard)) {
	c.mu.Lock()
	g := c.guard
	c.mu.Unlock()
	if g == nil {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	change(g)
}

func (c *calls) guards(g *guard) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.guard = g
}

// forgive takes refusals of an action for what a test wanted.
func (c *calls) forgive(action string) {
	c.tell(func(g *guard) {
		g.refusal = slices.DeleteFunc(g.refusal, func(said string) bool { return strings.Contains(said, "perform: "+action+" ") })
	})
}

// refused answers a call that the policies do not allow.
func (g *guard) refused(w http.ResponseWriter, c call) bool {
	if g == nil || !strings.Contains(c.Header.Get("Authorization"), "Credential="+deployerKey+"/") {
		return false
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.asked++
	asks, err := g.rights.asks(c)
	if err != nil {
		g.refusal = append(g.refusal, err.Error())
		return false
	}
	if said := g.refuses(c.Phase, asks); said != "" {
		denied(w, c, said)
		return true
	}
	return false
}

// refuses is what AWS says to asks of which one is not allowed, or nothing.
func (g *guard) refuses(phase string, asks []ask) string {
	may := levelOf(phase)
	for _, a := range asks {
		if may == deploying && g.first && !g.deployer.allows(deploying, a) {
			may = first
		}
		if !g.deployer.allows(may, a) {
			said := fmt.Sprintf("User: arn:aws:iam::%s:user/deployer is not authorized to perform: %s on resource: %s", account123, a.Action, a.Resource)
			g.refusal = append(g.refusal, fmt.Sprintf("%s: %s (%v)", phase, said, a.Context))
			return said
		}
		if n, ok := g.deployer.noted(may, a); ok {
			key, _ := json.Marshal(n)
			g.needs[string(key)] = n
		}
	}
	return ""
}

// denied refuses in the service's own words
// (https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html).
func denied(w http.ResponseWriter, c call, said string) {
	status, body := http.StatusForbidden, ""
	switch service := signedFor.FindStringSubmatch(c.Header.Get("Authorization"))[1]; service {
	case "s3":
		body = fmt.Sprintf("<Error><Code>AccessDenied</Code><Message>%s</Message></Error>", said)
	case "ec2":
		body = fmt.Sprintf("<Response><Errors><Error><Code>UnauthorizedOperation</Code><Message>%s</Message></Error></Errors></Response>", said)
	case "iam", "sts", "elasticache", "cloudfront", "route53":
		body = fmt.Sprintf("<ErrorResponse><Error><Type>Sender</Type><Code>AccessDenied</Code><Message>%s</Message></Error></ErrorResponse>", said)
	case "monitoring":
		w.Header().Set("X-Amzn-Query-Error", "AccessDenied;Sender")
		w.Header().Set("Smithy-Protocol", "rpc-v2-cbor")
		fallthrough
	default:
		w.Header().Set("X-Amzn-Errortype", "AccessDeniedException")
		body = fmt.Sprintf(`{"__type": "AccessDeniedException", "message": %q}`, said)
	}
	w.WriteHeader(status)
	_, _ = io.WriteString(w, body)
}

// learn keeps the tags of what a call has made.
func (g *guard) learn(c call) {
	if g == nil {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.rights.learn(c)
}

var uploads = regexp.MustCompile(`^/v2/(.+)/blobs/uploads/`)

// registry guards what stands in for ECR's registry. Its requests are the actions of ECR
// (https://docs.aws.amazon.com/AmazonECR/latest/userguide/image-push-iam.html,
// https://docs.aws.amazon.com/AmazonECR/latest/userguide/image-pull-iam.html).
func (c *calls) registry(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c.mu.Lock()
		g, phase := c.guard, c.phase
		c.mu.Unlock()
		if g == nil || phase == "sluice up" || strings.HasSuffix(r.URL.Path, "/tags/list") || r.URL.Path == "/v2/" { // a rehearsal's, a test's, and the way in
			next.ServeHTTP(w, r)
			return
		}
		repository, actions := registryActions(r)
		g.mu.Lock()
		region := g.deployer.values["region"] // a registry's host, which has it, is not here
		g.mu.Unlock()
		resource := "arn:aws:ecr:" + region + ":" + account123 + ":repository/" + repository
		var asks []ask
		for _, action := range actions {
			asks = append(asks, ask{Action: action, Resource: resource, Context: map[string][]string{"aws:RequestedRegion": {region}}})
		}
		g.mu.Lock()
		g.asked++
		said := g.refuses(phase, asks)
		g.mu.Unlock()
		if said != "" {
			w.WriteHeader(http.StatusForbidden)
			fmt.Fprintf(w, `{"errors": [{"code": "DENIED", "message": %q}]}`, said)
			return
		}
		next.ServeHTTP(w, r)
	})
}

func registryActions(r *http.Request) (repository string, actions []string) {
	if found := uploads.FindStringSubmatch(r.URL.Path); found != nil {
		switch r.Method {
		case http.MethodPost:
			return found[1], []string{"ecr:InitiateLayerUpload"}
		case http.MethodPut:
			return found[1], []string{"ecr:UploadLayerPart", "ecr:CompleteLayerUpload"}
		}
		return found[1], []string{"ecr:UploadLayerPart"}
	}
	if before, _, ok := strings.Cut(strings.TrimPrefix(r.URL.Path, "/v2/"), "/blobs/"); ok {
		if r.Method == http.MethodHead {
			return before, []string{"ecr:BatchCheckLayerAvailability"}
		}
		return before, []string{"ecr:GetDownloadUrlForLayer"}
	}
	before, _, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/v2/"), "/manifests/")
	switch r.Method {
	case http.MethodPut:
		return before, []string{"ecr:PutImage"}
	case http.MethodDelete:
		return before, []string{"ecr:BatchDeleteImage"}
	}
	return before, []string{"ecr:BatchGetImage"}
}

// report says what was refused, and which needs the committed file lacks.
func (g *guard) report(t *testing.T) {
	t.Helper()
	if g == nil {
		t.Skip("nobody refused anything: IAM's tables or AWS's models are not here: make deps")
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	t.Logf("%d calls of the deployer needed %d different things; %d were refused", g.asked, len(g.needs), len(g.refusal))
	for _, refusal := range g.refusal {
		t.Errorf("refused: %s", refusal)
	}
	if *update {
		noteNeeds(t, slices.Collect(maps.Values(g.needs)))
		return
	}
	known := map[string]bool{}
	for _, n := range needs(t) {
		line, _ := json.Marshal(n)
		known[string(line)] = true
	}
	for line := range g.needs {
		if !known[line] {
			t.Errorf("%s lacks a need, which -update adds: %s", needsFile, line)
		}
	}
}

// TestGuard: whoever deploys has the rights of one environment and region at a time, those to
// make the state's bucket for the first deployment alone, and a plan never has those. What was
// needed is noted as of the environment of the committed needs.
func TestGuard(t *testing.T) {
	values := maps.Clone(deployerValues)
	maps.Copy(values, prodDeployer)
	ofProd, err := newDeployer(values)
	if err != nil {
		t.Fatal(err)
	}
	values = maps.Clone(deployerValues)
	values["region"] = "us-east-1"
	inVirginia, err := newDeployer(values)
	if err != nil {
		t.Fatal(err)
	}
	of := map[string][]string{"aws:RequestTag/Environment": {"prod"}, "aws:RequestedRegion": {"eu-west-1"}}
	bucket := ask{Action: "s3:CreateBucket", Resource: "arn:aws:s3:::sluice-state-123456789012-eu-west-1", Context: of}
	group := ask{Action: "elasticache:CreateReplicationGroup", Resource: "arn:aws:elasticache:eu-west-1:123456789012:replicationgroup:librechat-prod", Context: of}
	nodes := ask{Action: "elasticache:DescribeReplicationGroups", Resource: group.Resource, Context: of}
	g := &guard{deployer: ofProd, needs: map[string]need{}}
	c := &calls{guard: g}
	for _, step := range []struct {
		deployer deployer
		first    bool
		phase    string
		ask      ask
		allowed  bool
	}{
		{ofProd, false, "sluice deploy", bucket, false},
		{ofProd, true, "sluice plan", bucket, false},
		{ofProd, true, "sluice deploy", bucket, true},
		{ofProd, true, "sluice deploy", group, true},
		{ofProd, false, "sluice plan", group, false},
		{ofProd, false, "sluice plan", nodes, true},
		{inVirginia, false, "sluice deploy", group, false},
	} {
		c.becomes(step.deployer, step.first)
		if said := g.refuses(step.phase, []ask{step.ask}); (said == "") != step.allowed {
			t.Errorf("%s, first %v: %s: %q", step.phase, step.first, step.ask.Action, said)
		}
	}
	var noted []string
	for line := range g.needs {
		noted = append(noted, line)
	}
	slices.Sort(noted)
	const dev = `"Context":{"aws:RequestTag/Environment":["dev"],"aws:RequestedRegion":["eu-west-1"]}}`
	want := []string{
		`{"Action":"elasticache:CreateReplicationGroup","Resource":"arn:aws:elasticache:eu-west-1:123456789012:replicationgroup:librechat-dev",` + dev,
		`{"First":true,"Action":"s3:CreateBucket","Resource":"arn:aws:s3:::apro-state",` + dev,
		`{"Plans":true,"Action":"elasticache:DescribeReplicationGroups","Resource":"arn:aws:elasticache:eu-west-1:123456789012:replicationgroup:librechat-dev",` + dev,
	}
	if !slices.Equal(noted, want) {
		t.Errorf("noted %s", strings.Join(noted, "\n"))
	}
	if len(g.refusal) != 4 {
		t.Errorf("refused %q", g.refusal)
	}
	if c.forgive("s3:CreateBucket"); len(g.refusal) != 2 {
		t.Errorf("what was not wanted is %q", g.refusal)
	}
}
