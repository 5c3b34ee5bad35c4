package terraform

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode"

	"github.com/aproorg/sluice/internal/testdeps"
)

// template is the CloudFormation type of what a call makes, and how its properties are
// called there, where they are called otherwise; "" leaves out what no property is.
type template struct {
	kind   string
	rename map[string]string
	within string // member that is the resource, where not all of the input is
}

var templates = map[string]template{
	"lambda:CreateFunction":              {kind: "AWS::Lambda::Function", rename: map[string]string{"Publish": ""}},
	"lambda:CreateAlias":                 {kind: "AWS::Lambda::Alias"},
	"lambda:AddPermission":               {kind: "AWS::Lambda::Permission", rename: map[string]string{"StatementId": "", "Qualifier": ""}},
	"iam:CreateRole":                     {kind: "AWS::IAM::Role"},
	"iam:PutRolePolicy":                  {kind: "AWS::IAM::RolePolicy"},
	"iam:CreatePolicy":                   {kind: "AWS::IAM::ManagedPolicy", rename: map[string]string{"PolicyName": "ManagedPolicyName", "Tags": ""}},
	"iam:CreateOpenIDConnectProvider":    {kind: "AWS::IAM::OIDCProvider", rename: map[string]string{"ClientIDList": "ClientIdList"}},
	"s3:CreateBucket":                    {kind: "AWS::S3::Bucket", rename: map[string]string{"Bucket": "BucketName", "CreateBucketConfiguration": "", "ObjectOwnership": "", "ACL": ""}},
	"s3:PutBucketPolicy":                 {kind: "AWS::S3::BucketPolicy", rename: map[string]string{"Policy": "PolicyDocument", "ExpectedBucketOwner": ""}},
	"elasticache:CreateReplicationGroup": {kind: "AWS::ElastiCache::ReplicationGroup"},
	"elasticache:CreateCacheSubnetGroup": {kind: "AWS::ElastiCache::SubnetGroup", rename: map[string]string{"CacheSubnetGroupDescription": "Description"}},
	"apigateway:CreateRestApi":           {kind: "AWS::ApiGateway::RestApi"},
	"apigateway:CreateStage":             {kind: "AWS::ApiGateway::Stage"},
	"apigateway:CreateUsagePlan":         {kind: "AWS::ApiGateway::UsagePlan", rename: map[string]string{"Name": "UsagePlanName"}},
	"apigateway:CreateApiKey":            {kind: "AWS::ApiGateway::ApiKey"},
	"apigateway:CreateResource":          {kind: "AWS::ApiGateway::Resource"},
	"logs:CreateLogGroup":                {kind: "AWS::Logs::LogGroup"},
	"logs:PutMetricFilter":               {kind: "AWS::Logs::MetricFilter"},
	"cloudwatch:PutMetricAlarm":          {kind: "AWS::CloudWatch::Alarm"},
	"cloudwatch:PutDashboard":            {kind: "AWS::CloudWatch::Dashboard"},
	"ec2:CreateSecurityGroup":            {kind: "AWS::EC2::SecurityGroup", rename: map[string]string{"Description": "GroupDescription", "TagSpecifications": ""}},
	"ecr:CreateRepository":               {kind: "AWS::ECR::Repository"},
	"cloudfront:CreateDistribution": {kind: "AWS::CloudFront::Distribution", within: "DistributionConfigWithTags", rename: map[string]string{"CallerReference": "", "Tags": "", "Quantity": "", "Items": "",
		"SSLSupportMethod": "SslSupportMethod", "OriginSslProtocols": "OriginSSLProtocols", "IsIPV6Enabled": "IPV6Enabled", "CustomHeaders": "OriginCustomHeaders", "ACMCertificateArn": "AcmCertificateArn"}},
	"cloudfront:CreateFunction":              {kind: "AWS::CloudFront::Function"},
	"cloudfront:CreateOriginAccessControl":   {kind: "AWS::CloudFront::OriginAccessControl"},
	"cloudfront:CreateResponseHeadersPolicy": {kind: "AWS::CloudFront::ResponseHeadersPolicy"},
	"route53:ChangeResourceRecordSets":       {kind: "AWS::Route53::RecordSet", within: "ResourceRecordSet"},
}

// property is a value as CloudFormation spells it: names begin in upper case, and a list
// that CloudFront counts stands by itself.
func property(value any, rename map[string]string) any {
	switch v := value.(type) {
	case map[string]any:
		items, listed := v["Items"]
		switch {
		case v["Quantity"] == nil || v["RestrictionType"] != nil:
		case listed:
			return property(items, rename)
		default:
			return []any{}
		}
		out := map[string]any{}
		for name, item := range v {
			upper := string(unicode.ToUpper(rune(name[0]))) + name[1:]
			if to, renamed := rename[upper]; renamed {
				upper = to
			}
			if upper != "" && (item != "" || upper == "Comment") { // CloudFront sends what is not given, too
				out[upper] = property(item, rename)
			}
		}
		return out
	case []any:
		out := []any{}
		for _, item := range v {
			out = append(out, property(item, rename))
		}
		return out
	case []byte:
		return string(v)
	}
	return value
}

// resources are what the calls make, as a CloudFormation template has it.
func (j *judge) resources(t *testing.T, calls []call) map[string]any {
	t.Helper()
	made := map[string]any{}
	for _, c := range calls {
		name, service, err := j.service(c)
		if err != nil {
			continue
		}
		r, err := http.NewRequest(c.Method, c.URL, nil)
		if err != nil {
			continue
		}
		r.Header = c.Header
		asked, _, err := service.Request(r, c.Request)
		if err != nil || c.Status >= 300 {
			continue
		}
		operation := name + ":" + strings.TrimSuffix(version.ReplaceAllString(asked.Operation.Name, ""), "WithTags")
		as, ok := templates[operation]
		if !ok {
			continue
		}
		for _, input := range as.inputs(asked.Input) {
			properties, _ := property(input, as.rename).(map[string]any)
			shaped(as.kind, properties)
			made[fmt.Sprintf("R%d", len(made))] = map[string]any{"Type": as.kind, "Properties": properties}
		}
	}
	return made
}

