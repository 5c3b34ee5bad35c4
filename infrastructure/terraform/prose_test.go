package terraform

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// rule is a limit that AWS's models do not have: it stands in the documentation alone.
type rule struct {
	operations []string
	broken     func(input map[string]any) string // what is wrong, or nothing
	source     string
}

var prose = []rule{
	{[]string{"lambda:CreateFunction", "lambda:UpdateFunctionConfiguration"}, environmentTooLarge, "https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html"},
	{[]string{"apigateway:PutIntegration"}, integrationTooSlow, "https://docs.aws.amazon.com/apigateway/latest/developerguide/response-transfer-mode.html"},
	{[]string{"iam:PutRolePolicy"}, longer("PolicyDocument", 10240), "https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html"},
	{[]string{"iam:CreateRole"}, longer("AssumeRolePolicyDocument", 2048), "https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html"},
	{[]string{"ssm:PutParameter"}, longer("Value", 4096), "https://docs.aws.amazon.com/systems-manager/latest/userguide/parameter-store-advanced-parameters.html"},
	{[]string{"cloudfront:CreateFunction2020_05_31", "cloudfront:UpdateFunction2020_05_31"}, codeTooLarge, "https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/cloudfront-limits.html"},
	{[]string{"s3:CreateBucket"}, other("Bucket", `[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]`, ".."), "https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html"},
	{[]string{"elasticache:CreateReplicationGroup"}, other("ReplicationGroupId", `[A-Za-z][A-Za-z0-9-]{0,38}[A-Za-z0-9]`, "--"),
		"https://docs.aws.amazon.com/AmazonElastiCache/latest/APIReference/API_CreateReplicationGroup.html"},
	{[]string{"elasticache:CreateReplicationGroup"}, other("AuthToken", `[!#-.0-?A-~]{16,128}`, "@"),
		"https://docs.aws.amazon.com/AmazonElastiCache/latest/APIReference/API_CreateReplicationGroup.html"},
	{[]string{"ec2:CreateSecurityGroup"}, other("Description", `[a-zA-Z0-9. _\-:/()#,@\[\]+=&;{}!$*]{1,255}`, ""), "https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateSecurityGroup.html"},
	{[]string{"logs:PutRetentionPolicy"}, retention, "https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutRetentionPolicy.html"},
}

func environmentTooLarge(input map[string]any) string {
	environment, _ := input["Environment"].(map[string]any)
	variables, _ := environment["Variables"].(map[string]any)
	n := 0
	for name, value := range variables {
		n += len(name) + len(fmt.Sprint(value))
	}
	return tooMany("Environment", n, 4096)
}

func integrationTooSlow(input map[string]any) string {
	timeout, set := input["timeoutInMillis"].(int64)
	limit := int64(29_000)
	if input["responseTransferMode"] == "STREAM" {
		limit = 900_000
	}
	if set && (timeout < 50 || timeout > limit) {
		return fmt.Sprintf("timeoutInMillis: %d is not between 50 and %d", timeout, limit)
	}
	return ""
}

func codeTooLarge(input map[string]any) string {
	code, _ := input["FunctionCode"].([]byte)
	return tooMany("FunctionCode", len(code), 10240)
}

func retention(input map[string]any) string {
	days, _ := input["retentionInDays"].(int64)
	if !slices.Contains([]int64{1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653}, days) {
		return fmt.Sprintf("retentionInDays: %d is no choice", days)
	}
	return ""
}

func longer(member string, limit int) func(map[string]any) string {
	return func(input map[string]any) string {
		text, _ := input[member].(string)
		return tooMany(member, len(text), limit)
	}
}

func tooMany(member string, n, limit int) string {
	if n > limit {
		return fmt.Sprintf("%s: %d bytes are more than %d", member, n, limit)
	}
	return ""
}

// other holds a text against a pattern for all of it, and a part that it may not have.
func other(member, pattern, without string) func(map[string]any) string {
	whole := regexp.MustCompile(`^(?:` + pattern + `)$`)
	return func(input map[string]any) string {
		text, set := input[member].(string)
		if set && (!whole.MatchString(text) || without != "" && strings.Contains(text, without)) {
			return fmt.Sprintf("%s: %q is refused", member, text)
		}
		return ""
	}
}

// unwritten is what the documentation refuses of a call and no model does.
func unwritten(operation string, input map[string]any) (faults []string) {
	for _, r := range prose {
		if !slices.Contains(r.operations, operation) {
			continue
		}
		if broken := r.broken(input); broken != "" {
			faults = append(faults, fmt.Sprintf("%s (%s)", broken, r.source))
		}
	}
	return faults
}

// TestProse: each rule that stands in the documentation alone refuses something.
func TestProse(t *testing.T) {
	long := strings.Repeat("x", 10241)
	for _, c := range []struct {
		operation      string
		taken, refused map[string]any
	}{
		{"lambda:CreateFunction", map[string]any{"Environment": map[string]any{"Variables": map[string]any{"A": "b"}}}, map[string]any{"Environment": map[string]any{"Variables": map[string]any{"A": long}}}},
		{"apigateway:PutIntegration", map[string]any{"timeoutInMillis": int64(900_000), "responseTransferMode": "STREAM"}, map[string]any{"timeoutInMillis": int64(900_000)}},
		{"iam:PutRolePolicy", map[string]any{"PolicyDocument": "{}"}, map[string]any{"PolicyDocument": long}},
		{"iam:CreateRole", map[string]any{"AssumeRolePolicyDocument": "{}"}, map[string]any{"AssumeRolePolicyDocument": long}},
		{"ssm:PutParameter", map[string]any{"Value": "a"}, map[string]any{"Value": long}},
		{"cloudfront:CreateFunction2020_05_31", map[string]any{"FunctionCode": []byte("a")}, map[string]any{"FunctionCode": []byte(long)}},
		{"s3:CreateBucket", map[string]any{"Bucket": "librechat-dev-site"}, map[string]any{"Bucket": "LibreChat"}},
		{"elasticache:CreateReplicationGroup", map[string]any{"ReplicationGroupId": "librechat-dev"}, map[string]any{"ReplicationGroupId": "librechat--dev"}},
		{"elasticache:CreateReplicationGroup", map[string]any{"AuthToken": strings.Repeat("a-1", 24)}, map[string]any{"AuthToken": strings.Repeat("a@1", 24)}},
		{"ec2:CreateSecurityGroup", map[string]any{"Description": "Redis of librechat-dev"}, map[string]any{"Description": "Redis' own"}},
		{"logs:PutRetentionPolicy", map[string]any{"retentionInDays": int64(30)}, map[string]any{"retentionInDays": int64(31)}},
	} {
		if faults := unwritten(c.operation, c.taken); len(faults) > 0 {
			t.Errorf("%s of %v: %v", c.operation, c.taken, faults)
		}
		if faults := unwritten(c.operation, c.refused); len(faults) != 1 {
			t.Errorf("%s takes %.80v: %v", c.operation, c.refused, faults)
		}
	}
}
