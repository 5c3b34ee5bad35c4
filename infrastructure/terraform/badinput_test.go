package terraform

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// TestNoLogRole: where the region has no role for logs, an environment is planned all the
// same, and says what is missing.
func TestNoLogRole(t *testing.T) {
	a := emulated(t)
	dev := a.environment(t, nil)
	role := url.Values{"RoleName": {"sluice-api-log-eu-west-1"}}
	a.iam(t, "DeleteRole", role)
	role.Set("Path", "/sluice/api-log/eu-west-1/")
	role.Set("AssumeRolePolicyDocument", `{"Version":"2012-10-17","Statement":[]}`)
	defer a.iam(t, "CreateRole", role)
	out, err := a.run(dev, "plan", "-refresh=false")
	if err != nil {
		t.Fatalf("plan: %v\n%s", err, complaint(out))
	}
	if !strings.Contains(out, "Warning: Check block assertion failed") || !strings.Contains(out, "The stage writes no access log: eu-west-1 has no role") {
		t.Errorf("it does not say so:\n%s", out)
	}
	if strings.Contains(out, "access_log_settings") {
		t.Errorf("a stage that logs would fail the apply:\n%s", out)
	}
}

// iam calls IAM of the emulated account, which takes any signature.
func (a *account) iam(t *testing.T, action string, parameters url.Values) {
	t.Helper()
	a.query(t, "us-east-1/iam", "2010-05-08", action, parameters)
}

// query calls a service that takes forms, signed for its region and name, by its owner.
func (a *account) query(t *testing.T, signed, version, action string, parameters url.Values) {
	t.Helper()
	parameters.Set("Action", action)
	parameters.Set("Version", version)
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, a.endpoint+"/", strings.NewReader(parameters.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	request.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=testing/20260101/"+signed+"/aws4_request, SignedHeaders=host, Signature=x")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	if response.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s", action, response.Status)
	}
}

