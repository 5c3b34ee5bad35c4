package terraform

import (
	"strings"
	"testing"
)

// TestBadInput: what a person can get wrong fails at plan, with a sentence that
// says what to change.
func TestBadInput(t *testing.T) {
	a := emulated(t)
	dev := a.environment(t, nil)
	in := func(vars map[string]any, name string) map[string]any { return vars[name].(map[string]any) }
	subnets := func(id string) func(map[string]any) {
		return func(vars map[string]any) {
			network := in(vars, "network")
			network["subnet_ids"] = []any{network["subnet_ids"].([]any)[0], id}
		}
	}
	for _, c := range []struct {
		name   string
		change func(vars map[string]any)
		says   string
	}{
		{"subnet of another VPC", subnets(a.wrong["other_vpc"]), "must be private subnets"},
		{"public subnet", subnets(a.wrong["public"]), "is public and in"},
		{"subnets of one zone", subnets(a.wrong["same_zone"]), "add a private subnet of a second zone"},
		{"one subnet", func(v map[string]any) { in(v, "network")["subnet_ids"] = in(v, "network")["subnet_ids"].([]any)[:1] }, "two or more subnets"},
		{"certificate of another region", func(v map[string]any) {
			in(v, "domain")["certificate_arn"] = "arn:aws:acm:eu-west-1:123456789012:certificate/11111111-2222-3333-4444-555555555555"
		}, "must be a certificate of us-east-1"},
		{"certificate of another domain", func(v map[string]any) { in(v, "domain")["certificate_domain"] = "*.example.org" }, "does not cover domain.name"},
		{"another certificate", func(v map[string]any) {
			in(v, "domain")["certificate_arn"] = "arn:aws:acm:us-east-1:123456789012:certificate/11111111-2222-3333-4444-555555555555"
		}, "set domain.certificate_arn to it"},
		{"unknown zone", func(v map[string]any) { in(v, "domain")["zone_id"] = "Z00000000000000000000" }, "set domain.zone_id to one that"},
		{"zone of another domain", func(v map[string]any) { in(v, "domain")["zone_id"] = a.wrong["other_zone"] }, "set domain.zone_id to the zone that holds it"},
		{"domain without a zone", func(v map[string]any) { delete(in(v, "domain"), "zone_id") }, "domain.name needs domain.zone_id"},
		{"domain with a scheme", func(v map[string]any) { in(v, "domain")["name"] = "https://chat.example.com" }, "must be a host name"},
		{"parameter's name with a space", func(v map[string]any) { in(v, "secrets")["JWT_SECRET"] = "/librechat/jwt secret" }, "must be an SSM parameter's name"},
		{"a secret in place of a name", func(v map[string]any) { in(v, "secrets")["MONGO_URI"] = "mongodb://u:p@host/db" }, "Put the secret itself there"},
		{"a secret missing", func(v map[string]any) { delete(in(v, "secrets"), "CREDS_KEY") }, "LibreChat does not start without them"},
		{"a secret in clear", func(v map[string]any) { in(v, "environment")["OPENAI_API_KEY"] = "sk-x" }, "give its name in secrets"},
		{"too little memory", func(v map[string]any) { v["function"] = map[string]any{"memory_size": 512} }, "1024 to 10240 MB"},
		{"path with a wildcard inside", func(v map[string]any) { v["api_paths"] = []any{"/api/*/x"} }, "one segment without wildcards"},
		{"bucket as a URL", func(v map[string]any) { in(v, "config")["bucket"] = "s3://apro-librechat-config" }, "no s3://"},
		{"project with a capital", func(v map[string]any) { v["project"] = "LibreChat" }, "3 to 30 lower-case letters"},
	} {
		t.Run(c.name, func(t *testing.T) {
			a.variables(t, dev, c.change)
			out, err := a.run(dev, "plan", "-refresh=false")
			if err == nil {
				t.Fatal("it is planned all the same")
			}
			if flat := strings.Join(strings.Fields(strings.NewReplacer("│", "", "╵", "", "╷", "").Replace(out)), " "); !strings.Contains(flat, c.says) {
				t.Errorf("it does not say %q:\n%s", c.says, complaint(out))
			}
		})
	}
}
