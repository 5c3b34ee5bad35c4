package terraform

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/aproorg/sluice/internal/awsx/awsiam"
	"github.com/aproorg/sluice/internal/testdeps"
)

// deployer are the policies of module deployer, by file, with the values in them.
type deployer struct {
	policies map[string]awsiam.Policy
	values   map[string]string
}

// level is what somebody has of the policies: those of the names that begin with its words.
type level int

const (
	planning  level = iota + 1 // read
	deploying                  // and write
	first                      // and make: once, where the bucket of the state is not there
)

var levels = []string{"read-", "write-", "make-"}

// deployerValues are what the module puts into its policies for the environment of these tests.
var deployerValues = map[string]string{
	"name": "librechat-dev", "project": "librechat", "environment": "dev", "account": account123, "partition": "aws", "dns_suffix": "amazonaws.com", "region": "eu-west-1",
	"vpc_id": "*", "zone_id": "*", "config_bucket": "apro-librechat-config", "documentdb_security_group_id": "ID", "state_bucket": "apro-state", "state_key": "librechat/dev.tfstate", "domain": "*", "state_kms_key": "arn:aws:kms:*:*:key/none",
}

// deployerDocuments are the policies' files with the values.
func deployerDocuments(values map[string]string) (map[string]string, error) {
	files, err := fs.Glob(Files, "modules/deployer/policies/*.json")
	if err != nil {
		return nil, err
	}
	documents := map[string]string{}
	for _, file := range files {
		text, err := fs.ReadFile(Files, file)
		if err != nil {
			return nil, err
		}
		filled := bytes.NewBuffer(nil)
		if err := json.Compact(filled, []byte(os.Expand(string(text), func(name string) string { return values[name] }))); err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		documents[strings.TrimSuffix(path.Base(file), ".json")] = filled.String()
	}
	return documents, nil
}

func newDeployer(values map[string]string) (deployer, error) {
	documents, err := deployerDocuments(values)
	if err != nil {
		return deployer{}, err
	}
	d := deployer{map[string]awsiam.Policy{}, values}
	for file, document := range documents {
		if d.policies[file], err = awsiam.Parse([]byte(document)); err != nil {
			return deployer{}, fmt.Errorf("%s: %w", file, err)
		}
	}
	return d, nil
}

// allows tells whether the policies of a level allow what a call needs.
func (d deployer) allows(may level, a ask) bool {
	var policies []awsiam.Policy
	for file, policy := range d.policies {
		if slices.ContainsFunc(levels[:may], func(prefix string) bool { return strings.HasPrefix(file, prefix) }) {
			policies = append(policies, policy)
		}
	}
	return awsiam.Allows(policies, a)
}

// levelOf is what runs a command: one that only looks plans.
func levelOf(phase string) level {
	if slices.Contains([]string{"init", "plan", "show", "output", "sluice plan", "sluice status", "sluice verify"}, phase) {
		return planning
	}
	return deploying
}

// need is what calls of a deployment need, each once: ids that AWS makes up are ID.
type need struct {
	Plans bool `json:",omitempty"`
	First bool `json:",omitempty"`
	ask
}

func (n need) level() level {
	switch {
	case n.Plans:
		return planning
	case n.First:
		return first
	}
	return deploying
}

var madeUp = []*regexp.Regexp{
	regexp.MustCompile(`::/(?:restapis|apikeys|usageplans)/([a-z0-9]{10})`), regexp.MustCompile(`/(?:resources|deployments|keys)/([a-z0-9]{10})`),
	regexp.MustCompile(`distribution/(E\w+)`), regexp.MustCompile(`origin-access-control/(\w+)`), regexp.MustCompile(`response-headers-policy/([\w-]+)`),
	regexp.MustCompile(`hostedzone/(\w+)`), regexp.MustCompile(`change/(\w+)`), regexp.MustCompile(`security-group/(sg-\w+)`), regexp.MustCompile(`security-group-rule/(sgr-\w+)`), regexp.MustCompile(`vpc/(vpc-\w+)`),
	regexp.MustCompile(`certificate/([\w-]+)`), regexp.MustCompile(`namespace/(ns-\w+)`), regexp.MustCompile(`%2F(?:restapis|apikeys|usageplans)%2F([a-z0-9]{10})(?:%2F|$)`),
	regexp.MustCompile(`assets/(?:[\w-]+\.)?([0-9a-f]{8,})\.js`), regexp.MustCompile(`function:[\w-]+:(\d+)`),
	regexp.MustCompile(`_sluice/releases/([0-9a-f]{16})\.json`),
	regexp.MustCompile(`:key/([0-9a-f-]{36})`),
}