func (s template) inputs(input map[string]any) []any {
	switch s.within {
	case "":
		return []any{input}
	case "ResourceRecordSet":
		var records []any
		batch, _ := input["ChangeBatch"].(map[string]any)
		changes, _ := batch["Changes"].([]any)
		for _, change := range changes {
			record, _ := change.(map[string]any)["ResourceRecordSet"].(map[string]any)
			record = maps.Clone(record)
			record["HostedZoneId"] = input["HostedZoneId"]
			records = append(records, record)
		}
		return records
	}
	return []any{input[s.within]}
}

// shaped puts right what a type has otherwise than the call.
func shaped(kind string, p map[string]any) {
	if p["AliasTarget"] != nil {
		delete(p, "TTL")
	}
	if policy, ok := p["ResponseHeadersPolicyConfig"].(map[string]any); ok && policy["CustomHeadersConfig"] != nil {
		policy["CustomHeadersConfig"] = map[string]any{"Items": policy["CustomHeadersConfig"]}
	}
	if distribution, ok := p["DistributionConfig"].(map[string]any); ok {
		if logging, ok := distribution["Logging"].(map[string]any); ok && logging["Enabled"] == false {
			delete(distribution, "Logging")
		}
		if certificate, ok := distribution["ViewerCertificate"].(map[string]any); ok && certificate["CloudFrontDefaultCertificate"] == false {
			delete(certificate, "CloudFrontDefaultCertificate")
		}
	}
	if tags, ok := p["Tags"].(map[string]any); ok {
		list := []any{}
		for _, key := range slices.Sorted(maps.Keys(tags)) {
			list = append(list, map[string]any{"Key": key, "Value": tags[key]})
		}
		p["Tags"] = list
	}
	for _, document := range []string{"PolicyDocument", "AssumeRolePolicyDocument"} {
		var parsed any
		if text, ok := p[document].(string); ok && json.Unmarshal([]byte(text), &parsed) == nil {
			p[document] = parsed
		}
	}
	for name, value := range p { // defaults that the provider spells out
		if list, ok := value.([]any); ok && len(list) == 0 {
			delete(p, name)
		}
	}
}

// inSchema holds what the calls make against CloudFormation's schemas of it.
func inSchema(t *testing.T, calls []call) {
	t.Helper()
	python, packages := testdeps.CloudFormation(t)
	resources := newJudge(t).resources(t, calls)
	file := filepath.Join(t.TempDir(), "template.json")
	text, _ := json.MarshalIndent(map[string]any{"AWSTemplateFormatVersion": "2010-09-09", "Resources": resources}, "", " ")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	out := cfnLint(t, python, packages, file)
	var findings []struct {
		Level, Message string
		Rule           struct{ ID string }
		Location       struct{ Path []any }
	}
	if err := json.Unmarshal(out, &findings); err != nil {
		t.Fatalf("cfn-lint says %s", out)
	}
	kinds := map[string]int{}
	values := 0
	for _, resource := range resources {
		r := resource.(map[string]any)
		kinds[r["Type"].(string)]++
		values += count(r["Properties"])
	}
	for _, finding := range findings {
		var path []string
		for _, part := range finding.Location.Path {
			path = append(path, fmt.Sprint(part))
		}
		kind := ""
		if len(path) > 1 {
			if r, ok := resources[path[1]].(map[string]any); ok {
				kind = r["Type"].(string)
			}
		}
		said := fmt.Sprintf("%s %s: %s", finding.Rule.ID, kind, finding.Message)
		t.Errorf("cfn-lint: %s at %s", said, strings.Join(path, "/"))
	}
	t.Logf("%d resources of %d types with %d values were held against CloudFormation's schemas", len(resources), len(kinds), values)
}

func count(value any) (n int) {
	switch v := value.(type) {
	case map[string]any:
		for _, item := range v {
			n += count(item)
		}
	case []any:
		for _, item := range v {
			n += count(item)
		}
	default:
		return 1
	}
	return n
}

// TestSchemaRefuses: what CloudFormation's schemas and no model of a call refuse is found.
func TestSchemaRefuses(t *testing.T) {
	python, packages := testdeps.CloudFormation(t)
	file := filepath.Join(t.TempDir(), "template.json")
	const wrong = `{"Resources": {"A": {"Type": "AWS::Logs::LogGroup", "Properties": {"RetentionInDays": 31}}}}`
	if err := os.WriteFile(file, []byte(wrong), 0o600); err != nil {
		t.Fatal(err)
	}
	if out := cfnLint(t, python, packages, file); !strings.Contains(string(out), "31 is not one of") {
		t.Errorf("cfn-lint says %s", out)
	}
}

func cfnLint(t *testing.T, python, packages, file string) []byte {
	t.Helper()
	// E3019 is of templates: there no two resources have one name, which things of two regions, and those that are made anew, have;
	// W2530 is too: a template publishes a version by a resource of its own, the call of a function by Publish.
	const run = "import sys; from cfnlint.runner import main; sys.exit(main())"
	cmd := exec.CommandContext(t.Context(), python, "-c", run, "--non-zero-exit-code", "none", "--ignore-checks", "E3019", "W2530", "--regions", "eu-west-1", "--format", "json", file)
	cmd.Env = append(os.Environ(), "PYTHONPATH="+packages)
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("cfn-lint: %v\n%s", err, out)
	}
	return out
}
