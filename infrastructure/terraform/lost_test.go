package terraform

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// lost performs each create and drops the first answer of its kind, once armed: AWS has
// made what tofu never hears of. The provider's SDK takes a connection that ends for a
// passing fault and asks again, as it does on AWS.
type lost struct {
	next http.Handler

	mu    sync.Mutex
	armed func(operation string) bool
	done  []create // whose answers were dropped
}

func newLost(next http.Handler) *lost {
	return &lost{next: next, armed: func(string) bool { return false }}
}

// arm has the first answer of each of the operations dropped, or of all where none is named.
func (l *lost) arm(operations ...string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.armed = func(operation string) bool { return len(operations) == 0 || slices.Contains(operations, operation) }
}

func (l *lost) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	request, _ := io.ReadAll(r.Body)
	r.Body = io.NopCloser(bytes.NewReader(request))
	asked := createOf(r, string(request))
	l.mu.Lock()
	drop := asked != create{} && l.armed(asked.operation) && !slices.Contains(l.done, asked)
	if drop {
		l.done = append(l.done, asked)
	}
	l.mu.Unlock()
	if !drop {
		l.next.ServeHTTP(w, r)
		return
	}
	l.next.ServeHTTP(httptest.NewRecorder(), r)
	if connection, _, err := w.(http.Hijacker).Hijack(); err == nil {
		connection.Close()
	}
}

// create is an operation and the type of resource that it is the create of.
type create struct{ operation, resource string }

// named are the creates of services that name the operation in the request.
var named = map[string]string{
	"CreateRole":                    "aws_iam_role",
	"PutRolePolicy":                 "aws_iam_role_policy",
	"CreateSecurityGroup":           "aws_security_group",
	"AuthorizeSecurityGroupEgress":  "aws_vpc_security_group_egress_rule",
	"AuthorizeSecurityGroupIngress": "aws_vpc_security_group_ingress_rule",
	"CreateReplicationGroup":        "aws_elasticache_replication_group",
	"CreateCacheSubnetGroup":        "aws_elasticache_subnet_group",
	"CreateLogGroup":                "aws_cloudwatch_log_group",
	"CreateRepository":              "aws_ecr_repository",
	"PutParameter":                  "aws_ssm_parameter",
}

// rest are the creates of services that say by method and path what is asked.
var rest = map[create]*regexp.Regexp{
	{"CreateFunction", "aws_lambda_function"}:                                 regexp.MustCompile(`^POST /2015-03-31/functions/?$`),
	{"CreateAlias", "aws_lambda_alias"}:                                       regexp.MustCompile(`^POST /2015-03-31/functions/[^/]+/aliases$`),
	{"AddPermission", "aws_lambda_permission"}:                                regexp.MustCompile(`^POST /2015-03-31/functions/[^/]+/policy$`),
	{"CreateBucket", "aws_s3_bucket"}:                                         regexp.MustCompile(`^PUT /[a-z0-9.-]+/?$`),
	{"CreateRestApi", "aws_api_gateway_rest_api"}:                             regexp.MustCompile(`^POST /restapis$`),
	{"CreateResource", "aws_api_gateway_resource"}:                            regexp.MustCompile(`^POST /restapis/\w+/resources/\w+$`),
	{"PutMethod", "aws_api_gateway_method"}:                                   regexp.MustCompile(`^PUT /restapis/\w+/resources/\w+/methods/\w+$`),
	{"PutMethodResponse", "aws_api_gateway_method_response"}:                  regexp.MustCompile(`^PUT /restapis/\w+/resources/\w+/methods/\w+/responses/\d+$`),
	{"PutIntegration", "aws_api_gateway_integration"}:                         regexp.MustCompile(`^PUT /restapis/\w+/resources/\w+/methods/\w+/integration$`),
	{"PutIntegrationResponse", "aws_api_gateway_integration_response"}:        regexp.MustCompile(`^PUT /restapis/\w+/resources/\w+/methods/\w+/integration/responses/\d+$`),
	{"CreateDeployment", "sluice_api_deployment"}:                             regexp.MustCompile(`^POST /restapis/\w+/deployments$`),
	{"CreateStage", "aws_api_gateway_stage"}:                                  regexp.MustCompile(`^POST /restapis/\w+/stages$`),
	{"CreateApiKey", "aws_api_gateway_api_key"}:                               regexp.MustCompile(`^POST /apikeys$`),
	{"CreateUsagePlan", "aws_api_gateway_usage_plan"}:                         regexp.MustCompile(`^POST /usageplans$`),
	{"CreateUsagePlanKey", "aws_api_gateway_usage_plan_key"}:                  regexp.MustCompile(`^POST /usageplans/\w+/keys$`),
	{"CreateCloudFrontFunction", "aws_cloudfront_function"}:                   regexp.MustCompile(`^POST /2020-05-31/function$`),
	{"CreateDistribution", "aws_cloudfront_distribution"}:                     regexp.MustCompile(`^POST /2020-05-31/distribution$`),
	{"CreateOriginAccessControl", "aws_cloudfront_origin_access_control"}:     regexp.MustCompile(`^POST /2020-05-31/origin-access-control$`),
	{"CreateResponseHeadersPolicy", "aws_cloudfront_response_headers_policy"}: regexp.MustCompile(`^POST /2020-05-31/response-headers-policy$`),
	{"ChangeResourceRecordSets", "aws_route53_record"}:                        regexp.MustCompile(`^POST /2013-04-01/hostedzone/\w+/rrset/?$`),
}