// noted is the need of an ask, the same in each run and for each environment of the region
// that the committed needs are of.
func (d deployer) noted(may level, a ask) (n need, ok bool) {
	if d.values["region"] != deployerValues["region"] {
		return n, false
	}
	for _, name := range []string{"name", "state_bucket", "state_key"} {
		a.Resource = strings.ReplaceAll(a.Resource, d.values[name], deployerValues[name])
	}
	for _, pattern := range madeUp {
		for found := pattern.FindStringSubmatchIndex(a.Resource); found != nil && a.Resource[found[2]:found[3]] != "ID"; found = pattern.FindStringSubmatchIndex(a.Resource) {
			a.Resource = a.Resource[:found[2]] + "ID" + a.Resource[found[3]:]
		}
	}
	context := map[string][]string{}
	for key, values := range a.Context {
		if key == recordNames {
			continue
		}
		for _, value := range values {
			if value == d.values["environment"] {
				value = deployerValues["environment"]
			}
			context[key] = append(context[key], strings.ReplaceAll(value, d.values["name"], deployerValues["name"]))
		}
		slices.Sort(context[key])
	}
	a.Context = context
	return need{may == planning, may == first, a}, true
}

var needsFile = filepath.Join("testdata", "deployer", "needs.jsonl")

// needs are those of the committed file, which TestApply and others write with -update.
func needs(t *testing.T) []need {
	t.Helper()
	if _, err := os.Stat(needsFile); err != nil && *update {
		return nil
	}
	return jsonLines[need](t, needsFile)
}