// TestBadInput: what a person can get wrong fails at plan, with a sentence that
// says what to change.
func TestBadInput(t *testing.T) {
	a := emulated(t)
	dev := a.environment(t, nil)
	in := func(vars map[string]any, name string) map[string]any { return vars[name].(map[string]any) }
	for _, c := range []struct {
		name   string
		change func(vars map[string]any)
		says   []string // in one plan: tofu reports the first fault of each variable
	}{
		{"variables by themselves", func(v map[string]any) {
			v["api_paths"] = []any{"/api/*/x"}
			v["function"] = map[string]any{"memory_size": 512}
			v["ca_bundle"] = "not-there.pem"
			v["release"] = "latest"
			v["web_acl_id"] = "chat"
			v["throttling"] = map[string]any{"rate_limit": 0, "burst_limit": 1}
			v["egress"] = map[string]any{"smtp": map[string]any{"port": 587, "cidr": "everywhere"}}
			in(v, "documentdb")["security_group_id"] = "documentdb"
			in(v, "network")["subnet_ids"] = in(v, "network")["subnet_ids"].([]any)[:1]
			in(v, "config")["bucket"] = "s3://apro-librechat-config"
			in(v, "environment")["OPENAI_API_KEY"] = "sk-x"
			delete(in(v, "secrets"), "CREDS_KEY")
			in(v, "domain")["name"] = "https://chat.example.com"
		}, []string{
			"one segment without wildcards", "1024 to 10240 MB", "two or more subnets", "no s3://", "give its name in secrets",
			"LibreChat does not start without them", "must be a host name", "ca_bundle names a file that is not there",
			"must be the ARN of a web ACL", "would refuse every request", "blocks of IPv4 addresses", "must be a security group's id",
			"release must be a version's number",
		}},
		{"project with a capital, domain without a zone", func(v map[string]any) {
			v["project"] = "LibreChat"
			v["function"] = map[string]any{"start": "snapstart", "ephemeral_storage": 1024}
			delete(in(v, "domain"), "zone_id")
		}, []string{"must be 512 where function.start is snapstart", "3 to 28 lower-case letters", "domain.name needs domain.zone_id"}},
		{"names that Lambda and EC2 do not take", func(v map[string]any) {
			in(v, "environment")["MY-FLAG"] = "1"
			in(v, "services")["ports"] = []any{8000, 8000}
			v["egress"] = map[string]any{"é": map[string]any{"port": 25}}
		}, []string{"must be as Lambda takes them", "each once", "choose another name"}},
		{"a name that Lambda reserves, a rule twice", func(v map[string]any) {
			in(v, "environment")["LAMBDA_TASK_ROOT"] = "/x"
			v["egress"] = map[string]any{"web": map[string]any{"port": 443}}
		}, []string{"a name that Lambda reserves", "AWS takes no rule twice"}},
		{"a secret in place of a parameter's name, certificate of another region", func(v map[string]any) {
			in(v, "secrets")["MONGO_URI"] = "mongodb://u:p@host/db"
			in(v, "domain")["certificate_arn"] = "arn:aws:acm:eu-west-1:123456789012:certificate/11111111-2222-3333-4444-555555555555"
		}, []string{"Put the secret itself there", "must be a certificate of us-east-1"}},
		{"parameter's name with a space", func(v map[string]any) {
			in(v, "secrets")["JWT_SECRET"] = "/librechat/jwt secret"
		}, []string{"must be an SSM parameter's name"}},
		{"a certificate, subnet, security group and librechat.yaml that are not there", func(v map[string]any) {
			delete(in(v, "domain"), "certificate_arn")
			in(v, "domain")["name"] = "a.b.sandbox.data.apro.is"
			in(v, "network")["subnet_ids"] = []any{"subnet-00000000", "subnet-00000001"}
			in(v, "documentdb")["security_group_id"] = "sg-00000000"
			in(v, "config")["key"] = "dev/librechat"
		}, []string{
			"no certificate of us-east-1 covers a.b.sandbox.data.apro.is", "domain = var.domain.name", "no subnet subnet-00000000 in this region: set network.subnet_ids",
			"no security group sg-00000000 in this region: set documentdb.security_group_id", "has no dev/librechat: upload librechat.yaml",
		}},
		{"a VPC and a bucket that are not there", func(v map[string]any) {
			in(v, "network")["vpc_id"] = "vpc-00000000"
			in(v, "config")["bucket"] = "apro-librechat-conifg"
		}, []string{"no VPC vpc-00000000 in this region: set network.vpc_id", "There is no bucket apro-librechat-conifg: upload librechat.yaml, and set config.bucket and config.key"}},
		{"subnets of another VPC, and public ones", func(v map[string]any) {
			in(v, "network")["subnet_ids"] = []any{a.wrong["other_vpc"], a.wrong["public"]}
		}, []string{"Subnet " + a.wrong["other_vpc"] + " is private and in", "Subnet " + a.wrong["public"] + " is public and in"}},
		{"subnets of one zone", func(v map[string]any) {
			in(v, "network")["subnet_ids"] = []any{a.wrong["first_zone"], a.wrong["same_zone"]}
		}, []string{"add a private subnet of a second zone"}},
		{"unknown zone, another certificate", func(v map[string]any) {
			in(v, "domain")["zone_id"] = "Z00000000000000000000"
			in(v, "domain")["certificate_arn"] = "arn:aws:acm:us-east-1:123456789012:certificate/11111111-2222-3333-4444-555555555555"
		}, []string{"set domain.zone_id to one that", "this account has no certificate arn:aws:acm:us-east-1:123456789012:certificate/11111111", "arn = var.domain.certificate_arn"}},
		{"certificate of another domain", func(v map[string]any) {
			in(v, "domain")["name"] = "a.b.sandbox.data.apro.is"
		}, []string{"is for *.sandbox.data.apro.is, which does not cover a.b.sandbox.data.apro.is", "arn = var.domain.certificate_arn"}},
		{"a version without the alias", func(v map[string]any) { v["release"] = "7" }, []string{"versions are called by the alias alone"}},
		{"zone of another domain", func(v map[string]any) { in(v, "domain")["zone_id"] = a.wrong["other_zone"] }, []string{"set domain.zone_id to the zone that holds it"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			a.variables(t, dev, c.change)
			out, err := a.run(dev, "plan", "-refresh=false")
			if err == nil {
				t.Fatal("it is planned all the same")
			}
			for _, says := range c.says {
				if !strings.Contains(flat(out), says) {
					t.Errorf("it does not say %q:\n%s", says, complaint(out))
				}
			}
		})
	}
}