// whole is the query of a create; another is of a request that sets a part of what exists.
var whole = regexp.MustCompile(`^((WithTags|Qualifier)(=.*)?)?$`)

// createOf is the create that a request asks for, or none.
func createOf(r *http.Request, request string) create {
	form := parseForm(request)
	operation := form.Get("Action")
	if target := r.Header.Get("X-Amz-Target"); target != "" {
		operation = target[strings.LastIndex(target, ".")+1:]
	}
	if resource := named[operation]; resource != "" {
		if strings.HasPrefix(form.Get("GroupName"), "librechat-dev-") {
			resource += ", name generated"
		}
		return create{operation, resource}
	}
	for asked, pattern := range rest {
		if whole.MatchString(r.URL.RawQuery) && pattern.MatchString(r.Method+" "+r.URL.Path) {
			return asked
		}
	}
	return create{}
}

const matrixCommand = "SLUICE_MATRIX=all go test ./infrastructure/terraform -run 'TestLostAnswers|TestTaint' -v -timeout 60m"

// TestLostAnswers deploys while the first answer of every kind of create is lost, and
// then again, running each `tofu import` that sluice prints, until a run has nothing to
// complain of. It takes a quarter of an hour, and the aws program for the lookups of ids.
// With TestTaint it is the matrix of resources and failures:
//
//	SLUICE_MATRIX=all go test ./infrastructure/terraform -run 'TestLostAnswers|TestTaint' -v -timeout 60m
//
// SLUICE_MATRIX=CreateRole,PutMethod loses the answers of these operations alone.
func TestLostAnswers(t *testing.T) {
	which := os.Getenv("SLUICE_MATRIX")
	if which == "" {
		t.Skip("TestDeployEndToEnd loses some answers; all take a quarter of an hour: " + matrixCommand)
	}
	if _, err := exec.LookPath("aws"); err != nil {
		t.Skip("no aws, which the printed commands call: pip install awscli")
	}
	a := separate(t)
	p := newProgram(t, a)
	if which == "all" || which == "1" {
		a.lost.arm()
	} else {
		a.lost.arm(strings.Split(which, ",")...)
	}
	p.converges(t, a)
	open := p.shell(t, `aws ec2 describe-security-groups --region eu-west-1 --filters Name=group-name,Values=librechat-dev --query "SecurityGroups[0].IpPermissionsEgress[?IpProtocol=='-1']" --output text`)
	if strings.TrimSpace(open) != "" {
		t.Errorf("the function's group lets everything out: %s", open)
	}
	if out, err := p.run(t, "deploy", "--dir", p.dev, "--yes", "--no-verify"); err != nil || !strings.Contains(out, "nothing to change") {
		t.Errorf("a further run: %v\n%s", err, out)
	}
}

var (
	printed  = regexp.MustCompile(`(?m)^ *((?:aws .* && )?tofu -chdir=\S+ import .*)$`)
	imported = regexp.MustCompile(` import .*?([^' ]*\b(aws_\w+)\.[^' ]+)`)
	refused  = regexp.MustCompile(`(?m)^.*(?i:already ?exist|AlreadyOwned|Duplicate|already has|Conflict).*$`)
)

// converges deploys until a run succeeds, and runs all commands that sluice prints. It
// logs for each answer that was lost what it took, and returns what the last run says.
func (p *program) converges(t *testing.T, a *account) (out string) {
	t.Helper()
	ran := map[string][]string{} // addresses by type
	for run := 1; ; run++ {
		began := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), 12*time.Minute)
		said, err := p.command(ctx, "deploy", "--dir", p.dev, "--yes", "--no-verify").CombinedOutput()
		cancel()
		out = string(said)
		t.Logf("run %d took %v: %v", run, time.Since(began).Round(time.Second), err)
		if err == nil {
			break
		}
		commands := printed.FindAllStringSubmatch(out, -1)
		for _, fault := range refused.FindAllString(out, -1) {
			t.Logf("  %.300s", fault)
		}
		if len(commands) == 0 && !strings.Contains(out, "run this again") || run == 12 {
			t.Fatalf("no way on:\n%s", out)
		}
		for _, command := range commands {
			t.Logf("  %s", command[1])
			if address := imported.FindStringSubmatch(command[1]); address != nil {
				ran[address[2]] = append(ran[address[2]], address[1])
			}
			p.shell(t, command[1])
		}
	}
	for _, asked := range a.lost.done {
		ends := "the next deploy"
		if addresses := ran[asked.resource]; addresses != nil {
			ends = "the printed `tofu import`, then the next deploy"
		}
		t.Logf("| %s | %s | %s |", asked.resource, asked.operation, ends)
	}
	return out
}

// shell runs a command as whoever reads it would, and returns what it prints.
func (p *program) shell(t *testing.T, command string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "sh", "-c", command)
	for _, setting := range p.env { // an empty profile is none for the SDKs and an error for the aws program
		if !strings.HasPrefix(setting, "AWS_PROFILE=") && !strings.HasPrefix(setting, "AWS_CONFIG_FILE=") {
			cmd.Env = append(cmd.Env, setting)
		}
	}
	said, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("%s: %v\n%.300s\n%s", command, err, said, complaint(string(said)))
	}
	return string(said)
}