// noteNeeds adds needs to the file, each once and in order.
func noteNeeds(t *testing.T, more []need) {
	t.Helper()
	known := map[string]bool{}
	for _, n := range append(needs(t), more...) {
		line, _ := json.Marshal(n)
		known[string(line)] = true
	}
	text := strings.Join(slices.Sorted(maps.Keys(known)), "\n") + "\n"
	if err := os.WriteFile(needsFile, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// TestDeployer holds module deployer's policies against what the calls of plans, applies
// and destroys need: what was needed is allowed, what is allowed was needed, or says why
// it is here. IAM's tables and parliament take the policies, and their length.
func TestDeployer(t *testing.T) {
	d, err := newDeployer(deployerValues)
	if err != nil {
		t.Fatal(err)
	}
	used := map[string]bool{}
	all := needs(t)
	for _, n := range all {
		if !d.allows(n.level(), n.ask) {
			t.Errorf("%s is refused on %s (%+v)", n.Action, n.Resource, n)
		}
		used[n.Action] = true
	}
	actions := map[string]bool{}
	for file, policy := range d.policies {
		for _, s := range policy.Statement {
			for _, action := range s.Action {
				actions[action] = true
				if !used[action] && unseen[action] == "" {
					t.Errorf("%s: %s: no call needed %s, and no reason is given for it", file, s.Sid, action)
				}
			}
		}
	}
	for action := range unseen {
		if used[action] || !actions[action] {
			t.Errorf("%s needs no reason: a call used it, or no policy has it", action)
		}
	}
	t.Logf("%d actions of %d policies for %d needs of calls, %d of them by a reason of their own", len(actions), len(d.policies), len(all), len(unseen))
	t.Run("length", func(t *testing.T) {
		long := maps.Clone(deployerValues)
		maps.Copy(long, map[string]string{"name": strings.Repeat("x", 28), "region": "ap-southeast-1", "partition": "aws-us-gov", "vpc_id": "vpc-0a1b2c3d4e5f60718",
			"zone_id": "Z0123456789ABCDEFGHIJ", "config_bucket": strings.Repeat("x", 63), "state_bucket": strings.Repeat("x", 63), "state_key": strings.Repeat("x", 200),
			"domain": strings.Repeat("x", 253), "state_kms_key": "arn:aws:kms:ap-southeast-1:123456789012:key/11111111-2222-3333-4444-555555555555"})
		documents, err := deployerDocuments(long)
		if err != nil {
			t.Fatal(err)
		}
		for file, document := range documents {
			if len(document) > 6144 { // https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
				t.Errorf("%s: %d characters are more than a managed policy may have", file, len(document))
			}
		}
	})
	t.Run("IAM acts on each", func(t *testing.T) {
		documents, err := deployerDocuments(deployerValues)
		if err != nil {
			t.Fatal(err)
		}
		var found []policy
		for _, file := range slices.Sorted(maps.Keys(documents)) {
			found = append(found, policy{"deployer " + file, documents[file]})
		}
		lawful(t, found)
	})
	t.Run("what actions need beside them", func(t *testing.T) {
		_, packages := testdeps.IAM(t)
		tables := newSentry(t, packages)
		for action := range actions {
			service, name, _ := strings.Cut(action, ":")
			for _, takes := range tables[service].Privileges[name].Types {
				for _, other := range takes.Dependents {
					if !actions[other] && needless[other] == "" {
						t.Errorf("%s needs %s too, by IAM's tables, which no policy has", action, other)
					}
				}
			}
		}
	})
	t.Run("without an action", func(t *testing.T) {
		for _, n := range all {
			less := deployer{policies: map[string]awsiam.Policy{}}
			for file, policy := range d.policies {
				statements := slices.Clone(policy.Statement)
				for i := range statements {
					statements[i].Action = slices.DeleteFunc(slices.Clone(statements[i].Action), func(a string) bool { return a == n.Action })
				}
				less.policies[file] = awsiam.Policy{Version: policy.Version, Statement: statements}
			}
			if less.allows(n.level(), n.ask) {
				t.Errorf("%s is allowed on %s by no action of that name", n.Action, n.Resource)
			}
		}
	})
}

// TestDeployerRefuses: what is another environment's stays out of reach of one that has its own values.
func TestDeployerRefuses(t *testing.T) {
	values := maps.Clone(deployerValues)
	maps.Copy(values, map[string]string{"domain": "chat.example.com", "vpc_id": "vpc-1", "state_kms_key": "arn:aws:kms:eu-west-1:123456789012:key/state"})
	d, err := newDeployer(values)
	if err != nil {
		t.Fatal(err)
	}
	type keys = map[string][]string
	own := keys{"aws:RequestTag/Project": {"librechat"}, "aws:RequestTag/Environment": {"dev"}}
	with := func(more keys) keys {
		context := maps.Clone(own)
		maps.Copy(context, more)
		return context
	}
	const distribution, zone = "arn:aws:cloudfront::123456789012:distribution/E1", "arn:aws:route53:::hostedzone/Z1"
	const group, left = "arn:aws:ec2:eu-west-1:123456789012:security-group/sg-1", "arn:aws:ec2:eu-west-1:123456789012:network-interface/eni-1"
	for _, c := range []struct {
		action, resource string
		allowed, refused keys
	}{
		{"cloudfront:TagResource", distribution, own, with(keys{"aws:ResourceTag/Project": {"librechat"}, "aws:ResourceTag/Environment": {"prod"}})}, // one that is being made has no tags yet
		{"cloudfront:TagResource", distribution, with(keys{"aws:ResourceTag/Project": {"librechat"}, "aws:ResourceTag/Environment": {"dev"}}), keys{"aws:RequestTag/Project": {"other"}}},
		{"route53:ChangeResourceRecordSets", zone, keys{"route53:ChangeResourceRecordSetsRecordTypes": {"A"}, recordNames: {"chat.example.com"}},
			keys{"route53:ChangeResourceRecordSetsRecordTypes": {"A"}, recordNames: {"www.example.com"}}},
		{"ec2:ModifySecurityGroupRules", group, keys{"aws:ResourceTag/Project": {"librechat"}, "aws:ResourceTag/Environment": {"dev"}}, keys{"aws:ResourceTag/Project": {"librechat"}, "aws:ResourceTag/Environment": {"prod"}}},
		{"ec2:DeleteNetworkInterface", left, keys{"ec2:Vpc": {"arn:aws:ec2:eu-west-1:123456789012:vpc/vpc-1"}}, keys{"ec2:Vpc": {"arn:aws:ec2:eu-west-1:123456789012:vpc/vpc-2"}}},
		{"kms:GenerateDataKey", values["state_kms_key"], keys{"kms:ViaService": {"s3.eu-west-1.amazonaws.com"}}, keys{"kms:ViaService": {"ssm.eu-west-1.amazonaws.com"}}},
	} {
		if !d.allows(deploying, ask{Action: c.action, Resource: c.resource, Context: c.allowed}) {
			t.Errorf("%s is refused with %v", c.action, c.allowed)
		}
		if d.allows(deploying, ask{Action: c.action, Resource: c.resource, Context: c.refused}) {
			t.Errorf("%s is allowed with %v", c.action, c.refused)
		}
	}
}

// needless are actions that others need beside them by IAM's tables, each with the reason why not here.
var needless = map[string]string{
	"ec2:CreateNetworkInterface":       "ElastiCache has it by its service's role, and AWS's own policy AmazonElastiCacheFullAccess lacks it (docs/account.md)",
	"cloudfront:CreateConnectionGroup": "of distributions for tenants",
	"lambda:PassCapacityProvider":      "of functions on instances",
}

// unseen are actions that no call of the emulated account needed, each with the reason.
var unseen = map[string]string{
	"cloudfront:CreateInvalidation":          "a site that changes is taken out of CloudFront's caches; the emulated one has none, so the second image here changes no path of fixed name",
	"wafv2:GetWebACL":                        "web_acl_id: CloudFront says that a web ACL \"is not accessible by the requester\", and AWS's policies CloudFrontFullAccess and CloudFrontReadOnlyAccess have it; no page says who asks",
	"cloudfront:UpdateOriginAccessControl":   "an upgrade of the cloudfront module may change it",
	"cloudfront:UpdateResponseHeadersPolicy": "response_headers of module frontend",
	"elasticache:ModifyCacheSubnetGroup":     "network.subnet_ids",
	"kms:GenerateDataKey":                    "the bucket of the state has a key of its own: https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingKMSEncryption.html",
	"ec2:ModifySecurityGroupRules":           "another port or group, as of documentdb or egress: TestNetworkByDeployer",
	"ec2:DeleteNetworkInterface":             "what Lambda has left of its interfaces the provider deletes before the group: TestNetworkByDeployer",
	"s3:DeleteObjectVersion":                 "force_destroy deletes versions, where somebody has switched versioning on",
}

// TestRecordedNeeds judges the calls that an earlier test wrote to the file SLUICE_CALLS by
// the deployer's policies; with -update it writes what they need.
func TestRecordedNeeds(t *testing.T) {
	file := os.Getenv("SLUICE_JUDGE")
	if file == "" {
		t.Skip("TestApply judges its calls by itself: SLUICE_CALLS=FILE go test -run TestApply writes them, SLUICE_JUDGE=FILE judges them again")
	}
	_, packages := testdeps.IAM(t)
	r := &rights{newJudge(t), newSentry(t, packages), map[string]map[string]string{}}
	values := maps.Clone(deployerValues)
	values["documentdb_security_group_id"] = "*" // a recording does not say which one it was
	d, err := newDeployer(values)
	if err != nil {
		t.Fatal(err)
	}
	var all []need
	for _, c := range jsonLines[call](t, file) {
		if !strings.Contains(c.Header.Get("Authorization"), "Credential="+deployerKey+"/") {
			r.learn(c)
			continue
		}
		asks, err := r.asks(c)
		if err != nil {
			t.Error(err)
		}
		for _, a := range asks {
			may := levelOf(c.Phase)
			if !d.allows(may, a) {
				t.Errorf("%s: %s is refused on %s (%v)", c.Phase, a.Action, a.Resource, a.Context)
				continue
			}
			if n, ok := d.noted(may, a); ok {
				all = append(all, n)
			}
		}
		r.learn(c)
	}
	if *update {
		noteNeeds(t, all)
	}
}
